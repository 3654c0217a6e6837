"""The HTTP API: what external scripts report, and who may do what."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from jobs import recovery
from jobs.events import Event, history_of
from jobs.pipeline import deciding, totals
from jobs.pipeline.ids import new_id
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from jobs.pipeline.tokens import PipelineToken, digest_of
from tests.conftest import person
from tests.jobs.pipeline.external import URL, Script
from tests.jobs.pipeline.rows import the_job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> None:
    cache.clear()


@pytest.fixture
def script(db: None) -> Script:
    return Script("crawler")


# -------------------------------------------------------------------- reporting


def test_a_script_announces_begins_and_ends_its_run(script: Script) -> None:
    work = Work.objects.create(title="Harbour", source=Source.objects.create(name="Fixture"))
    answer = script.post(
        jobType="scrape",
        input={"scriptType": "my-crawler", "url": "https://example.com/"},
        workId=str(work.pk),
    )
    assert answer.status_code == 201
    job = answer.json()
    assert job == {
        "id": str(the_job().pk), "jobType": "scrape", "script": "my-crawler", "status": "queued",
        "input": {"scriptType": "my-crawler", "url": "https://example.com/"}, "output": None, "attempt": 0,
        "error": None, "progress": 0, "stage": "", "sourceId": None, "workId": str(work.pk), "editionId": None,
        "segmentId": None, "createdAt": job["createdAt"], "startedAt": None, "finishedAt": None,
        "cancelRequested": False, "leaseSeconds": settings.LEASE_SECONDS,
    }  # fmt: skip
    assert job["createdAt"].endswith("Z")
    running = script.patch(job["id"], status="running").json()
    assert (running["status"], running["attempt"]) == ("running", 1)
    assert running["startedAt"]
    moving = script.patch(job["id"], progress=40, stage="reading").json()
    assert (moving["progress"], moving["stage"], moving["status"]) == (40, "reading", "running")
    done = script.patch(job["id"], status="success", output={"total": 3, "success": 3, "failed": 0}).json()
    assert (done["status"], done["progress"], done["output"]) == (
        "success", 100, {"total": 3, "success": 3, "failed": 0},
    )  # fmt: skip
    assert done["finishedAt"]
    assert [event.new for event in history_of(the_job())] == ["queued", "running", "success"]
    assert (the_job().run_by, the_job().reporter) == ("external", script.row)


def test_a_failure_is_kept_with_its_words_and_without_secrets(script: Script) -> None:
    job = script.begin()
    failed = script.patch(
        job["id"], status="failed", error="403 from https://x.example/?token=hunter2\0"
    ).json()
    assert (failed["status"], failed["error"]) == ("failed", "403 from https://x.example/?token=***")
    again = script.patch(job["id"], status="running").json()
    assert (again["status"], again["attempt"], again["output"]) == ("running", 2, None)


def test_one_that_could_not_begin_is_failed_or_cancelled(script: Script) -> None:
    for status in ("failed", "cancelled"):
        job = script.post(jobType="scrape").json()
        assert script.patch(job["id"], status=status, error="No network").json()["status"] == status


def test_an_empty_report_renews_the_lease(script: Script) -> None:
    job = script.begin()
    PipelineJob.objects.update(leased_until=timezone.now() + timedelta(seconds=1))
    script.patch(job["id"])
    assert the_job().leased_until > timezone.now() + timedelta(seconds=settings.LEASE_SECONDS - 20)


def test_a_script_that_stops_reporting_is_given_up_and_cannot_overwrite_that(script: Script) -> None:
    job = script.begin()
    recovery.recover(timezone.now() + timedelta(seconds=settings.LEASE_SECONDS + 1))
    assert (the_job().status, the_job().error_kind) == ("failed", "lost_worker")
    assert "external:crawler" in the_job().error
    answer = script.patch(job["id"], status="success")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert the_job().status == "failed"


def test_a_report_of_an_attempt_that_is_over_is_refused(script: Script) -> None:
    job = script.begin()
    script.patch(job["id"], status="failed")
    script.patch(job["id"], status="running")
    answer = script.patch(job["id"], status="success", attempt=1)
    assert (answer.status_code, answer.json()["error"]) == (
        409, "This is attempt 2 of the job; attempt 1 is over.",
    )  # fmt: skip
    assert script.patch(job["id"], status="success", attempt=2).status_code == 200


def test_reports_that_come_twice_change_nothing(script: Script) -> None:
    chosen = str(new_id())
    assert script.post(jobType="scrape", id=chosen, status="running").status_code == 201
    again = script.post(jobType="scrape", id=chosen, status="running")
    assert (again.status_code, again.json()["id"], again.json()["attempt"]) == (200, chosen, 1)
    for _ in range(2):
        assert script.patch(chosen, status="running").json()["attempt"] == 1
    for _ in range(2):
        assert script.patch(chosen, status="success", output={"total": 1}).status_code == 200
    assert [event.new for event in history_of(the_job())] == ["queued", "running", "success"]


@pytest.mark.parametrize(
    "more", [{"progress": 50}, {"stage": "late"}, {"log": ["still here"]}, {"output": {}}]
)
def test_of_a_job_that_ended_nothing_more_is_reported(script: Script, more: dict[str, Any]) -> None:
    job = script.begin()
    script.patch(job["id"], status="failed", error="No network")
    refused = script.patch(job["id"], **more)
    assert (refused.status_code, refused.json()["error"]) == (409, "The job is failed.")
    assert script.patch(job["id"]).json()["status"] == "failed", "a heartbeat that is late does no harm"
    assert not history_of(the_job()).filter(type="log").exists()


@pytest.mark.parametrize(
    "chosen",
    [
        "9f1b7a52-4c1e-4d8f-a1b2-0c9d8e7f6a5b",
        "01890000-0000-7000-8000-000000000000",
        "ffffffff-ffff-7000-8000-000000000000",
        "7",
    ],
)  # fmt: skip
def test_an_id_that_would_stand_out_of_its_place_in_lists_is_refused(script: Script, chosen: str) -> None:
    answer = script.post(jobType="scrape", id=chosen)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert not PipelineJob.objects.exists()


def test_an_id_that_is_somebody_else_s_is_refused(script: Script) -> None:
    job = script.begin()
    other = Script("other")
    assert other.post(jobType="scrape", id=job["id"]).status_code == 409
    assert other.patch(job["id"], status="failed").status_code == 404
    assert other.get(f"/{job['id']}").status_code == 404
    assert other.get().json()["jobs"] == []
    assert [each["id"] for each in script.get().json()["jobs"]] == [job["id"]]


@pytest.mark.parametrize(
    ("status", "to"),
    [
        ("queued", "success"),
        ("running", "queued"),
        ("success", "running"),
        ("success", "failed"),
        ("failed", "success"),
    ],
)  # fmt: skip
def test_any_other_way_is_refused(script: Script, status: str, to: str) -> None:
    job = script.post(jobType="scrape").json()
    for step in {"queued": [], "running": ["running"]}.get(status, ["running", status]):
        script.patch(job["id"], status=step)
    answer = script.patch(job["id"], status=to)
    assert (answer.status_code, answer.json()["success"]) == (409, False)
    assert the_job().status == status


def test_the_answer_says_when_to_stop(script: Script) -> None:
    job = script.begin()
    deciding.cancel(the_job(), who="olga", now=timezone.now())
    assert script.patch(job["id"], progress=10).json()["cancelRequested"] is True
    assert script.patch(job["id"], status="cancelled").json()["status"] == "cancelled"


def test_links_and_lines_are_reported_later(script: Script) -> None:
    job = script.begin()
    work = Work.objects.create(title="Harbour")
    edition = Edition.objects.create(work=work)
    segment = Segment.objects.create(edition=edition, number=1)
    answer = script.patch(
        job["id"],
        workId=str(work.pk),
        editionId=str(edition.pk),
        segmentId=str(segment.pk),
        log=["One", "Two"],
    ).json()
    assert (answer["workId"], answer["editionId"], answer["segmentId"]) == (
        str(work.pk), str(edition.pk), str(segment.pk),
    )  # fmt: skip
    assert [event.why for event in history_of(the_job()) if event.type == "log"] == ["One", "Two"]
    assert script.patch(job["id"], workId=None).json()["workId"] is None


@pytest.mark.parametrize(
    "body",
    [
        {}, {"jobType": "bake"}, {"jobType": "scrape", "input": [1]}, {"jobType": "scrape", "workId": "x"},
        {"jobType": "scrape", "workId": "00000000-0000-4000-8000-000000000000"}, {"jobType": "scrape", "id": "7"},
        {"jobType": "scrape", "status": "success"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_sentence(script: Script, body: dict[str, Any]) -> None:
    answer = script.post(**body)
    assert (answer.status_code, answer.json()["success"], answer.json()["code"]) == (400, False, "invalid")
    assert not PipelineJob.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"progress": 101},
        {"progress": -1},
        {"status": "done"},
        {"output": 7},
        {"log": "a"},
        {"stage": "x" * 33},
    ],
)
def test_a_report_that_makes_no_sense_changes_nothing(script: Script, body: dict[str, Any]) -> None:
    job = script.begin()
    assert script.patch(job["id"], **body).status_code == 400
    assert (the_job().status, the_job().progress, the_job().output) == ("running", 0, None)


def test_a_job_that_our_workers_run_is_not_reported(operator_client: Client, handled: list[str]) -> None:
    job = operator_client.post(
        URL, {"jobType": "scrape", "run": True}, content_type="application/json"
    ).json()
    answer = operator_client.patch(
        f"{URL}/{job['id']}", {"status": "running"}, content_type="application/json"
    )
    assert answer.status_code == 409


def test_pages_hear_of_reports(script: Script) -> None:
    job = script.begin()
    script.patch(job["id"], progress=50)
    script.patch(job["id"])
    script.patch(job["id"], status="success")
    told = Event.objects.filter(topic="pipeline").order_by("id")
    assert [(each.data["status"], each.data["progress"]) for each in told] == [
        ("queued", 0), ("running", 0), ("running", 50), ("success", 100),
    ]  # fmt: skip


# -------------------------------------------------------------------- starting, listing, statistics


def test_staff_have_our_workers_run_a_job_and_what_follows(
    operator_client: Client, handled: list[str]
) -> None:
    first = operator_client.post(URL, {"jobType": "scrape", "run": True}, content_type="application/json")
    assert first.status_code == 201
    second = operator_client.post(
        URL,
        {"jobType": "clean", "run": True, "needs": [first.json()["id"]], "priority": 4},
        content_type="application/json",
    ).json()
    job = PipelineJob.objects.get(pk=second["id"])
    assert (job.run_by, job.open_needs, job.priority) == ("worker", 1, 4)


@pytest.mark.parametrize(
    "body",
    [{"jobType": "sync_assets"}, {"jobType": "clean", "needs": ["00000000-0000-4000-8000-000000000000"]}],
)
def test_what_cannot_be_started_is_refused(
    operator_client: Client, handled: list[str], body: dict[str, Any]
) -> None:
    answer = operator_client.post(URL, {"run": True, **body}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "refused")


def test_the_list_is_filtered_and_turned_page_by_page(script: Script, operator_client: Client) -> None:
    ids = [script.begin(input={"scriptType": f"script-{number % 2}"})["id"] for number in range(5)]
    script.patch(ids[0], status="failed")
    listed = operator_client.get(URL, {"limit": 2}).json()
    seen = [each["id"] for each in listed["jobs"]]
    while listed["next"]:
        listed = operator_client.get(URL, {"limit": 2, "before": listed["next"]}).json()
        seen += [each["id"] for each in listed["jobs"]]
    assert sorted(seen) == sorted(ids)
    assert len(seen) == 5
    assert [each["id"] for each in operator_client.get(URL, {"status": "failed"}).json()["jobs"]] == [ids[0]]
    assert len(operator_client.get(URL, {"script": "script-1"}).json()["jobs"]) == 2
    assert operator_client.get(URL, {"status": "done"}).status_code == 400
    assert operator_client.get(URL, {"limit": 0}).status_code == 400


def test_statistics_answer_the_four_questions(script: Script, operator_client: Client) -> None:
    done, failed, _ = (script.begin(input={"scriptType": "my-crawler"})["id"] for _ in range(3))
    script.patch(done, status="success")
    script.patch(failed, status="failed", error="No.")
    totals.count_up(timezone.now())
    found = operator_client.get(f"{URL}/stats").json()
    assert found["counts"]["total"] == 3
    assert [(each["status"], each["error"]) for each in found["failed"]] == [("failed", "No.")]
    assert len(found["active"]) == 1
    assert [(row["scriptType"], row["status"], row["count"]) for row in found["statistics"]] == [
        ("my-crawler", "failed", 1), ("my-crawler", "success", 1),
    ]  # fmt: skip
    assert found["retries"] == [{"jobType": "scrape", "scriptType": "my-crawler", "attempt": 1, "count": 3}]
    assert found["overdue"] == []
    assert operator_client.get(f"{URL}/stats", {"jobType": "embed"}).json()["statistics"] == []
    assert operator_client.get(f"{URL}/stats", {"jobType": "bake"}).status_code == 400


# -------------------------------------------------------------------- who may


def test_a_reporting_token_may_report_and_nothing_else(script: Script, handled: list[str]) -> None:
    assert script.post(jobType="scrape", run=True).status_code == 403
    assert script.get("/stats").status_code == 403
    for path in ("/api/upload/schedule", "/api/upload/scheduler/status", "/api/openapi.json", "/metrics"):
        assert script.client.get(path).status_code in (401, 403), path
    assert script.client.get("/admin/").status_code == 302


@pytest.mark.parametrize("end", ["revoked_at", "expires_at"])
def test_a_token_that_ended_is_refused(script: Script, end: str) -> None:
    PipelineToken.objects.update(**{end: timezone.now()})
    answer = script.post(jobType="scrape")
    assert (answer.status_code, answer.json()["success"]) == (401, False)


@pytest.mark.parametrize("token", ["slp_wrong", "slp_", "", "x" * 64])
def test_no_token_and_a_wrong_one_are_refused(db: None, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert (
        Client(headers=headers).post(URL, {"jobType": "scrape"}, content_type="application/json").status_code
        == 401
    )


def test_viewers_look_and_cannot_touch(viewer_client: Client, script: Script) -> None:
    job = script.begin()
    assert viewer_client.get(URL).status_code == viewer_client.get(f"{URL}/{job['id']}").status_code == 200
    assert viewer_client.post(URL, {"jobType": "scrape"}, content_type="application/json").status_code == 403
    assert viewer_client.patch(f"{URL}/{job['id']}", {}, content_type="application/json").status_code == 403


def test_the_token_of_an_operator_may_report_too(operator: User) -> None:
    _, token = AuthToken.objects.create(operator)
    client = Client(headers={"Authorization": f"Bearer {token}"})
    assert client.post(URL, {"jobType": "scrape"}, content_type="application/json").status_code == 201


def test_a_session_needs_its_csrf_token(operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(URL, {"jobType": "scrape"}, content_type="application/json").status_code == 403


def test_a_token_is_kept_as_its_digest_and_printed_once(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("pipeline_token", "crawler")
    token = capsys.readouterr().out.splitlines()[-1]
    row = PipelineToken.objects.get(name="crawler")
    assert row.digest == digest_of(token)
    assert token not in json.dumps([str(value) for value in vars(row).values()])
    client = Client(headers={"Authorization": f"Bearer {token}"})
    assert client.post(URL, {"jobType": "scrape"}, content_type="application/json").status_code == 201
    assert PipelineToken.objects.get().last_used_at
    with pytest.raises(CommandError, match="already"):
        call_command("pipeline_token", "crawler")
    call_command("pipeline_token", "crawler", "--revoke")
    assert client.post(URL, {"jobType": "scrape"}, content_type="application/json").status_code == 401
    with pytest.raises(CommandError, match="no token"):
        call_command("pipeline_token", "unknown", "--revoke")


def test_a_token_made_in_the_admin_is_shown_once_and_revoked(admin_client: Client) -> None:
    answer = admin_client.post("/admin/jobs/pipelinetoken/add/", {"name": "crawler"}, follow=True)
    row = PipelineToken.objects.get()
    shown = answer.content.decode().partition("<code>slp_")[2].partition("</code>")[0]
    assert digest_of(f"slp_{shown}") == row.digest
    assert shown not in admin_client.get(f"/admin/jobs/pipelinetoken/{row.pk}/change/").content.decode()
    admin_client.post("/admin/jobs/pipelinetoken/", {"action": "revoke", "_selected_action": [str(row.pk)]})
    assert PipelineToken.objects.get().revoked_at


def test_people_of_the_admin_see_no_digest(db: None, script: Script) -> None:
    client = Client()
    client.force_login(person("otto", "Operators"), backend="django.contrib.auth.backends.ModelBackend")
    page = client.get("/admin/jobs/pipelinetoken/").content.decode()
    assert script.row.digest not in page
    assert script.row.begins_with in page
