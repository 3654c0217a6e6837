"""What people do with the line of weekly windows: add, remove, put in order, retry, stop, upload now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from jobs.errors import JobError
from jobs.events import history_of
from schedules import slot_clock, slot_line
from schedules.refusals import Refused
from schedules.slot_videos import SlotVideo
from tests.schedules.slot_rows import (
    MORNING,
    account,
    count_of,
    in_line,
    make_slot,
    person,
    states,
)
from uploader.catalog import Film, Series
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db


@pytest.fixture
def main(db: None) -> Destination:
    return account()


def order(destination: Destination) -> list[str]:
    line = SlotVideo.objects.line(person().pk, destination.pk).with_videos()
    return [row.video.title.removeprefix("Film ") for row in line]


def test_films_and_episodes_stand_in_one_line_in_the_order_they_were_added(
    make_series: Callable[..., Series], library: Path, one_video: Path, destination: Destination
) -> None:
    (library / "film.mp4").write_bytes(one_video.read_bytes())
    film = Film.objects.create(title="The Keeper", path="film.mp4")
    videos = [*make_series("Harbour", 2).episodes.all(), film]
    rows, refused = slot_line.add_videos(
        videos, user=person(), destination=destination, who="olga", now=MORNING
    )
    assert [str(row.video) for row in rows] == ["Harbour – Episode 1", "Harbour – Episode 2", "The Keeper"]
    assert refused == []
    assert list(SlotVideo.objects.line(person().pk, destination.pk)) == rows


def test_what_is_not_ready_or_taken_is_refused_with_its_reason_and_the_rest_goes_in(
    make_series: Callable[..., Series], library: Path, destination: Destination
) -> None:
    one, two, three, four = make_series("Harbour", 4).episodes.all()
    (library / "harbour" / "02.mp4").unlink()
    UploadJob.objects.create(destination=destination, episode=three, title="x", status="completed")
    slot_line.add_videos([four], user=person("bob"), destination=destination, who="olga", now=MORNING)
    rows, refused = slot_line.add_videos(
        [one, two, three, four, one], user=person(), destination=destination, who="olga", now=MORNING
    )
    assert [row.episode for row in rows] == [one]
    reasons = {video.pk: why for video, why in refused}
    assert "missing" in reasons[two.pk]
    assert reasons[three.pk].startswith("It was delivered to Main by upload")
    assert reasons[four.pk] == "It stands in the line of bob for Main already (waiting)."


def test_a_destination_for_posts_takes_no_windows_and_no_videos(main: Destination) -> None:
    Destination.objects.update(platform="onlysocial", title="Socials")
    main.refresh_from_db()
    with pytest.raises(Refused, match="Socials takes posts on social accounts, no whole videos"):
        slot_line.add_videos([], user=person(), destination=main, who="olga", now=MORNING)
    with pytest.raises(ValidationError, match="Socials takes posts, no whole videos"):
        make_slot(main).full_clean()


def test_a_video_that_is_being_uploaded_by_another_way_is_refused(main: Destination) -> None:
    [row] = in_line(1, main)
    film = row.film
    row.delete()
    job = UploadJob.objects.create(destination=main, film=film, title="x")
    assert film is not None
    [why] = slot_line.why_not([film], main).values()
    assert why == f"Upload {job.pk} is bringing it to Main."


def test_what_waits_or_failed_can_be_taken_out_what_is_under_way_stays(main: Destination) -> None:
    make_slot(main)
    first, second, third = in_line(3, main)
    slot_clock.tick(MORNING)
    SlotVideo.objects.filter(pk=third.pk).update(status="failed")
    assert slot_line.remove_videos([first, second, third], who="olga", now=MORNING) == 2
    assert SlotVideo.objects.get() == first


# -------------------------------------------------------------------- order


def test_a_video_can_be_dragged_before_another_and_to_the_end(main: Destination) -> None:
    a, b, c, d = in_line(4, main)
    slot_line.move([d], before=b, who="olga", now=MORNING)
    assert order(main) == ["1", "4", "2", "3"]
    slot_line.move([c, b], before=a, who="olga", now=MORNING)
    assert order(main) == ["3", "2", "1", "4"]
    slot_line.move([c], before=None, who="olga", now=MORNING)
    assert order(main) == ["2", "1", "4", "3"]
    assert history_of(c).last().type == "moved"


def test_a_place_can_be_found_between_two_neighbours_again_and_again(main: Destination) -> None:
    rows = in_line(40, main)
    for row in rows[2:]:
        slot_line.move([row], before=rows[1], who="olga", now=MORNING)
        rows[1].refresh_from_db()
    expected = ["1", *(str(number) for number in range(3, 41)), "2"]
    assert order(main) == expected


def test_a_dragged_video_takes_the_priority_of_its_new_place(main: Destination) -> None:
    a, _, c = in_line(3, main)
    slot_line.set_priority([a], -5, who="olga", now=MORNING)
    slot_line.move([c], before=a, who="olga", now=MORNING)
    assert order(main) == ["3", "1", "2"]
    c.refresh_from_db()
    assert c.priority == -5


def test_a_new_order_of_some_leaves_the_others_in_their_places(main: Destination) -> None:
    a, _, c, d = in_line(4, main)
    slot_line.reorder([d, c, a], who="olga", now=MORNING)
    assert order(main) == ["4", "2", "3", "1"]


def test_what_no_longer_waits_cannot_be_moved(main: Destination) -> None:
    make_slot(main)
    first, second = in_line(2, main)
    [other] = in_line(1, main, user=person("bob"), first=9)
    slot_clock.tick(MORNING)
    with pytest.raises(Refused, match="Film 1 no longer waits"):
        slot_line.move([first], before=second, who="olga", now=MORNING)
    with pytest.raises(Refused, match="one line"):
        slot_line.reorder([second, other], who="olga", now=MORNING)
    with pytest.raises(Refused, match="before itself"):
        slot_line.move([second], before=second, who="olga", now=MORNING)


def test_videos_can_be_added_before_one_that_waits(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    one, two = make_series("Harbour", 2).episodes.all()
    add = {"user": person(), "destination": destination, "who": "olga", "now": MORNING}
    [row] = slot_line.add_videos([one], **add).rows
    slot_line.add_videos([two], before=row, **add)
    assert [row.episode for row in SlotVideo.objects.line(person().pk, destination.pk)] == [two, one]


def test_a_priority_changes_only_what_waits(main: Destination) -> None:
    make_slot(main)
    first, second = in_line(2, main)
    slot_clock.tick(MORNING)
    assert slot_line.set_priority([first, second], 3, who="olga", now=MORNING) == 1
    assert slot_line.set_priority([first, second], 3, who="olga", now=MORNING) == 0


# -------------------------------------------------------------------- one video


def test_upload_now_needs_no_window_and_counts_to_none(main: Destination) -> None:
    slot = make_slot(main)
    first, second = in_line(2, main)
    slot_line.upload_now(second, who="olga", now=MORNING)
    assert states(first, second) == ["initiate", "pending"]
    assert UploadJob.objects.get().film == second.film
    assert count_of(slot) == 0
    with pytest.raises(Refused, match="Film 2 is taken"):
        slot_line.upload_now(second, who="olga", now=MORNING)


def test_upload_now_of_what_was_delivered_meanwhile_sends_nothing(main: Destination) -> None:
    [row] = in_line(1, main)
    UploadJob.objects.create(destination=main, film=row.film, title="x", status="completed")
    slot_line.upload_now(row, who="olga", now=MORNING)
    assert states(row) == ["success"]
    assert UploadJob.objects.count() == 1


def test_a_failed_video_waits_again_and_one_between_two_tries_goes_at_once(main: Destination) -> None:
    make_slot(main)
    [row] = in_line(1, main)
    with pytest.raises(Refused, match="only failed videos are retried"):
        slot_line.retry(row, who="olga", now=MORNING)
    slot_clock.tick(MORNING)
    [job] = UploadJob.objects.claim("worker#1", now=MORNING)
    job.try_again(JobError("No connection"), now=MORNING)
    assert job.not_before_at > MORNING
    slot_line.retry(row, who="olga", now=MORNING)
    job.refresh_from_db()
    assert job.not_before_at == MORNING
    SlotVideo.objects.filter(pk=row.pk).update(status="failed")
    slot_line.retry(row, who="olga", now=MORNING)
    assert states(row) == ["initiate"]


def test_cancelling_says_what_cannot_be_cancelled(main: Destination) -> None:
    slot = make_slot(main, max_uploads=2)
    first, second, third = in_line(3, main)
    [taken] = SlotVideo.objects.claim(slot, limit=1, now=MORNING)
    slot_line.cancel(taken, who="olga", now=MORNING)
    assert (states(first), count_of(slot)) == (["failed"], 0), "taken, but without a job yet"
    with pytest.raises(Refused, match="only waits"):
        slot_line.cancel(second, who="olga", now=MORNING)
    with pytest.raises(Refused, match="not being uploaded"):
        slot_line.cancel(first, who="olga", now=MORNING)
    slot_clock.tick(MORNING)
    [job] = UploadJob.objects.claim("worker#1", now=MORNING)
    slot_line.cancel(second, who="olga", now=MORNING)
    job.refresh_from_db()
    assert job.cancel_requested_at == MORNING
    assert states(second, third) == ["uploading", "pending"], "its worker has yet to stop"
    job.acknowledge_cancel(now=MORNING + timedelta(seconds=1))
    assert states(second) == ["failed"]
