"""The uploads page as the server gives it: what it shows, how much it asks the database, who may touch."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.errors import JobError
from sandbox.server import Sandbox
from schedules import decisions, hourly, scheduling
from schedules.upload_schedules import ScheduledUpload, Status, UploadSchedule
from tests.conftest import make_destination
from uploader.catalog import Episode, Series
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

MakeSeries = Callable[..., Series]
ALL = "alert,tiles,destinations,now,next,trouble,series"
LIVE = {"HX-Request": "true", "HX-Current-URL": "http://testserver/uploads/"}


def text_of(response: HttpResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).replace(" ,", ",")


def partials(client: Client, parts: str = ALL, **query: str) -> HttpResponse:
    return client.get("/uploads/", {"parts": parts, **query}, headers=LIVE)


def press(client: Client, path: str, /, **fields: Any) -> HttpResponse:
    return client.post(path, {"parts": ALL, **fields}, headers=LIVE)


def toast_of(response: HttpResponse) -> dict[str, str]:
    return json.loads(response.headers["HX-Trigger"])["toast"]


def put(series: Series, destination: Destination) -> UploadSchedule:
    scheduling.schedule_series(series, destination, who="olga", now=timezone.now())
    return UploadSchedule.objects.get(series=series)


def bare_series(title: str, episodes: int) -> Series:
    """A series of which nobody looks at the files."""
    series = Series.objects.create(title=title, intro=f"About {title}.")
    Episode.objects.bulk_create(
        Episode(series=series, index_sequence=number, path=f"{title}/{number}.mp4")
        for number in range(1, episodes + 1)
    )
    return series


def line_up(
    series: Series, destination: Destination, position: int, status: str = "pending"
) -> UploadSchedule:
    schedule = UploadSchedule.objects.create(series=series, destination=destination, position=position)
    at = timezone.now()
    ScheduledUpload.objects.bulk_create(
        ScheduledUpload(
            schedule=schedule,
            destination=destination,
            series=series,
            episode=episode,
            position=number,
            status=status,
            scheduled_at=at + timedelta(hours=number),
            completed_at=at if status == "completed" else None,
        )
        for number, episode in enumerate(series.episodes.order_by("index_sequence"), start=1)
    )
    return schedule


def failed_row(series: Series, why: str) -> ScheduledUpload:
    """The first episode, skipped after its job failed."""
    row = series.scheduled_uploads.order_by("position").first()
    assert row
    decisions.upload_now(row, who="olga", now=timezone.now())
    hourly.tick(timezone.now())
    row.refresh_from_db()
    [job] = UploadJob.objects.filter(pk=row.job_id).claim("worker#1", now=timezone.now())
    error = JobError(why)
    job.fail(error, now=timezone.now())
    row.refresh_from_db()
    return row


# -------------------------------------------------------------------- who may look


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/uploads/", "/uploads/add/"])
def test_only_the_staff_gets_in(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/?next=")


@pytest.mark.django_db
def test_a_page_whose_session_ended_is_sent_to_sign_in(client: Client) -> None:
    answer = partials(client)
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/admin/login/?next=/uploads/"


def test_a_viewer_sees_everything_and_no_button(
    viewer_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    put(make_series("Harbour", 3), destination)
    page = viewer_client.get("/uploads/").content.decode()
    assert "Harbour" in page
    for word in (
        "Upload now",
        "Remove",
        "Pause",
        "Test connection",
        "Add to upload schedule</a>",
        "data-handle",
    ):
        assert word not in page


PATHS = [
    "/uploads/add/",
    "/uploads/retry-all/",
    "/uploads/episodes/{row}/retry/",
    "/uploads/episodes/{row}/now/",
    "/uploads/episodes/{row}/cancel/",
    "/uploads/series/{schedule}/pause/",
    "/uploads/series/{schedule}/resume/",
    "/uploads/series/{schedule}/remove/",
    "/uploads/series/{schedule}/policy/",
    "/uploads/series/{schedule}/move/",
    "/uploads/destinations/main/pause/",
    "/uploads/destinations/main/resume/",
    "/uploads/destinations/main/test/",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_viewer_who_posts_anyway_is_told_no(
    viewer_client: Client, make_series: MakeSeries, destination: Destination, path: str
) -> None:
    schedule = put(make_series("Harbour", 2), destination)
    row = schedule.uploads.first()
    assert row
    url = path.format(row=row.pk, schedule=schedule.pk)
    before = ScheduledUpload.objects.order_by("pk").values_list("status", "scheduled_at", "expedited_at")
    kept = list(before)

    live, plain = press(viewer_client, url), viewer_client.post(url)

    assert (live.status_code, plain.status_code) == (403, 403)
    assert toast_of(live)["text"].startswith("You may look here")
    assert "You may look here" in text_of(plain)
    assert list(before.all()) == kept


@pytest.mark.parametrize("path", PATHS[1:])
def test_looking_at_an_action_changes_nothing(operator_client: Client, path: str) -> None:
    assert operator_client.get(path.format(row=1, schedule=1)).status_code == 405


def test_a_post_without_its_token_is_refused(operator_client: Client, destination: Destination) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator_client.cookies
    assert strict.post("/uploads/destinations/main/pause/").status_code == 403
    destination.refresh_from_db()
    assert destination.paused_at is None


# -------------------------------------------------------------------- what it shows


@pytest.mark.django_db
def test_without_anything_it_says_how_to_begin(operator_client: Client) -> None:
    words = text_of(operator_client.get("/uploads/"))
    assert "No destination yet" in words
    assert "Nothing is scheduled" in words
    assert "import_series" in words
    assert "Nothing starts: no scheduler is running." in words


def test_tiles_line_and_next(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    put(make_series("Harbour", 7), destination)
    words = text_of(operator_client.get("/uploads/"))
    assert "Total 7 Pending 7 Uploading 0 Completed 0 Failed 0 Skipped 0" in words
    assert words.count("Upload now") == 5
    assert "0 of 7 published · ends" in words


def test_the_page_names_the_pace_of_its_lines(operator_client: Client, destination: Destination) -> None:
    assert "One episode every hour, series by series" in text_of(operator_client.get("/uploads/"))
    Destination.objects.update(interval_seconds=5400)
    assert "One episode every 1 h 30 min, series" in text_of(operator_client.get("/uploads/"))
    other = Destination.objects.get(pk=destination.pk)
    other.pk, other.name, other.interval_seconds = None, "second", 60
    other.save()
    assert "at the interval of its destination" in text_of(operator_client.get("/uploads/"))


def test_without_a_script_times_name_their_zone(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    put(make_series("Harbour", 1), destination)
    page = operator_client.get("/uploads/").content.decode()
    assert re.search(r'<time datetime="[^"]+\+00:00" data-time="in">\w{3} \d+ \w{3} \d\d:00 UTC</time>', page)


def test_what_failed_says_why_and_how_often(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    put(make_series("Harbour", 2), destination)
    row = failed_row(Series.objects.get(), "Dailymotion answered 503.")
    words = text_of(partials(operator_client, "trouble"))
    assert row.status == Status.SKIPPED
    assert "Harbour · Episode 1 Skipped · temporary fault · 1 attempt" in words
    assert "Dailymotion answered 503." in words
    assert "Retry all (1)" in words


def test_a_series_on_hold_waits_for_a_decision(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    schedule = put(make_series("Harbour", 2), destination)
    decisions.set_on_failure(schedule, "hold", who="olga", now=timezone.now())
    failed_row(schedule.series, "The file is broken.")
    words = text_of(partials(operator_client, "trouble,next"))
    assert "Needs a hand 2" in words
    assert "Series on hold" in words
    assert "Nothing is planned." in words


def test_a_destination_says_why_it_waits(operator_client: Client, destination: Destination) -> None:
    now = timezone.now()
    destination.pause(who="nina", now=now, until=now + timedelta(hours=2), why="Maintenance")
    words = text_of(partials(operator_client, "destinations"))
    assert "Paused by nina until" in words
    assert "Maintenance" in words
    assert "Resume" in words


def test_only_the_parts_asked_for_come_back(operator_client: Client) -> None:
    page = partials(operator_client, "tiles,next,tiles,nonsense").content.decode()
    assert re.findall(r'id="part-(\w+)"', page) == ["tiles", "next"]
    assert page.count('hx-swap-oob="morph"') == 2
    assert "<html" not in page


def test_a_tile_filters_the_series_below(operator_client: Client, destination: Destination) -> None:
    line_up(bare_series("Harbour", 2), destination, 1)
    line_up(bare_series("Wells", 2), destination, 2, "skipped")
    words = text_of(partials(operator_client, "series", status="skipped"))
    assert "Wells" in words
    assert "Harbour" not in words


@pytest.mark.parametrize("query", ["?status=gone", "?all=x&cards=-1&done=99999999999999999999999", "?q=%00"])
def test_an_odd_address_is_the_plain_page(operator_client: Client, query: str) -> None:
    assert operator_client.get("/uploads/" + query).status_code == 200


def test_titles_are_text_not_markup(operator_client: Client, destination: Destination) -> None:
    line_up(bare_series("<script>alert(1)</script>", 1), destination, 1)
    page = operator_client.get("/uploads/").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_long_series_shows_the_squares_around_its_work(
    operator_client: Client, destination: Destination
) -> None:
    schedule = line_up(bare_series("Harbour", 200), destination, 1)
    schedule.uploads.filter(position__lte=100).update(status="completed", completed_at=timezone.now())
    page = partials(operator_client, "series")
    assert page.content.count(b'class="sc-sq"') == 60
    assert "88 before" in text_of(page)
    assert "52 after Show all 200" in text_of(page)
    everything = partials(operator_client, "series", all=str(schedule.pk))
    assert everything.content.count(b'class="sc-sq"') == 200


def test_a_finished_series_is_folded_away(operator_client: Client, destination: Destination) -> None:
    line_up(bare_series("Harbour", 300), destination, 1, "completed")
    page = partials(operator_client, "series")
    assert b'class="sc-sq"' not in page.content
    assert "Finished series 1" in text_of(page)


def test_the_number_of_queries_does_not_grow_with_the_line(
    operator_client: Client, platform: Sandbox
) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            operator_client.get(path)
        return len(asked)

    places = [make_destination(platform, name) for name in ("one", "two")]
    for number, place in enumerate(places):
        line_up(bare_series(f"First {number}", 2), place, 1)
    few = queries("/uploads/"), queries("/")
    for number in range(10):
        status = ("pending", "completed", "skipped", "failed")[number % 4]
        line_up(bare_series(f"More {number}", 120), places[number % 2], number + 2, status)
    many = queries("/uploads/"), queries("/")
    assert many[0] <= few[0] + 2
    assert many[1] <= few[1] + 2
    assert many[0] < 32


def test_details_tell_the_history(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    put(make_series("Harbour", 1), destination)
    row = failed_row(Series.objects.get(), "Dailymotion answered 503.")
    words = text_of(operator_client.get(f"/uploads/episodes/{row.pk}/", headers=LIVE))
    assert "Skipped : Dailymotion answered 503." in words
    assert "Put in front by olga" in words
    assert "<html" in operator_client.get(f"/uploads/episodes/{row.pk}/").content.decode()


# -------------------------------------------------------------------- adding


def test_a_series_is_found_by_title_and_by_id(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    series = make_series("Harbour", 2)
    make_series("Wells", 2)
    for text in ("harb", str(series.pk)):
        words = text_of(operator_client.get("/uploads/add/", {"q": text}, headers=LIVE))
        assert f"Harbour ID {series.pk} · 2 episodes" in words
        assert "Wells" not in words


def test_the_preview_shows_what_viewers_will_read_and_when(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    series = make_series("Harbour", 2, intro="A letter is found.")
    answer = operator_client.get("/uploads/add/", {"series": series.pk}, headers=LIVE)
    words = text_of(answer)
    assert "Harbour - Episode 1 A letter is found." in words
    assert re.search(r"Starts \w{3} \d+ \w{3} \d\d:00 UTC Ends \w{3}", words)
    assert "Add 2 episodes" in words
    assert not ScheduledUpload.objects.exists()


def test_what_is_not_ready_is_refused_with_reasons(
    operator_client: Client, make_series: MakeSeries, destination: Destination, library: Any
) -> None:
    series = make_series("Harbour", 3)
    (library / "harbour" / "02.mp4").unlink()
    words = text_of(operator_client.get("/uploads/add/", {"series": series.pk}, headers=LIVE))
    assert "1 of 3 episode is not ready" in words
    assert "harbour/02.mp4" in words
    assert "Add 3 episodes" not in words
    answer = press(operator_client, "/uploads/add/", series=series.pk, destination="main")
    assert answer.status_code == 409
    assert "Not all episodes of Harbour" in toast_of(answer)["text"]


def test_adding_schedules_with_the_policy(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    series = make_series("Harbour", 2)
    answer = press(operator_client, "/uploads/add/", series=series.pk, destination="main", on_failure="hold")
    assert toast_of(answer) == {"text": "Harbour: 2 episodes scheduled to Main.", "level": "success"}
    assert UploadSchedule.objects.get().on_failure == "hold"
    again = press(operator_client, "/uploads/add/", series=series.pk, destination="main")
    assert again.status_code == 409


# -------------------------------------------------------------------- touching


def test_without_a_script_a_button_leads_back_with_a_message(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    schedule = put(make_series("Harbour", 2), destination)
    answer = operator_client.post(
        f"/uploads/series/{schedule.pk}/pause/", {"next": "/uploads/?q=har"}, follow=True
    )
    assert answer.redirect_chain == [("/uploads/?q=har", 302)]
    assert "Harbour is paused" in text_of(answer)


def test_a_button_leads_to_no_other_site(operator_client: Client, destination: Destination) -> None:
    answer = operator_client.post("/uploads/destinations/main/pause/", {"next": "https://evil.example/"})
    assert answer["Location"] == "/uploads/"


def test_pausing_and_resuming_a_series(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    schedule = put(make_series("Harbour", 2), destination)
    paused = press(operator_client, f"/uploads/series/{schedule.pk}/pause/")
    assert "paused by olga" in text_of(paused)
    refused = press(operator_client, f"/uploads/series/{schedule.pk}/pause/")
    assert refused.status_code == 409
    assert toast_of(refused) == {"text": "Harbour is paused already.", "level": "error"}
    assert press(operator_client, f"/uploads/series/{schedule.pk}/resume/").status_code == 200
    schedule.refresh_from_db()
    assert schedule.paused_at is None


def test_removing_keeps_what_was_published(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    schedule = put(make_series("Harbour", 3), destination)
    first = schedule.uploads.order_by("position").first()
    assert first
    schedule.uploads.filter(pk=first.pk).update(status="completed")
    answer = press(operator_client, f"/uploads/series/{schedule.pk}/remove/")
    assert toast_of(answer)["text"] == "Harbour: 2 episodes removed; what was published stays."
    assert [row.pk for row in ScheduledUpload.objects.all()] == [first.pk]


def test_moving_up_down_and_before(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    a, b, c = (put(make_series(title, 1), destination) for title in ("Ash", "Birch", "Cedar"))

    def order() -> list[int]:
        return list(UploadSchedule.objects.order_by("position").values_list("pk", flat=True))

    press(operator_client, f"/uploads/series/{c.pk}/move/", direction="up")
    assert order() == [a.pk, c.pk, b.pk]
    press(operator_client, f"/uploads/series/{a.pk}/move/", direction="down")
    assert order() == [c.pk, a.pk, b.pk]
    press(operator_client, f"/uploads/series/{b.pk}/move/", before=c.pk)
    assert order() == [b.pk, c.pk, a.pk]
    answer = press(operator_client, f"/uploads/series/{b.pk}/move/", before="")
    assert order() == [c.pk, a.pk, b.pk]
    assert toast_of(answer)["text"] == "Birch is number 3 in the line of Main."


def test_the_policy_can_be_changed_to_what_there_is(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    schedule = put(make_series("Harbour", 1), destination)
    assert press(operator_client, f"/uploads/series/{schedule.pk}/policy/", policy="hold").status_code == 200
    assert press(operator_client, f"/uploads/series/{schedule.pk}/policy/", policy="x").status_code == 409
    schedule.refresh_from_db()
    assert schedule.on_failure == "hold"


def test_retrying_one_and_all(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    put(make_series("Harbour", 2), destination)
    row = failed_row(Series.objects.get(), "Broken.")
    answer = press(operator_client, f"/uploads/episodes/{row.pk}/retry/")
    assert toast_of(answer)["text"] == "Harbour – Episode 1 is tried again."
    assert press(operator_client, f"/uploads/episodes/{row.pk}/retry/").status_code == 409
    nothing = press(operator_client, "/uploads/retry-all/")
    assert toast_of(nothing)["text"] == "Nothing has failed: there is nothing to retry."
    ScheduledUpload.objects.update(status="skipped", is_in_flight=False)
    everything = press(operator_client, "/uploads/retry-all/")
    assert toast_of(everything)["text"] == "2 episodes are tried again."


def test_upload_now_and_cancel(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    schedule = put(make_series("Harbour", 3), destination)
    last = schedule.uploads.get(position=3)
    answer = press(operator_client, f"/uploads/episodes/{last.pk}/now/")
    assert toast_of(answer)["text"] == "Harbour – Episode 3 goes next."
    [started] = hourly.tick(timezone.now())
    assert started.pk == last.pk
    press(operator_client, f"/uploads/episodes/{last.pk}/cancel/")
    last.refresh_from_db()
    assert last.status == Status.SKIPPED


def test_a_row_that_is_gone_is_not_found(operator_client: Client) -> None:
    assert operator_client.get("/uploads/episodes/99/").status_code == 404
    assert press(operator_client, "/uploads/episodes/99999999999999999999/retry/").status_code == 404


def test_pausing_a_destination_for_a_time(operator_client: Client, destination: Destination) -> None:
    before = timezone.now()
    press(operator_client, "/uploads/destinations/main/pause/", span="4h", reason="Audit")
    destination.refresh_from_db()
    assert destination.paused_until
    assert timedelta(hours=4) <= destination.paused_until - before < timedelta(hours=4, minutes=1)
    assert (destination.paused_reason, destination.paused_by) == ("Audit", "olga")
    press(operator_client, "/uploads/destinations/main/resume/")
    destination.refresh_from_db()
    assert destination.paused_at is None


@pytest.mark.parametrize(
    ("until", "sentence"),
    [
        ("", "Give the time until which to pause"),
        ("tomorrow", "Give the time until which to pause"),
        ("2026-99-99T10:00", "Give the time until which to pause"),
        ("2020-01-01T10:00", "That time is past."),
    ],
)
def test_an_odd_end_of_a_pause_is_refused(
    operator_client: Client, destination: Destination, until: str, sentence: str
) -> None:
    answer = press(operator_client, "/uploads/destinations/main/pause/", span="until", until=until)
    assert answer.status_code == 409
    assert toast_of(answer)["text"].startswith(sentence)


def test_testing_a_connection_tells_the_answer(
    operator_client: Client, destination: Destination, platform: Sandbox
) -> None:
    good = press(operator_client, "/uploads/destinations/main/test/")
    assert toast_of(good)["text"].startswith("Main: signed in as ")
    Destination.objects.update(api_secret="wrong")
    cache.clear()
    bad = press(operator_client, "/uploads/destinations/main/test/")
    assert bad.status_code == 409
    assert toast_of(bad)["level"] == "error"
    assert "Failing" in text_of(bad)


# -------------------------------------------------------------------- control room


def test_the_control_room_tells_what_happened(
    viewer_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    put(make_series("Harbour", 2), destination)
    destination.pause(who="nina", now=timezone.now(), why="Audit")
    words = text_of(viewer_client.get("/"))
    assert "Main paused by nina : Audit" in words
    assert "Harbour put on the schedule by olga : 2 episodes" in words
    assert "Scheduler not running" in words
    parts = viewer_client.get("/", {"parts": "health,events"}, headers=LIVE).content.decode()
    assert re.findall(r'id="part-(\w+)"', parts) == ["health", "events"]


@pytest.mark.django_db
def test_an_unknown_page_says_so(operator_client: Client) -> None:
    answer = operator_client.get("/nowhere/")
    assert answer.status_code == 404
    assert "There is nothing here" in text_of(answer)
