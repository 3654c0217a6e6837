"""The four endpoints of seed 000, over HTTP, exactly as it gives them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from jobs import ticker, workers
from jobs.throttling import Throttle
from schedules import decisions, hourly, queue_status, scheduling
from schedules.upload_schedules import ScheduledUpload
from uploader.catalog import Series
from uploader.destinations import Destination

MakeSeries = Callable[..., Series]
URL = "/api/upload/schedule"


def post(client: Client, body: Any) -> Any:
    return client.post(URL, body, content_type="application/json")


def test_post_schedules_every_episode_and_says_when_it_starts(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    series = make_series("Harbour", 3)
    answer = post(operator_client, {"seriesId": series.pk})
    assert answer.status_code == 200
    start = answer.json()["scheduleStartTime"]
    assert answer.json() == {
        "success": True,
        "message": "Scheduled 3 episodes for upload",
        "seriesTitle": "Harbour",
        "episodesScheduled": 3,
        "scheduleStartTime": start,
    }
    assert start.endswith(":00:00.000Z")


@pytest.mark.parametrize(
    "body", [{}, {"seriesId": None}, {"seriesId": "x"}, {"seriesId": True}, {"seriesId": -1}, [], 7]
)
def test_post_without_a_series_id_is_refused(operator_client: Client, body: Any) -> None:
    answer = post(operator_client, body)
    assert (answer.status_code, answer.json()["error"]) == (400, "Series ID required")
    assert answer.json()["success"] is False


def test_post_of_malformed_json_is_refused_with_a_sentence(operator_client: Client) -> None:
    answer = post(operator_client, "{seriesId:")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_body_nested_without_end_is_refused_as_malformed(operator_client: Client) -> None:
    answer = post(operator_client, "[" * 100_000)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_body_that_is_too_large_is_refused_as_such(operator_client: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = post(operator_client, {"seriesId": 1, "note": "a" * 1000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["error"] == "The body of the request is too large."


@pytest.mark.parametrize("name", ["nobody", "a\0b", "\ud800", "🎬", "x" * 10_000, ["main"]])
def test_a_destination_that_cannot_be_is_refused_by_its_name(
    operator_client: Client, make_series: MakeSeries, destination: Destination, name: Any
) -> None:
    answer = post(operator_client, {"seriesId": make_series("Harbour", 1).pk, "destination": name})
    assert (answer.status_code, answer.json()["code"]) == (400, "no_destination")
    assert answer.json()["error"].startswith("There is no destination “")
    assert len(answer.json()["error"]) < 200


def test_a_format_that_is_not_spoken_is_not_found(operator_client: Client) -> None:
    answer = operator_client.get(f"{URL}?format=xml")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("series_id", [999, 2**63, 10**30])
def test_post_of_an_unknown_series_is_404(
    operator_client: Client, destination: Destination, series_id: int
) -> None:
    answer = post(operator_client, {"seriesId": series_id})
    assert answer.status_code in (400, 404)
    assert answer.json()["success"] is False


def test_post_of_a_series_with_missing_files_is_refused_with_the_list(
    operator_client: Client, make_series: MakeSeries, destination: Destination, library: Path
) -> None:
    series = make_series("Harbour", 2)
    (library / "harbour" / "02.mp4").unlink()
    answer = post(operator_client, {"seriesId": series.pk})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Not all episodes of Harbour are downloaded")
    assert [item["episodeId"] for item in answer.json()["missing"]] == [
        series.episodes.get(index_sequence=2).pk
    ]
    assert not ScheduledUpload.objects.exists()


def test_post_twice_schedules_once(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    series = make_series("Harbour", 2)
    post(operator_client, {"seriesId": series.pk})
    answer = post(operator_client, {"seriesId": series.pk})
    assert (answer.status_code, answer.json()["code"]) == (409, "already_scheduled")
    assert ScheduledUpload.objects.count() == 2


def test_post_without_any_destination_says_what_to_do(
    operator_client: Client, make_series: MakeSeries
) -> None:
    answer = post(operator_client, {"seriesId": make_series("Harbour", 1).pk})
    assert (answer.status_code, answer.json()["code"]) == (400, "no_destination")


def test_an_unexpected_error_answers_500_in_the_api_s_words(
    operator_client: Client, make_series: MakeSeries, destination: Destination, library: Path, settings: Any
) -> None:
    series = make_series("Harbour", 1)
    settings.TIME_ZONE = "Nowhere/Land"
    operator_client.raise_request_exception = False
    answer = post(operator_client, {"seriesId": series.pk})
    assert (answer.status_code, answer.json()["code"]) == (500, "server_error")


def test_get_gives_counts_and_every_series(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    harbour, train = make_series("Harbour", 2), make_series("Train", 1)
    for series in (harbour, train):
        scheduling.schedule_series(series, destination, who="olga", now=timezone.now())
    schedule = operator_client.get(URL).json()["schedule"]
    by_series = schedule.pop("bySeries")
    assert schedule == {"total": 3, "pending": 3, "uploading": 0, "completed": 0, "failed": 0, "skipped": 0}
    assert [(row["seriesId"], row["seriesTitle"], len(row["episodes"])) for row in by_series] == [
        (harbour.pk, "Harbour", 2),
        (train.pk, "Train", 1),
    ]
    assert by_series[0]["episodes"][0]["status"] == "pending"


def test_get_can_be_filtered_by_series(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    harbour, train = make_series("Harbour", 2), make_series("Train", 1)
    for series in (harbour, train):
        scheduling.schedule_series(series, destination, who="olga", now=timezone.now())
    schedule = operator_client.get(URL, {"seriesId": train.pk}).json()["schedule"]
    assert (schedule["total"], [row["seriesTitle"] for row in schedule["bySeries"]]) == (1, ["Train"])
    assert operator_client.get(URL, {"seriesId": "x"}).status_code == 400


def test_delete_removes_what_waits(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    series = make_series("Harbour", 3)
    scheduling.schedule_series(series, destination, who="olga", now=timezone.now())
    answer = operator_client.delete(f"{URL}/{series.pk}")
    assert answer.json() == {"success": True, "message": "Removed 3 scheduled uploads"}
    assert operator_client.delete(f"{URL}/{series.pk}").json()["message"] == "Removed 0 scheduled uploads"
    assert operator_client.delete(f"{URL}/999").status_code == 404
    assert operator_client.delete(f"{URL}/{10**30}").status_code == 404


def test_status_says_whether_the_scheduler_runs_and_what_it_uploads(
    operator_client: Client, make_series: MakeSeries, destination: Destination
) -> None:
    url = "/api/upload/scheduler/status"
    assert operator_client.get(url).json() == {
        "success": True,
        "status": {"isRunning": False, "currentUpload": None},
    }
    workers.beat(ticker.LANE, timezone.now())
    series = make_series("Harbour", 1)
    [row] = scheduling.schedule_series(series, destination, who="olga", now=timezone.now())
    decisions.upload_now(row, who="olga", now=timezone.now())
    hourly.tick(timezone.now())
    assert operator_client.get(url).json()["status"] == {
        "isRunning": True,
        "currentUpload": {"seriesTitle": "Harbour", "episodeIndex": 1, "episodeId": row.episode_id},
    }


# -------------------------------------------------------------------- who may


def test_a_stranger_is_refused(client: Client) -> None:
    answer = client.get(URL)
    assert answer.status_code == 401
    assert answer.json() == {
        "success": False,
        "error": "Authentication credentials were not provided.",
        "code": "not_authenticated",
    }


def test_a_user_who_is_not_staff_is_refused(client: Client, db: None) -> None:
    client.force_login(
        User.objects.create_user("nobody"), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.get(URL).status_code == 403


def test_a_viewer_may_look_and_not_touch(viewer_client: Client, make_series: MakeSeries) -> None:
    series = make_series("Harbour", 1)
    assert viewer_client.get(URL).status_code == 200
    answer = post(viewer_client, {"seriesId": series.pk})
    assert (answer.status_code, answer.json()["error"]) == (
        403,
        "You may look here, but not change anything.",
    )
    assert viewer_client.delete(f"{URL}/{series.pk}").status_code == 403


def test_a_token_signs_in_a_program(operator: User, client: Client) -> None:
    _, token = AuthToken.objects.create(operator)
    assert client.get(URL, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert client.get(URL, headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_a_session_needs_the_csrf_token_to_change_something(operator: User, make_series: MakeSeries) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    assert post(client, {"seriesId": make_series("Harbour", 1).pk}).status_code == 403


def test_the_openapi_document_names_the_four_endpoints(operator_client: Client) -> None:
    paths = operator_client.get("/api/openapi.json").json()["paths"]
    assert set(paths["/api/upload/schedule"]) == {"post", "get"}
    assert set(paths["/api/upload/schedule/{series_id}"]) == {"delete"}
    assert set(paths["/api/upload/scheduler/status"]) == {"get"}
    assert operator_client.get("/api/docs").status_code == 200


def test_the_openapi_document_names_every_refusal(operator_client: Client) -> None:
    paths = operator_client.get("/api/openapi.json").json()["paths"]
    answers = {
        operation["operationId"]: set(operation["responses"])
        for path in (
            "/api/upload/schedule",
            "/api/upload/schedule/{series_id}",
            "/api/upload/scheduler/status",
        )
        for operation in paths[path].values()
    }
    everywhere = {"200", "401", "403", "429"}
    assert answers == {
        "schedule_series": everywhere | {"400", "404", "409", "413", "415"},
        "upload_schedule": everywhere | {"400"},
        "unschedule_series": everywhere | {"404"},
        "scheduler_status": everywhere,
    }


def test_a_browser_that_asks_for_the_documentation_is_sent_to_sign_in(client: Client) -> None:
    answer = client.get("/api/docs")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/api/docs")


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device")])
def test_requests_are_answered_while_they_cannot_be_counted(
    operator_client: Client, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    class Away:
        def get(self, *_: Any) -> None:
            raise fault

    monkeypatch.setattr(Throttle, "cache", Away())
    assert operator_client.get(URL).status_code == 200


def test_a_database_that_does_not_work_is_named_and_asked_again_later(
    operator_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(queue_status, "schedule", full)
    answer = operator_client.get(URL)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["error"] == "The database does not answer. Try again in a while."


def test_a_foreign_host_is_refused_in_the_api_s_words(operator_client: Client) -> None:
    answer = operator_client.get(URL, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_whoever_asks_too_often_is_told_when_to_come_back(
    operator: User, operator_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.delete(f"throttle_user_{operator.pk}")
    monkeypatch.setattr(Throttle, "THROTTLE_RATES", {"user": "2/min"})
    answers = [operator_client.get(URL) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["code"] == "throttled"
    assert 0 < int(answers[-1]["Retry-After"]) <= 60


def test_an_unknown_address_of_the_api_answers_in_the_api_s_words(operator_client: Client) -> None:
    answer = operator_client.get("/api/nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
