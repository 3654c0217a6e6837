"""The admin pages of the queue: series go on and off it through its own rules, episodes are decided about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.events import Event
from schedules import hourly, scheduling
from schedules.upload_schedules import ScheduledUpload, Status, UploadSchedule
from tests.admin_pages import act, address, press, root, staff_with
from uploader.catalog import Episode, Series
from uploader.destinations import Destination

pytestmark = pytest.mark.django_db
MakeSeries = Callable[..., Series]


@pytest.fixture
def client() -> Client:
    return root()


@pytest.fixture
def account() -> Destination:
    return Destination.objects.create(name="main", title="Main", credentials_from_environment=True)


@pytest.fixture
def harbour(make_series: MakeSeries, account: Destination) -> UploadSchedule:
    return on_queue(make_series("Harbour", 4), account)


def on_queue(series: Series, account: Destination) -> UploadSchedule:
    return scheduling.schedule_series(series, account, who="olga", now=timezone.now())[0].schedule


def rows(schedule: UploadSchedule, **columns: str) -> list[ScheduledUpload]:
    """The episodes in order; `e1="skipped"` puts the first one into that state."""
    for name, status in columns.items():
        schedule.uploads.filter(position=int(name[1:])).update(status=status)
    return list(schedule.uploads.order_by("position"))


def asked_for(series: Series, account: Destination, policy: str = "skip") -> dict[str, Any]:
    return {"series": series.pk, "destination": account.pk, "on_failure": policy}


# -------------------------------------------------------------------- series


def test_a_series_is_scheduled_from_the_form(
    client: Client, make_series: MakeSeries, account: Destination
) -> None:
    train = make_series("Train", 3)
    answer = client.post(address(UploadSchedule, "add"), asked_for(train, account, "hold"), follow=True)
    assert "Scheduled 3 episodes of Train" in answer.content.decode()
    schedule = UploadSchedule.objects.get()
    assert (schedule.on_failure, schedule.created_by) == ("hold", "root")
    assert schedule.uploads.exclude(scheduled_at=None).count() == 3


def test_what_is_not_ready_is_listed_on_the_form(
    client: Client, make_series: MakeSeries, account: Destination, library: Path
) -> None:
    train = make_series("Train", 3)
    (library / "train" / "02.mp4").unlink()
    body = client.post(address(UploadSchedule, "add"), asked_for(train, account)).content.decode()
    assert "Nothing was scheduled: 1 episodes are not ready." in body
    assert "Episode 2 of Train" in body
    assert not UploadSchedule.objects.exists()


def test_a_series_that_stands_in_the_line_is_refused_with_the_reason(
    client: Client, harbour: UploadSchedule
) -> None:
    fields = asked_for(harbour.series, harbour.destination)
    assert "already scheduled" in client.post(address(UploadSchedule, "add"), fields).content.decode()


def test_new_episodes_of_a_scheduled_series_join_the_line(
    client: Client, harbour: UploadSchedule, library: Path, one_video: Path
) -> None:
    (library / "harbour" / "05.mp4").write_bytes(one_video.read_bytes())
    Episode.objects.create(series=harbour.series, index_sequence=5, path="harbour/05.mp4")
    client.post(address(UploadSchedule, "add"), asked_for(harbour.series, harbour.destination))
    assert harbour.uploads.count() == 5


def test_an_empty_form_says_what_is_missing(client: Client) -> None:
    body = client.post(address(UploadSchedule, "add"), {"on_failure": "skip"}).content.decode()
    assert body.count("This field is required") == 2


def test_pausing_and_resuming_report_what_was_refused(
    client: Client, harbour: UploadSchedule, make_series: MakeSeries
) -> None:
    train = on_queue(make_series("Train", 2), harbour.destination)
    assert press(client, harbour, "pause", reason="Subtitles first") == "1 paused."
    harbour.refresh_from_db()
    assert (harbour.paused_by, harbour.paused_reason) == ("root", "Subtitles first")
    assert act(client, UploadSchedule, "pause_chosen", [harbour, train]) == (
        "1 paused, 1 refused: Harbour is paused already."
    )
    assert act(client, UploadSchedule, "resume_chosen", [harbour, train]) == "2 resumed."
    assert press(client, train, "resume") == "1 refused: Train is not paused."


def test_the_policy_is_all_that_can_be_edited(client: Client, harbour: UploadSchedule) -> None:
    other = Series.objects.create(title="Other")
    fields = {"on_failure": "hold", "position": 9, "series": other.pk, "paused_by": "x"}
    assert client.post(address(harbour, "change", harbour.pk), fields).status_code == 302
    harbour.refresh_from_db()
    assert (harbour.on_failure, harbour.position, harbour.series.title) == ("hold", 1, "Harbour")
    assert Event.objects.filter(type="policy_changed", who="root").exists()


def test_deleting_a_series_from_the_queue_keeps_what_is_completed(
    client: Client, harbour: UploadSchedule
) -> None:
    rows(harbour, e1="completed", e2="failed")
    question = client.get(address(harbour, "delete", harbour.pk)).content.decode()
    assert "3 waiting or failed episodes leave the line. 1 completed ones stay" in question
    answer = client.post(address(harbour, "delete", harbour.pk), {"post": "yes"}, follow=True)
    assert "3 episodes taken out of the line." in answer.content.decode()
    assert [row.status for row in rows(harbour)] == [Status.COMPLETED]


def test_several_series_are_taken_out_after_one_question(
    client: Client, harbour: UploadSchedule, make_series: MakeSeries
) -> None:
    train = on_queue(make_series("Train", 2), harbour.destination)
    act(client, UploadSchedule, "remove_chosen", [harbour, train])
    assert ScheduledUpload.objects.count() == 6
    assert act(client, UploadSchedule, "remove_chosen", [harbour, train], decided="yes") == (
        "6 episodes taken out of the line."
    )
    assert not UploadSchedule.objects.exists()


# -------------------------------------------------------------------- episodes


def test_retrying_episodes_reports_counts_and_reasons(client: Client, harbour: UploadSchedule) -> None:
    found = rows(harbour, e1="skipped", e2="failed", e3="completed")
    report = act(client, ScheduledUpload, "retry_chosen", found)
    assert report.startswith("2 queued again, 2 refused: ")
    assert "Harbour – Episode 3 is completed; only failed or skipped episodes are retried" in report
    assert [row.status for row in rows(harbour)] == ["pending", "pending", "completed", "pending"]


def test_an_episode_is_put_in_front(client: Client, harbour: UploadSchedule) -> None:
    last = rows(harbour)[-1]
    assert press(client, last, "upload_now") == "1 put in front."
    assert ScheduledUpload.objects.planned().first() == last
    assert "1 refused" in press(client, rows(harbour, e4="completed")[-1], "upload_now")


def test_only_a_running_upload_is_cancelled(client: Client, harbour: UploadSchedule) -> None:
    [row] = hourly.tick(timezone.now() + timedelta(hours=2))
    report = act(client, ScheduledUpload, "cancel_chosen", rows(harbour)[:2])
    assert report == "1 cancelled, 1 refused: Harbour – Episode 2 is not being uploaded."
    row.refresh_from_db()
    assert (row.status, row.error_kind) == ("skipped", "cancelled")


def test_episodes_are_neither_added_nor_edited_nor_deleted(client: Client, harbour: UploadSchedule) -> None:
    row = rows(harbour, e1="completed")[0]
    assert client.get(address(ScheduledUpload, "add")).status_code == 403
    assert client.post(address(row, "change", row.pk), {"status": "pending"}).status_code == 403
    assert client.post(address(row, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_rows_lead_to_each_other(client: Client, harbour: UploadSchedule) -> None:
    [row] = hourly.tick(timezone.now() + timedelta(hours=2))
    body = client.get(address(row, "change", row.pk)).content.decode()
    for other in (row.job, harbour, row.episode, row.destination):
        assert address(other, "change", other.pk) in body
    body = client.get(address(harbour, "change", harbour.pk)).content.decode()
    link = f"{address(ScheduledUpload, 'changelist')}?schedule__id__exact={harbour.pk}"
    assert link in body
    assert client.get(link).status_code == 200


# -------------------------------------------------------------------- the destination


def test_a_new_interval_plans_the_line_again(client: Client, harbour: UploadSchedule) -> None:
    from tests.uploader.test_destination_admin import save

    assert not save(client, harbour.destination, interval_seconds="1800", credentials_from_environment="on")
    times = [row.scheduled_at for row in rows(harbour)]
    assert {later - sooner for sooner, later in pairwise(times)} == {timedelta(minutes=30)}


def test_a_destination_in_use_by_the_queue_stays(client: Client, harbour: UploadSchedule) -> None:
    answer = client.post(
        address(harbour.destination, "delete", harbour.destination.pk), {"post": "yes"}, follow=True
    )
    assert "1 upload schedule and 4 scheduled uploads" in answer.content.decode()
    assert Destination.objects.exists()


# -------------------------------------------------------------------- who and how many


def test_a_viewer_reads_the_queue_and_decides_nothing(harbour: UploadSchedule) -> None:
    viewer = staff_with("vera", apps=["schedules", "uploader"], verbs=["view"])
    row = rows(harbour, e1="skipped")[0]
    pages = (
        address(UploadSchedule, "changelist"), address(harbour, "change", harbour.pk),
        address(ScheduledUpload, "changelist"), address(row, "change", row.pk),
    )  # fmt: skip
    for page in pages:
        body = viewer.get(page).content.decode()
        assert "Harbour" in body
        assert 'name="action"' not in body
        assert 'name="_save"' not in body
    for target, button in ((row, "retry"), (row, "upload_now"), (harbour, "pause")):
        assert address(target, button, target.pk) not in body
        assert viewer.post(address(target, button, target.pk), {"_form_submitted": "True"}).status_code == 403
    assert viewer.get(address(UploadSchedule, "add")).status_code == 403
    assert viewer.post(address(harbour, "delete", harbour.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", [UploadSchedule, ScheduledUpload])
def test_lists_ask_few_questions_however_many_rows(
    client: Client, account: Destination, model: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        series = Series.objects.create(title=f"S{number}")
        episode = Episode.objects.create(series=series, index_sequence=1, path=f"{number}.mp4")
        schedule = UploadSchedule.objects.create(series=series, destination=account, position=number)
        ScheduledUpload.objects.create(
            schedule=schedule, destination=account, series=series, episode=episode, position=1
        )
    with django_assert_max_num_queries(12):
        client.get(address(model, "changelist"))


def test_a_series_is_deleted_from_the_catalog_only_once_it_left_the_line(
    client: Client, harbour: UploadSchedule
) -> None:
    series = harbour.series
    client.post(address(series, "delete", series.pk), {"post": "yes"})
    assert Series.objects.filter(pk=series.pk).exists()
    harbour.uploads.update(status=Status.COMPLETED)
    assert client.post(address(series, "delete", series.pk), {"post": "yes"}).status_code == 302
    assert not Series.objects.exists()


def test_too_many_at_once_are_left_and_counted(
    client: Client, harbour: UploadSchedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.staff_decisions.MOST_AT_ONCE", 3)
    found = rows(harbour, e1="skipped", e2="skipped", e3="skipped", e4="skipped")
    assert act(client, ScheduledUpload, "retry_chosen", found) == (
        "3 queued again, 1 left as they are, too many at once: repeat it for the rest."
    )
