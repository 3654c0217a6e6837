"""The eight endpoints of seed 001, over HTTP, exactly as it gives them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from jobs.events import Event, history_of
from jobs.lifecycle import Status
from tests.conftest import NOW
from tests.uploader.manager.rows import account, episode, failed, film, held, upload
from uploader.upload_jobs import UploadJob, delivered

pytestmark = pytest.mark.django_db
URL = "/v1/studio/upload-jobs"
# Every column of the requirement's model, by its name.
COLUMNS = {
    "id", "jobId", "queueName", "jobType", "status", "progress", "resourceType", "resourceId", "resourceName",
    "filename", "uploadType", "contentType", "label", "hlsDir", "masterPlaylistPath", "subtitlePath",
    "uploadPath", "initialMetadata", "subtitleMetadata", "subtitleLanguages", "bucketName", "clientId",
    "canCancel", "cancelledAt", "failedReason", "errorMessage", "filmId", "episodeId", "seasonId", "createdAt",
    "updatedAt",
}  # fmt: skip


def get(client: Client, **query: Any) -> Any:
    return client.get(URL, query).json()


def post(client: Client, what: str, body: Any = None) -> Any:
    return client.post(f"{URL}/{what}", body or {}, content_type="application/json")


def ids(answer: Any) -> list[int]:
    return [row["jobId"] for row in answer["jobs"]]


def fresh(job: UploadJob) -> UploadJob:
    return UploadJob.objects.get(pk=job.pk)


# -------------------------------------------------------------------- the list


def test_the_list_has_every_column_of_the_requirement(operator_client: Client) -> None:
    job = failed(episode(7, season=2), "The platform said no.")
    answer = get(operator_client)
    (row,) = answer["jobs"]
    assert set(row) >= COLUMNS
    assert (row["id"], row["jobId"], row["status"]) == (job.pk, job.pk, "failed")
    assert (row["resourceType"], row["resourceId"], row["seasonId"]) == (
        "episode", job.episode_id, episode(7).season_id,
    )  # fmt: skip
    assert (row["uploadType"], row["jobType"], row["filename"]) == ("video", "upload-video", "7.mp4")
    assert (row["failedReason"], row["errorMessage"]) == ("Rejected", "The platform said no.")
    assert (row["canCancel"], row["cancelledAt"], row["createdAt"]) == (
        False,
        None,
        "2026-03-02T10:30:00.000Z",
    )


def test_the_list_comes_with_the_statistics_of_each_state(operator_client: Client) -> None:
    for number, status in enumerate(["waiting", "active", "active", "completed", "failed", "cancelled"]):
        upload(episode(number + 1), status)
    expected = {"total": 6, "waiting": 1, "active": 2, "completed": 1, "failed": 1, "cancelled": 1}
    assert get(operator_client)["statistics"] == expected
    assert get(operator_client, status="failed")["statistics"] == expected


@pytest.mark.parametrize("status", Status.values)
def test_the_list_can_be_filtered_by_status(operator_client: Client, status: str) -> None:
    jobs = {each: upload(episode(number + 1), each) for number, each in enumerate(Status.values)}
    assert ids(get(operator_client, status=status)) == [jobs[status].pk]


def test_the_list_can_be_filtered_by_resource_type(operator_client: Client) -> None:
    of_film, of_episode = upload(film()), upload(episode())
    assert ids(get(operator_client, type="film")) == [of_film.pk]
    assert ids(get(operator_client, type="episode")) == [of_episode.pk]


def test_the_list_can_be_filtered_by_what_where_why_and_when(operator_client: Client) -> None:
    first = failed(film("Tide"))
    media = upload(None, upload_type="media", library_path="a.mp4", media_name="a-1")
    later = upload(episode(), destination=account("other"), created_at=NOW + timedelta(days=3))
    assert ids(get(operator_client, uploadType="media")) == [media.pk]
    assert ids(get(operator_client, contentType="video")) == [later.pk, media.pk, first.pk]
    assert ids(get(operator_client, contentType="playlist")) == []
    assert ids(get(operator_client, destination="other")) == [later.pk]
    assert ids(get(operator_client, errorKind="rejected")) == [first.pk]
    assert ids(get(operator_client, to="2026-03-02")) == [media.pk, first.pk]
    assert ids(get(operator_client, **{"from": "2026-03-05T00:00:00+00:00"})) == [later.pk]
    assert ids(get(operator_client, search="tide")) == [first.pk]
    assert ids(get(operator_client, search="harb")) == [later.pk]
    assert ids(get(operator_client, search=f"{media.pk}")) == [media.pk]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "done"},
        {"type": "song"},
        {"limit": "0"},
        {"limit": "201"},
        {"before": "x"},
        {"from": "soon"},
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_with_a_sentence(
    operator_client: Client, query: dict[str, str]
) -> None:
    answer = operator_client.get(URL, query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_filter")
    assert answer.json()["error"].split()[0] in query


def test_the_list_comes_in_pages(operator_client: Client) -> None:
    jobs = [upload(episode(number)).pk for number in range(1, 6)]
    first = get(operator_client, limit=2)
    assert (ids(first), first["pagination"]) == (
        [jobs[4], jobs[3]], {"limit": 2, "matching": 5, "isCapped": False, "next": jobs[3]},
    )  # fmt: skip
    second = get(operator_client, limit=2, before=first["pagination"]["next"])
    third = get(operator_client, limit=2, before=second["pagination"]["next"])
    assert ids(second) + ids(third) == [jobs[2], jobs[1], jobs[0]]
    assert third["pagination"]["next"] is None


def test_the_list_takes_the_same_queries_however_long_it_is(
    operator_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(1, 9):
        upload(episode(number, season=1))
    get(operator_client)
    with django_assert_max_num_queries(12):
        assert len(get(operator_client)["jobs"]) == 8


# -------------------------------------------------------------------- retry


def test_retry_queues_the_job_again_under_a_fresh_client_id_and_keeps_the_rest(
    operator_client: Client,
) -> None:
    job = failed(episode(), description="About it", bytes_total=1000)
    before = get(operator_client)["jobs"][0]
    answer = post(operator_client, f"{job.pk}/retry")
    assert answer.status_code == 200
    row = answer.json()["job"]
    assert answer.json()["message"] == f"Upload job {job.pk} is queued again"
    assert (row["status"], row["failedReason"]) == ("waiting", None)
    kept = COLUMNS - {
        "status",
        "progress",
        "canCancel",
        "failedReason",
        "updatedAt",
        "clientId",
        "errorMessage",
    }
    assert {name: row[name] for name in kept} == {name: before[name] for name in kept}
    assert row["clientId"] and row["clientId"] != before["clientId"]
    assert [event.type for event in history_of(job)] == ["claimed", "failed", "retried"]


@pytest.mark.parametrize("status", ["waiting", "active", "completed", "cancelled"])
def test_retry_of_what_has_not_failed_is_refused(operator_client: Client, status: str) -> None:
    job = upload(episode(), status)
    answer = post(operator_client, f"{job.pk}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert answer.json()["error"] == (
        f"Upload job {job.pk} was left as it is: it is {status}, and only a failed job is retried."
    )
    assert fresh(job).status == status


# -------------------------------------------------------------------- cancel


def test_cancel_stops_a_waiting_job_at_once_and_asks_the_worker_of_an_active_one(
    operator_client: Client,
) -> None:
    waiting, active = upload(episode(1)), held(upload(episode(2)))
    row = post(operator_client, f"{waiting.pk}/cancel").json()["job"]
    assert row["status"] == "cancelled" and row["cancelledAt"]
    row = post(operator_client, f"{active.pk}/cancel").json()["job"]
    assert (row["status"], row["cancelRequested"], row["canCancel"]) == ("active", True, False)
    assert post(operator_client, f"{waiting.pk}/cancel").status_code == 409


# -------------------------------------------------------------------- delete and clear


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_delete_takes_a_job_that_has_ended_off_every_list(operator_client: Client, status: str) -> None:
    job = upload(episode(), status)
    answer = operator_client.delete(f"{URL}/{job.pk}")
    assert answer.json() == {"success": True, "message": f"Upload job {job.pk} is deleted"}
    after = get(operator_client)
    assert (ids(after), after["statistics"]["total"]) == ([], 0)
    assert operator_client.delete(f"{URL}/{job.pk}").status_code == 404
    assert post(operator_client, f"{job.pk}/retry").status_code == 404


def test_delete_of_what_still_runs_is_refused(operator_client: Client) -> None:
    job = upload(episode())
    answer = operator_client.delete(f"{URL}/{job.pk}")
    assert (answer.status_code, "cancel it first" in answer.json()["error"]) == (409, True)
    assert ids(get(operator_client)) == [job.pk]


def test_a_deleted_job_still_proves_what_was_delivered(operator_client: Client) -> None:
    job = upload(episode(), "completed", remote_id="x1")
    operator_client.delete(f"{URL}/{job.pk}")
    assert delivered(episode(), account()) == job


@pytest.mark.parametrize(
    ("which", "left"),
    [
        ("completed", {"waiting", "active", "failed", "cancelled"}),
        ("failed", {"waiting", "active", "completed", "cancelled"}),
        ("cancelled", {"waiting", "active", "completed", "failed"}),
        ("all", {"waiting", "active"}),
    ],
)
def test_clear_takes_what_ended_as_asked(operator_client: Client, which: str, left: set[str]) -> None:
    for number, status in enumerate(Status.values):
        upload(episode(number + 1), status)
    answer = post(operator_client, "clear", {"status": which})
    assert answer.json()["cleared"] == 5 - len(left)
    word = "finished" if which == "all" else which
    count = 5 - len(left)
    assert answer.json()["message"] == f"Cleared {count} {word} upload job{'s' if count > 1 else ''}"
    assert {row["status"] for row in get(operator_client)["jobs"]} == left
    assert Event.objects.filter(type="cleared", who="olga").count() == count


@pytest.mark.parametrize("body", [{}, {"status": "waiting"}, {"status": ["all"]}, []])
def test_clear_of_something_else_is_refused(operator_client: Client, body: Any) -> None:
    upload(episode(), "completed")
    answer = operator_client.post(f"{URL}/clear", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_status")
    assert len(get(operator_client)["jobs"]) == 1


# -------------------------------------------------------------------- sync and fix-stuck


def test_sync_takes_a_job_back_whose_worker_is_gone(operator_client: Client) -> None:
    job = held(upload(episode()), now=timezone.now() - timedelta(hours=1))
    answer = post(operator_client, f"{job.pk}/sync").json()
    assert answer["job"]["status"] == "waiting"
    assert "was stuck" in answer["message"]
    assert fresh(job).leased_by == ""


def test_sync_leaves_a_job_alone_that_a_worker_is_at(operator_client: Client) -> None:
    job = held(upload(episode()), now=timezone.now())
    answer = post(operator_client, f"{job.pk}/sync").json()
    assert (answer["job"]["status"], "is in step" in answer["message"]) == ("active", True)


def test_sync_tells_the_workers_of_a_due_job_again(
    operator_client: Client, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[str] = []
    monkeypatch.setattr("jobs.runner.enqueue", told.append)
    job = upload(episode())
    with django_capture_on_commit_callbacks(execute=True):
        answer = post(operator_client, f"{job.pk}/sync").json()
    assert (told, answer["job"]["status"]) == (["upload"], "waiting")


def test_fix_stuck_finds_stuck_and_orphaned_jobs_and_no_others(operator_client: Client) -> None:
    long_ago = timezone.now() - timedelta(hours=2)
    stuck = held(upload(episode(1)), now=long_ago)
    without_lease = upload(episode(2), "active", started_at=long_ago)
    orphaned = upload(None, title="Gone")
    healthy, waiting = held(upload(episode(3)), now=timezone.now()), upload(episode(4))
    media = upload(None, upload_type="media", library_path="a.mp4", media_name="a-1")
    answer = post(operator_client, "fix-stuck").json()
    assert (answer["success"], answer["fixed"], answer["message"]) == (True, 3, "Fixed 3 stuck upload jobs")
    assert {row["jobId"]: row["status"] for row in answer["jobs"]} == {
        stuck.pk: "waiting", without_lease.pk: "waiting", orphaned.pk: "cancelled",
    }  # fmt: skip
    assert (fresh(healthy).status, fresh(waiting).status, fresh(media).status) == (
        "active",
        "waiting",
        "waiting",
    )
    assert post(operator_client, "fix-stuck").json()["fixed"] == 0


# -------------------------------------------------------------------- cleanup


def test_cleanup_of_what_did_not_fail_is_refused(operator_client: Client) -> None:
    job = upload(episode(), "completed")
    assert post(operator_client, f"{job.pk}/cleanup").status_code == 409


def test_cleanup_never_touches_the_video_itself(operator_client: Client, library: Path) -> None:
    video = library / "Harbour" / "1.mp4"
    video.parent.mkdir()
    video.write_bytes(b"film")
    job = failed(episode(), progress=40, bytes_sent=400)
    answer = post(operator_client, f"{job.pk}/cleanup").json()
    assert answer["message"] == f"Upload job {job.pk} had no temporary files left"
    assert (answer["job"]["progress"], answer["job"]["bytesSent"], answer["job"]["status"]) == (
        0,
        0,
        "failed",
    )
    assert video.read_bytes() == b"film"


# -------------------------------------------------------------------- who may


@pytest.mark.parametrize("what", ["1/retry", "1/cancel", "1/cleanup", "1/sync", "clear", "fix-stuck"])
def test_a_viewer_may_look_but_not_touch(viewer_client: Client, what: str) -> None:
    upload(episode())
    assert len(get(viewer_client)["jobs"]) == 1
    assert post(viewer_client, what).status_code == 403
    assert viewer_client.delete(f"{URL}/1").status_code == 403


def test_a_stranger_is_refused_and_a_token_is_taken(client: Client, operator: User) -> None:
    assert (client.get(URL).status_code, client.get(URL).json()["code"]) == (401, "not_authenticated")
    _, token = AuthToken.objects.create(operator)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get(URL, headers=headers).status_code == 200
    assert client.post(f"{URL}/fix-stuck", headers=headers).json()["fixed"] == 0


def test_a_session_needs_the_csrf_token_to_change_something(operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    assert post(client, "fix-stuck").status_code == 403


@pytest.mark.parametrize("job_id", ["999", "x", "0", f"{2**63}", f"{10**30}", "%00"])
def test_a_job_that_is_not_there_is_404(operator_client: Client, job_id: str) -> None:
    for what in ("retry", "cancel", "cleanup", "sync"):
        answer = post(operator_client, f"{job_id}/{what}")
        assert (answer.status_code, answer.json()["code"]) == (404, "upload_job_not_found")
    assert operator_client.delete(f"{URL}/{job_id}").status_code == 404


def test_the_openapi_document_names_the_eight_endpoints(operator_client: Client) -> None:
    paths = operator_client.get("/api/openapi.json").json()["paths"]
    found = {
        (path.removeprefix(URL), method)
        for path, way in paths.items()
        for method in way
        if path.startswith(URL)
    }
    assert found == {
        ("", "get"), ("/{job_id}", "delete"), ("/clear", "post"), ("/fix-stuck", "post"),
        ("/{job_id}/retry", "post"), ("/{job_id}/cancel", "post"), ("/{job_id}/cleanup", "post"),
        ("/{job_id}/sync", "post"),
    }  # fmt: skip
