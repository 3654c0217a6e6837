"""The page `/pipeline/` and the page of one run: what they show, what they let whom do."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs import runner
from jobs.errors import JobError
from jobs.events import Event, subject_of
from jobs.pipeline import lineage, totals
from jobs.pipeline.announcing import create_job
from jobs.pipeline.lineage import Relation
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.reporting import announce
from jobs.pipeline.starting import chain, start
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from jobs.pipeline.timetable import PipelineSchedule

pytestmark = pytest.mark.django_db
URL = "/pipeline/"


@pytest.fixture(autouse=True)
def _handlers(handled: list[str]) -> None:
    pass


def words(answer: Any) -> str:
    """The text of a page, without its tags."""
    page = re.sub(r"<(script|style).*?</\1>", " ", answer.content.decode(), flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def started(job_type: str = "scrape", script: str = "scrape-novel", **more: Any) -> PipelineJob:
    return start(job_type, {"scriptType": script}, who="olga", now=timezone.now(), **more)


def failed(script: str = "scrape-novel", **more: Any) -> PipelineJob:
    job = started(script=script, **more)
    (held,) = PipelineJob.objects.filter(pk=job.pk).claim("host:1#1", now=timezone.now())
    held.fail(JobError("The site is down."), now=timezone.now())
    return held


def fresh(job: PipelineJob) -> PipelineJob:
    return PipelineJob.objects.get(pk=job.pk)


def test_without_runs_the_page_says_how_to_begin(operator_client: Client) -> None:
    text = words(operator_client.get(URL))
    assert "No script has run yet" in text
    assert "Nothing runs by itself." in text
    assert "Nothing starts: no scheduler is running." in text


def test_the_page_shows_what_runs_waits_and_failed(operator_client: Client) -> None:
    scrape, clean, _ = chain(
        [("scrape", {"scriptType": "scrape-novel"}), ("clean", {}), ("embed", {})],
        who="olga",
        now=timezone.now(),
    )
    (held,) = PipelineJob.objects.filter(pk=scrape.pk).claim("host:1#1", now=timezone.now())
    held.fail(JobError("The site is down."), now=timezone.now())
    running = started(script="scrape-film")
    (run,) = PipelineJob.objects.filter(pk=running.pk).claim("host:1#2", now=timezone.now())
    run.save_progress(now=timezone.now(), progress=46, stage="reading")
    text = words(operator_client.get(URL))
    assert "Running 1" in text
    assert "46%" in text
    assert "Needs a hand 1" in text
    assert "Temporary fault" in text
    assert f"Held: Scrape scrape-novel ({str(scrape.pk)[-8:]}) failed: The site is down." in text
    assert "waits for 1 other" in text
    assert clean.open_needs == 1


def test_statistics_attempts_days_and_late_schedules_are_tables(operator_client: Client) -> None:
    failed()
    started(script="scrape-film")
    runner.drain("pipeline")
    totals.count_up(timezone.now())
    plan = PipelineSchedule.objects.create(name="nightly", cron="15 3 * * *", job_type="scrape")
    PipelineSchedule.objects.filter(pk=plan.pk).update(switched_on_at=timezone.now() - timedelta(hours=30))
    page = operator_client.get(URL)
    text = words(page)
    for heading in ("How scripts do", "Attempts", "The last fourteen days", "Schedules", "Runs"):
        assert heading in text
    assert (
        "One script has not succeeded in time. nightly : no success for 30 h, never since it was switched on"
        in text
    )
    assert page.content.decode().count('data-cell="success"') == 1
    assert page.content.decode().count('data-cell="failed"') == 1


def test_runs_are_chosen_by_state_type_and_script(operator_client: Client) -> None:
    failed("scrape-novel")
    started(script="scrape-film")
    for query, shown, hidden in (
        ("status=failed", "scrape-novel", "scrape-film"), ("script=scrape-film", "scrape-film", "scrape-novel"),
    ):  # fmt: skip
        answer = operator_client.get(f"{URL}?{query}&parts=pipe-runs", headers={"HX-Request": "true"})
        assert shown in words(answer)
        assert hidden not in words(answer)
    for odd in ("status=none", "type=bake", "before=7", "script=%00"):
        assert operator_client.get(f"{URL}?{odd}").status_code == 200
    assert "No run matches." in words(operator_client.get(f"{URL}?type=embed"))


def test_older_runs_are_a_page_away(operator_client: Client) -> None:
    jobs = [started(script=f"script-{number:02}") for number in range(22)]
    first = operator_client.get(URL).content.decode()
    link = re.search(r'href="/pipeline/(\?before=[^"#]+)', first)
    assert link
    text = words(operator_client.get(f"{URL}{link[1]}&parts=pipe-runs", headers={"HX-Request": "true"}))
    assert "script-00" in text
    assert "script-02" not in text
    assert jobs[2].script in first


def test_a_refresh_gives_only_the_parts_that_are_asked_for(operator_client: Client) -> None:
    started()
    answer = operator_client.get(f"{URL}?parts=pipe-tiles,pipe-now,nonsense", headers={"HX-Request": "true"})
    assert re.findall(r'id="part-([\w-]+)"', answer.content.decode()) == ["pipe-tiles", "pipe-now"]


def test_the_page_asks_no_more_of_many_runs(
    operator_client: Client, django_assert_max_num_queries: Any
) -> None:
    work = Work.objects.create(title="Harbour", source=Source.objects.create(name="Fixture"))
    edition = Edition.objects.create(work=work)
    for number in range(30):
        segment = Segment.objects.create(edition=edition, number=number)
        failed(f"script-{number}", segment=segment)
        started(segment=segment)
    operator_client.get(URL)
    with django_assert_max_num_queries(50):
        operator_client.get(URL)


def test_a_run_s_page_shows_all_there_is_about_it(
    operator_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work.objects.create(title="Harbour", source=Source.objects.create(name="Fixture"))
    segment = Segment.objects.create(edition=Edition.objects.create(work=work, title="English"), number=7)
    before = started(script="first")
    job = start(
        "clean", {"scriptType": "tidy", "limit": 3}, who="olga", now=timezone.now(), needs=[before],
        work=work, edition=segment.edition, segment=segment,
    )  # fmt: skip
    after = start("embed", {}, who="olga", now=timezone.now(), needs=[job])
    runner.drain("pipeline")
    Event.objects.create(at=timezone.now(), type="log", why="Tidied 3 pages", **subject_of(job))
    monkeypatch.setattr(
        lineage, "_tellings", [lambda run: [Relation("Episode", "Harbour · 7", "/admin/uploader/episode/7/")]]
    )
    page = operator_client.get(f"{URL}runs/{job.pk}/")
    text = words(page)
    for shown in (
        "Clean · tidy",
        str(job.pk),
        "&quot;limit&quot;: 3",
        "Tidied 3 pages",
        "Harbour",
        "English",
        "Harbour · 7",
    ):
        assert shown in text, shown
    for neighbour in (before, after):
        assert f"/pipeline/runs/{neighbour.pk}/" in page.content.decode()
    assert "Created queued olga" in re.sub(r"\s+", " ", text)


def test_an_unknown_run_is_not_found(operator_client: Client) -> None:
    assert operator_client.get(f"{URL}runs/00000000-0000-4000-8000-000000000000/").status_code == 404


def act(client: Client, job: PipelineJob, verb: str) -> Any:
    return client.post(f"{URL}runs/{job.pk}/{verb}/", {"parts": "pipe-run"}, headers={"HX-Request": "true"})


def test_a_failed_run_is_retried_marked_and_run_again(operator_client: Client) -> None:
    job = failed()
    assert act(operator_client, job, "handled").status_code == 200
    assert fresh(job).handled_by == "olga"
    answer = act(operator_client, job, "again")
    assert "is queued again with the same input" in answer.headers["HX-Trigger"]
    assert PipelineJob.objects.get(rerun_of=job).input == job.input
    assert act(operator_client, job, "retry").status_code == 200
    assert fresh(job).status == "queued"
    refused = act(operator_client, job, "retry")
    assert refused.status_code == 409
    assert "already queued" in refused.headers["HX-Trigger"]


def test_a_run_is_stopped_and_one_that_waits_is_let_go(operator_client: Client) -> None:
    first = started()
    second = started("clean", needs=[first])
    assert act(operator_client, second, "release").status_code == 200
    assert fresh(second).open_needs == 0
    assert act(operator_client, first, "cancel").status_code == 200
    assert fresh(first).status == "cancelled"
    assert act(operator_client, first, "cancel").status_code == 409


def test_all_that_failed_is_marked_at_once(operator_client: Client) -> None:
    jobs = [failed(f"script-{number}") for number in range(3)]
    answer = operator_client.post(f"{URL}handled/", headers={"HX-Request": "true"})
    assert "3 runs are marked as handled." in answer.headers["HX-Trigger"]
    assert all(fresh(job).handled_at for job in jobs)
    assert operator_client.post(f"{URL}handled/", headers={"HX-Request": "true"}).status_code == 409
    assert "Needs a hand" not in words(operator_client.get(URL))


def test_who_holds_a_run_is_told(operator_client: Client) -> None:
    job, _ = announce("scrape", {}, who="crawler", now=timezone.now(), begin=True)
    text = words(operator_client.get(f"{URL}runs/{job.pk}/"))
    assert "Run by External script crawler" in text
    assert "Claimed 1 running external script crawler" in text


def test_an_external_run_offers_no_retry(operator_client: Client) -> None:
    job = PipelineJob.objects.get(pk=create_job("scrape", {"scriptType": "far-away"}, run_by="external"))
    job.give_up(JobError("No network"), now=timezone.now())
    page = operator_client.get(f"{URL}runs/{job.pk}/").content.decode()
    assert "/retry/" not in page
    assert "/again/" not in page
    assert "/handled/" in page
    assert act(operator_client, job, "retry").status_code == 409


def test_a_job_is_started_from_the_page_with_what_follows(operator_client: Client) -> None:
    work = Work.objects.create(title="Harbour")
    form = words(operator_client.get(f"{URL}start/"))
    assert "Sync assets (no handler)" in form
    answer = operator_client.post(
        f"{URL}start/",
        {
            "type": "scrape", "script": "scrape-novel", "input": '{"url": "https://example.com/"}',
            "then": ["clean", "embed"], "work": str(work.pk),
        },
        follow=True,
    )  # fmt: skip
    assert "3 jobs are queued." in words(answer)
    scrape, clean, _ = PipelineJob.objects.order_by("pk")
    assert scrape.input == {"url": "https://example.com/", "scriptType": "scrape-novel"}
    assert (clean.input, clean.open_needs, clean.work) == ({"url": "https://example.com/"}, 1, work)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"type": "bake"}, "Choose what is to be done."),
        ({"type": "scrape", "input": "{"}, "The input must be a JSON object"),
        ({"type": "scrape", "input": "[1]"}, "The input must be a JSON object"),
        ({"type": "scrape", "work": "7"}, "There is no work 7."),
        ({"type": "sync_assets"}, "no handler does “sync_assets” here"),
    ],
)
def test_what_cannot_be_started_is_refused_in_words(
    operator_client: Client, form: dict[str, str], told: str
) -> None:
    answer = operator_client.post(f"{URL}start/", form, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert told in answer.headers["HX-Trigger"].encode().decode("unicode_escape")
    assert not PipelineJob.objects.exists()


def test_a_viewer_looks_and_cannot_touch(viewer_client: Client) -> None:
    job = failed()
    page = viewer_client.get(URL).content.decode()
    assert "scrape-novel" in page
    assert "formaction=" not in page
    assert "formaction=" not in viewer_client.get(f"{URL}runs/{job.pk}/").content.decode()
    for verb in ("retry", "again", "cancel", "release", "handled"):
        assert act(viewer_client, job, verb).status_code == 403
    assert viewer_client.post(f"{URL}start/", {"type": "scrape"}).status_code == 403
    assert fresh(job).status == "failed"


def test_strangers_are_asked_to_sign_in(client: Client) -> None:
    for path in ("", "start/", "runs/00000000-0000-4000-8000-000000000000/"):
        assert client.get(f"{URL}{path}").status_code == 302


def test_what_a_script_says_is_shown_as_text(operator_client: Client) -> None:
    job = start(
        "scrape",
        {"scriptType": "<script>alert(1)</script>", "url": "<img src=x>"},
        who="olga",
        now=timezone.now(),
    )
    for path in ("", f"runs/{job.pk}/"):
        page = operator_client.get(f"{URL}{path}").content.decode()
        assert "<script>alert" not in page
        assert "<img src=x>" not in page
