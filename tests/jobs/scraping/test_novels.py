"""The four scripts for catalogs of texts, as commands over real HTTP, on good sites and on nonsense."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import runner
from jobs.events import history_of
from jobs.management.commands.scrape_readnovel_api import Command
from jobs.pipeline.announcing import new_job, save_new
from jobs.pipeline.pipeline_jobs import PipelineJob, RunBy
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from jobs.scraping.keeping import Found, keep_segments, number_of
from tests.site import Site


def run(command: str, *arguments: Any, **options: Any) -> PipelineJob:
    """Run a command to its end; the job it printed."""
    out = io.StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=io.StringIO(), **options)
    return PipelineJob.objects.get(pk=out.getvalue().split()[-1])


def failed(command: str, *arguments: Any, **options: Any) -> tuple[PipelineJob, str]:
    with pytest.raises(CommandError) as caught:
        run(command, *arguments, **options)
    return PipelineJob.objects.order_by("pk").last(), str(caught.value)  # type: ignore[return-value]


def job_of(script: str, given: dict[str, Any], **links: Any) -> PipelineJob:
    """A job for our workers, done by one."""
    job = new_job("scrape", {**given, "scriptType": script}, run_by=RunBy.WORKER, now=timezone.now(), **links)
    save_new(job)
    runner.run_batch(PipelineJob)
    job.refresh_from_db()
    return job


# -------------------------------------------------------------------- scrape-readnovel-api


def test_readnovel_api_takes_the_list_of_all_pages(
    work: Work, site: Site, first_links: list[tuple[Work | None, Edition | None]]
) -> None:
    job = run("scrape_readnovel_api", work.pk, "harbour")
    edition = Edition.objects.get()
    assert (job.job_type, job.status, job.script) == ("scrape", "success", "scrape-readnovel-api")
    assert job.input == {
        "novelSlug": "harbour",
        "scriptType": "scrape-readnovel-api",
        "apiUrl": f"{site.url}/api/novels/harbour/chapters?page=1",
    }
    assert job.output == {
        "editionId": str(edition.pk), "totalChapters": 5, "inserted": 5, "updated": 0, "skipped": 0, "errors": 0,
        "total": 5, "success": 5, "failed": 0,
    }  # fmt: skip
    assert (job.work, job.edition, job.source) == (work, edition, work.source)
    assert first_links == [(work, None)], "the work from the first moment, the edition once it is made"
    assert [(s.number, s.title, s.external_id) for s in edition.segments.all()][-1] == (5, "Chapter 5", "c5")
    assert edition.segments.first().url == f"{site.url}/read/1"  # type: ignore[union-attr]


def test_readnovel_api_again_changes_what_changed_and_nothing_else(work: Work, site: Site) -> None:
    run("scrape_readnovel_api", work.pk, "harbour")
    body = {
        "data": {
            "chapters": [{"index": 5, "name": "The End", "id": "c5"}, {"index": 6, "name": "6", "id": "c6"}]
        }
    }
    site.put("/api/novels/harbour/chapters?page=2", json.dumps(body))
    job = run("scrape_readnovel_api", "Harbour", "harbour")
    assert job.output is not None
    assert {name: job.output[name] for name in ("totalChapters", "inserted", "updated", "skipped")} == {
        "totalChapters": 5, "inserted": 1, "updated": 1, "skipped": 3,
    }  # fmt: skip
    assert Edition.objects.count() == 1
    assert Segment.objects.get(number=5).title == "The End"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ("", 404, "no page"), ("<html>Sorry</html>", 200, "JSON"), ("[]", 200, "No chapter was found"),
        ('{"data": {"chapters": "many"}}', 200, "No chapter was found"), ("x" * 6_000_000, 200, "bytes"),
        ('{"data": ', 200, "JSON"), ("", 403, "does not let us"), ("", 500, "HTTP 500"),
    ],
)  # fmt: skip
def test_nonsense_in_place_of_the_list_fails_the_job_with_its_cause(
    work: Work, site: Site, body: str, status: int, says: str
) -> None:
    site.put("/api/novels/harbour/chapters?page=1", body, status)
    job, message = failed("scrape_readnovel_api", work.pk, "harbour")
    assert (job.status, job.leased_by) == ("failed", "")
    assert says in job.error and says in message
    assert job.output and job.output["totalChapters"] == 0
    assert not Segment.objects.exists()


def test_a_list_that_robots_txt_forbids_is_not_read(work: Work, site: Site) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /api/\n")
    job, message = failed("scrape_readnovel_api", work.pk, "harbour")
    assert "robots.txt" in message and "robots.txt" in job.error
    assert site.paths() == []


def test_a_list_that_leads_into_a_private_network_is_not_followed(work: Work, site: Site) -> None:
    site.put(
        "/api/novels/harbour/chapters?page=1", "", 302, Location="http://169.254.169.254/latest/meta-data/"
    )
    job, message = failed("scrape_readnovel_api", work.pk, "harbour")
    assert job.status == "failed"
    assert "169.254.169.254" in message


def test_what_a_list_of_strange_entries_says_is_taken_as_far_as_it_goes(work: Work, site: Site) -> None:
    strange = [
        {"index": "7", "name": "A\0B", "path": "javascript:alert(1)"},
        {"index": -1, "name": "Chapter 12,5"}, {"index": {}, "name": None}, None, 7,
        {"index": "9" * 50, "name": "x" * 2000, "id": "y" * 900}, {"index": 7, "name": "seven again"},
        {"index": 8, "name": "eight", "path": "http://["},
    ]  # fmt: skip
    site.put("/api/novels/harbour/chapters?page=1", json.dumps({"data": {"chapters": strange}}))
    job = run("scrape_readnovel_api", work.pk, "harbour")
    assert job.output is not None
    assert (job.output["totalChapters"], job.output["errors"], job.output["total"]) == (5, 3, 8)
    assert not Segment.objects.exclude(url="").exists(), "nothing that is no address of a page"
    found = {segment.number: segment.title for segment in Segment.objects.all()}
    assert found[Decimal("12.5")] == "Chapter 12,5"
    assert found[Decimal(7)] == "seven again"
    assert all(len(title) <= 500 for title in found.values())


def test_a_command_without_its_source_or_work_says_what_to_do(db: None) -> None:
    with pytest.raises(CommandError, match="No work is called"):
        run("scrape_readnovel_api", "Nobody", "harbour")
    Work.objects.create(title="Harbour")
    with pytest.raises(CommandError, match="no source “readnovel”"):
        run("scrape_readnovel_api", "Harbour", "harbour")
    assert not PipelineJob.objects.exists()


# -------------------------------------------------------------------- scrape-readnovel-segment


def test_readnovel_segment_fetches_the_texts_and_skips_those_it_has(work: Work, site: Site) -> None:
    run("scrape_readnovel_api", work.pk, "harbour")
    edition = Edition.objects.get()
    Segment.objects.filter(number=2).update(content="mine")
    ids = [str(pk) for pk in edition.segments.values_list("pk", flat=True)]
    job = run("scrape_readnovel_segment", *ids)
    assert job.input["segmentIds"] == ids and job.input["totalSegments"] == 5
    assert job.output == {"totalSegments": 5, "success": 4, "skipped": 1, "failed": 0, "total": 5}
    assert (job.work, job.edition, job.progress) == (work, edition, 100)
    assert Segment.objects.get(number=3).content == "Text of chapter 3.\nSecond line."
    assert Segment.objects.get(number=2).content == "mine"
    assert Segment.objects.get(number=3).fetched_at


def test_readnovel_segment_goes_on_behind_one_that_fails(work: Work, site: Site) -> None:
    run("scrape_readnovel_api", work.pk, "harbour")
    site.put("/api/chapters/c2", "", 404)
    site.put("/api/chapters/c3", "<html>")
    site.put("/api/chapters/c4", '{"data": {"text": "  "}}')
    job = run("scrape_readnovel_segment", edition=str(Edition.objects.get().pk))
    assert job.status == "success"
    assert job.output == {"totalSegments": 5, "success": 2, "skipped": 0, "failed": 3, "total": 5}
    lines = [event.why for event in history_of(job) if event.type == "log"]
    assert len(lines) == 3 and "no page" in lines[0] and "No text was found" in lines[2]
    again, _ = failed("scrape_readnovel_segment", edition=str(Edition.objects.get().pk))
    assert again.input["totalSegments"] == 3, "those with a text are not asked for again"


def test_readnovel_segment_fails_when_not_one_could_be_had(work: Work, site: Site) -> None:
    run("scrape_readnovel_api", work.pk, "harbour")
    for number in range(1, 6):
        site.put(f"/api/chapters/c{number}", "", 404)
    job, message = failed("scrape_readnovel_segment", edition=str(Edition.objects.get().pk))
    assert "None of 5 succeeded" in message
    assert job.output and job.output["failed"] == 5


def test_a_site_that_is_away_is_left_alone(work: Work, site: Site) -> None:
    run("scrape_readnovel_api", work.pk, "harbour")
    rows = [Segment(edition=Edition.objects.get(), number=n, external_id=f"c{n}") for n in range(10, 20)]
    Segment.objects.bulk_create(rows)
    for number in [*range(1, 6), *range(10, 20)]:
        site.put(f"/api/chapters/c{number}", "", 503)
    job, message = failed("scrape_readnovel_segment", edition=str(Edition.objects.get().pk))
    assert "5 in a row" in message
    assert job.output and (job.output["failed"], job.output["total"]) == (5, 15)


def test_ids_that_are_none_or_of_nobody_are_told(work: Work) -> None:
    _, message = failed("scrape_readnovel_segment", "7")
    assert "ids of segments" in message
    _, message = failed("scrape_readnovel_segment", work.pk)
    assert "not there any more" in message
    with pytest.raises(CommandError, match="no segment to fetch"):
        run("scrape_readnovel_segment")


# -------------------------------------------------------------------- scrape-chereads-work


def test_chereads_work_makes_work_edition_and_chapters(
    pages: Source, site: Site, first_links: list[tuple[Work | None, Edition | None]]
) -> None:
    job = run("scrape_chereads_work", f"{site.url}/novel/tide", "Slack Tide (mine)")
    work, edition = Work.objects.get(), Edition.objects.get()
    assert job.input == {
        "url": f"{site.url}/novel/tide", "title": "Slack Tide (mine)", "scriptType": "scrape-chereads-work",
    }  # fmt: skip
    assert job.output is not None
    assert (job.output["workId"], job.output["editionId"]) == (str(work.pk), str(edition.pk))
    assert job.output["totalChapters"] == 4
    assert (job.work, job.edition, work.title) == (work, edition, "Slack Tide (mine)")
    assert first_links == [(work, None)], "the work from the first moment, the edition once it is made"
    assert [s.numbered for s in edition.segments.all()] == ["1", "1.5", "2", "3"]
    assert edition.segments.all()[1].url == f"{site.url}/novel/tide/1-5"


def test_chereads_work_without_a_title_reads_it(pages: Source, site: Site) -> None:
    job = run("scrape_chereads_work", f"{site.url}/novel/tide")
    work = Work.objects.get()
    assert (work.title, work.author, work.description) == ("Slack Tide", "A. Dahl", "About\nit.")
    assert (work.external_id, work.language, job.work) == ("t-1", "id", work)
    run("scrape_chereads_work", f"{site.url}/novel/tide")
    assert (Work.objects.count(), Edition.objects.count(), Segment.objects.count()) == (1, 1, 4)


def test_pages_that_lead_in_a_circle_are_read_once(pages: Source, site: Site) -> None:
    site.put(
        "/novel/tide?p=2",
        '<ul class=list><li><a href="/x">Chapter 9</a></ul><a class=next href="/novel/tide">',
    )
    job = run("scrape_chereads_work", f"{site.url}/novel/tide")
    assert job.output and job.output["totalChapters"] == 3


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/novel", "no host of this source"), ("file:///etc/passwd", "no usable address"),
        ("/novel/none", "no page"), ("/garbage", "title was found"), ("/novel", "no page"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_fails_with_its_cause(pages: Source, site: Site, url: str, says: str) -> None:
    site.put("/garbage", bytes(range(256)) * 50)
    _, message = failed("scrape_chereads_work", url if "://" in url else site.url + url)
    assert says in message
    assert not Work.objects.exists()


def test_a_source_that_is_switched_off_is_left_alone(pages: Source, site: Site) -> None:
    Source.objects.update(is_active=False)
    _, message = failed("scrape_chereads_work", f"{site.url}/novel/tide")
    assert "switched off" in message
    assert site.paths() == []


def test_a_source_with_a_wrong_configuration_says_so(pages: Source, site: Site) -> None:
    Source.objects.update(configuration={"chapters": {"items": "ul["}})
    with pytest.raises(CommandError, match=r"chapters\.items"):
        run("scrape_chereads_work", f"{site.url}/novel/tide", "T")


# -------------------------------------------------------------------- scrape-chereads-segment


def test_chereads_segment_fetches_from_one_chapter_to_another(
    pages: Source, site: Site, first_links: list[tuple[Work | None, Edition | None]]
) -> None:
    run("scrape_chereads_work", f"{site.url}/novel/tide")
    edition = Edition.objects.get()
    job = run("scrape_chereads_segment", edition.pk, start=1.5, end=2, delay=1)
    assert job.input == {
        "startChapter": 1.5, "endChapter": 2, "delay": 1, "scriptType": "scrape-chereads-segment",
    }  # fmt: skip
    assert job.output == {
        "totalSegments": 2, "success": 2, "skipped": 0, "errors": 0, "failed": 0, "total": 2,
    }  # fmt: skip
    assert first_links[-1] == (job.work, job.edition) == (edition.work, edition)
    texts = {s.numbered: s.content for s in edition.segments.all()}
    assert texts == {"1": "", "1.5": "Text 1-5.\n\nEnd.", "2": "Text 2.\n\nEnd.", "3": ""}
    again = run("scrape_chereads_segment", edition.pk, start=1, end=2, delay=0)
    assert again.output and (again.output["success"], again.output["skipped"]) == (1, 2)


def test_chereads_segment_keeps_its_delay(pages: Source, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    run("scrape_chereads_work", f"{site.url}/novel/tide")
    monkeypatch.setattr("jobs.running.Run.wait", lambda self, seconds: waited.append(seconds))
    run("scrape_chereads_segment", Edition.objects.get().pk, delay=9000)
    assert len(waited) == 3 and waited[-1] > 20


def test_chapters_the_wrong_way_round_are_refused(pages: Source, site: Site) -> None:
    run("scrape_chereads_work", f"{site.url}/novel/tide")
    _, message = failed("scrape_chereads_segment", Edition.objects.get().pk, start=3, end=1)
    assert "behind" in message


# -------------------------------------------------------------------- by a worker, in the terminal


def test_a_worker_runs_a_script_by_the_name_in_its_input(work: Work) -> None:
    job = job_of("scrape-readnovel-api", {"novelSlug": "harbour"}, work=work)
    assert (job.status, job.error) == ("success", "")
    assert job.output and job.output["totalChapters"] == 5


@pytest.mark.parametrize(
    ("script", "given", "says"),
    [
        ("scrape-nobody", {}, "no script “scrape-nobody”"), ("", {}, "no script"),
        ("scrape-readnovel-api", {}, "novelSlug"), ("scrape-readnovel-api", {"novelSlug": ["a"]}, "novelSlug"),
        ("scrape-readnovel-api", {"novelSlug": "harbour"}, "needs a work"), ("scrape-chereads-work", {"url": 7}, "url"),
        ("scrape-readnovel-segment", {"segmentIds": {"a": 1}}, "segmentIds"),
        ("scrape-readnovel-segment", {"segmentIds": [None]}, "segmentIds"),
        ("scrape-chereads-segment", {"startChapter": "one"}, "edition"),
    ],
)  # fmt: skip
def test_an_input_of_nonsense_fails_at_once_and_for_good(
    api: Source, script: str, given: dict[str, Any], says: str
) -> None:
    job = job_of(script, given)
    assert (job.status, job.attempt) == ("failed", 1)
    assert says in job.error


def test_a_site_that_asks_to_wait_holds_a_worker_s_job(work: Work, site: Site) -> None:
    site.answers["/api/novels/harbour/chapters?page=1"] = [(429, {"Retry-After": "1800"}, b"")]
    job = job_of("scrape-readnovel-api", {"novelSlug": "harbour"}, work=work)
    assert (job.status, job.attempt, job.error_kind) == ("queued", 0, "rate_limited")
    assert (job.not_before_at - timezone.now()).total_seconds() > 1700


def test_a_terminal_shows_a_bar_and_a_file_shows_none(work: Work) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    call_command("scrape_readnovel_api", str(work.pk), "harbour", stdout=io.StringIO(), stderr=terminal)
    assert "scrape-readnovel-api" in terminal.getvalue() and "5" in terminal.getvalue()
    call_command(
        "scrape_readnovel_segment", edition=str(Edition.objects.get().pk), stdout=io.StringIO(), stderr=file
    )
    assert file.getvalue() == ""


def test_a_command_answers_in_json(work: Work) -> None:
    out = io.StringIO()
    call_command("scrape_readnovel_api", str(work.pk), "harbour", json=True, stdout=out, stderr=io.StringIO())
    told = json.loads(out.getvalue())
    assert told["status"] == "success" and told["output"]["totalChapters"] == 5


def test_a_failed_script_exits_with_1(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    # A command closes what this test's transaction lives on.
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    with pytest.raises(SystemExit) as caught:
        Command(stdout=io.StringIO(), stderr=io.StringIO()).run_from_argv(
            ["manage.py", "scrape_readnovel_api", str(work.pk), "nowhere"]
        )
    assert caught.value.code == 1
    assert PipelineJob.objects.get().status == "failed"


def test_a_long_list_is_compared_without_reading_its_texts(work: Work) -> None:
    edition = Edition.objects.create(work=work)
    keep_segments(edition, [Found(number=Decimal(n), title=f"{n}", content="x" * 1000) for n in range(300)])
    again = [Found(number=Decimal(n), title=f"{n}" if n % 2 else f"New {n}") for n in range(300)]
    with CaptureQueriesContext(connection) as queries:
        assert keep_segments(edition, again) == (0, 150, 150)
    assert len(queries) < 12
    assert not any('"content"' in query["sql"] for query in queries)


# -------------------------------------------------------------------- sources, and keeping


def test_a_source_is_made_from_a_file_and_checked(db: None, tmp_path: Path) -> None:
    file = tmp_path / "source.json"
    good = {
        "name": "readnovel",
        "base_url": "https://novels.example.com",
        "configuration": {"delay_seconds": 3},
    }
    file.write_text(json.dumps([good]))
    call_command("source", str(file), check=True, stdout=io.StringIO())
    assert not Source.objects.exists()
    for _ in range(2):
        call_command("source", str(file), stdout=io.StringIO())
    assert Source.objects.get().configuration == {"delay_seconds": 3}
    for nonsense in (
        "{",
        "[7]",
        '{"name": ""}',
        '{"name": "x"}',
        json.dumps({**good, "configuration": {"a": 1}}),
    ):
        file.write_text(nonsense)
        with pytest.raises(CommandError):
            call_command("source", str(file), stdout=io.StringIO())
    with pytest.raises(CommandError, match="No such file"):
        call_command("source", str(tmp_path / "none.json"))


def test_numbers_of_segments() -> None:
    assert [number_of(each) for each in ("12", "0012", " 12.5 ", "12,5", "0")] == [
        12,
        12,
        Decimal("12.5"),
        Decimal("12.5"),
        0,
    ]
    assert [number_of(each) for each in ("", "x", "-1", "1e99", "nan", "inf", "12.345.6")] == [None] * 7


def test_keeping_nothing_is_no_mistake(work: Work) -> None:
    edition = Edition.objects.create(work=work)
    assert keep_segments(edition, []) == (0, 0, 0)
    assert keep_segments(edition, [Found(number=Decimal(1)), Found(number=Decimal(1), title="b")]) == (
        1,
        0,
        0,
    )
    assert Segment.objects.get().title == "b"
