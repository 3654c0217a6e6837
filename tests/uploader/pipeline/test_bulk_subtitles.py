"""Subtitles of a whole series: fetched once, kept beside the videos, attached to the episodes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.events import history_of
from jobs.pipeline.subjects import Edition
from jobs.polite.errors import Unreadable
from sandbox.server import Sandbox
from tests.jobs.scraping.test_novels import failed, job_of, run
from uploader.catalog import Series, Subtitle
from uploader.importing import import_series
from uploader.library import LibraryError, OutsideLibrary
from uploader.management.commands import bulk_download_subtitles_api
from uploader.pipeline import placing
from uploader.pipeline.bulk_subtitles import as_subrip, attach

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unseen")]


@pytest.fixture
def harbour(make_series: Callable[..., Series]) -> Series:
    return make_series("Harbour", 3)


def test_every_episode_gets_its_subtitles(harbour: Series, opensubtitles: Sandbox, library: Path) -> None:
    run("scrape_opensubtitles_work", "tt7000001")
    edition = Edition.objects.get()
    _, links = bulk_download_subtitles_api.Command().plan(
        {"series": "harbour", "languages": "en", "delay": 0, "limit": None}
    )
    assert links == {"work": edition.work, "edition": edition}, "from the job's first moment"
    job = run("bulk_download_subtitles_api", "harbour", languages="en,id", delay=0)
    assert job.input == {
        "seriesName": "harbour", "languages": "en,id", "delay": 0, "scriptType": "bulk-download-subtitles",
    }  # fmt: skip
    # Three of the six episodes are in the catalog.
    assert job.output == {"total": 6, "success": 3, "skipped": 3, "errors": 0, "failed": 0}
    assert (job.work, job.edition) == (edition.work, edition)
    assert list(Subtitle.objects.order_by("path").values_list("path", "language"))[:2] == [
        ("harbour/01.en.srt", "en"), ("harbour/01.id.srt", "id"),
    ]  # fmt: skip
    assert Subtitle.objects.count() == 6
    assert "Nothing moves out there." in (library / "harbour/02.en.srt").read_text()
    segment = edition.segments.get(number=1)
    # Not those a machine made, though they are asked for more often.
    assert segment.data["subtitles"]["en"] == {"fileId": 500100100, "path": "harbour/01.en.srt"}


def test_again_nothing_is_fetched_and_an_import_knows_the_files(
    harbour: Series, opensubtitles: Sandbox, library: Path
) -> None:
    run("bulk_download_subtitles_api", "Harbour", delay=0)
    asked = len(opensubtitles.requests("os_download"))
    again = run("bulk_download_subtitles_api", "Harbour", delay=0)
    assert again.output and (again.output["success"], again.output["skipped"]) == (0, 6)
    assert len(opensubtitles.requests("os_download")) == asked == 3
    import_series(library / "harbour", title="Harbour", now=timezone.now(), posters=False)
    assert Subtitle.objects.count() == 3


def test_a_limit_goes_on_where_it_stopped(harbour: Series, opensubtitles: Sandbox) -> None:
    first = run("bulk_download_subtitles_api", "Harbour", delay=0, limit=2)
    assert first.output and first.output["success"] == 2
    second = run("bulk_download_subtitles_api", "Harbour", delay=0, limit=2)
    assert second.output and second.output["success"] == 1


def test_a_day_that_is_used_up_holds_the_job_and_keeps_what_came(
    harbour: Series, opensubtitles: Sandbox
) -> None:
    opensubtitles.settings(opensubtitles_downloads_per_day=1)
    job = job_of("bulk-download-subtitles", {"seriesName": "Harbour", "languages": ["en"], "delay": 0})
    assert (job.status, job.attempt, job.error_kind) == ("queued", 0, "quota")
    assert Subtitle.objects.count() == 1


def test_a_language_nobody_offers_is_skipped(harbour: Series, opensubtitles: Sandbox) -> None:
    job = run("bulk_download_subtitles_api", "Harbour", languages="pt-BR", delay=0)
    assert job.output and (job.output["success"], job.output["skipped"]) == (0, 6)
    assert any("no subtitles in pt-BR" in event.why for event in history_of(job))


def test_one_file_of_garbage_costs_that_episode(harbour: Series, opensubtitles: Sandbox) -> None:
    opensubtitles.add_fault("os_file", status=200, body="<html>Sorry</html>")
    job = run("bulk_download_subtitles_api", "Harbour", delay=0)
    assert job.output and (job.output["success"], job.output["errors"]) == (2, 1)
    assert not Subtitle.objects.filter(path__startswith="harbour/01").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"languages": "en"}, "seriesName"), ({"seriesName": "Harbour"}, "languages"),
        ({"seriesName": "Harbour", "languages": "../etc"}, "no language"),
        ({"seriesName": "Harbour", "languages": ["en"], "limit": "all"}, "limit"),
        ({"seriesName": "Harbour", "languages": ["en"], "delay": -1}, "delay"),
        ({"seriesName": "Nowhere", "languages": "en"}, "nothing of nowhere"),
    ],
)  # fmt: skip
def test_nonsense_is_refused(opensubtitles: Sandbox, given: dict[str, Any], says: str) -> None:
    job = job_of("bulk-download-subtitles", given)
    assert job.status == "failed" and says in job.error


def test_a_command_for_a_series_nobody_knows_fails(opensubtitles: Sandbox) -> None:
    _, message = failed("bulk_download_subtitles_api", "Nowhere")
    assert "nowhere" in message


# -------------------------------------------------------------------- files


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe\x00", b"1\n00:00:01,000 --> 00:00:02,000\n\n", os.urandom(3000)]
)
def test_what_are_no_subtitles_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        as_subrip(body)


def test_other_formats_and_encodings_become_subrip_in_utf_8() -> None:
    vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\nGrüße\n"
    assert "00:00:01,000 --> 00:00:02,000\nGrüße" in as_subrip(vtt.encode())
    line = "1\r\n00:00:01,000 --> 00:00:02,000\r\nÀ bientôt, mon ami, l’été est passé\r\n\r\n"
    assert "bientôt" in as_subrip(line.encode("cp1252"))
    assert as_subrip(line.encode("utf-8-sig")).startswith("1\n")


def test_a_file_that_is_there_is_left_as_it_is_and_attached(harbour: Series, library: Path) -> None:
    (library / "harbour/01.en.srt").write_text("mine")
    episode = harbour.episodes.get(index_sequence=1)
    attach(episode, "en", b"1\n00:00:01,000 --> 00:00:02,000\nHi\n")
    assert (library / "harbour/01.en.srt").read_text() == "mine"
    assert episode.subtitles.count() == 1


@pytest.mark.parametrize("path", ["../out.srt", "/etc/out.srt", "a/../../out.srt", "", "a\0b"])
def test_nothing_is_placed_outside_the_library(library: Path, path: str) -> None:
    with pytest.raises(OutsideLibrary), placing.placed(path) as file:
        file.write(b"x")
    assert not list(library.parent.rglob("out.srt"))


def test_no_link_leads_out_of_the_library(library: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (library / "link").symlink_to(outside)
    (library / "dangling.srt").symlink_to(outside / "new.srt")
    for path in ("link/a.srt", "dangling.srt"):
        with pytest.raises(LibraryError), placing.placed(path) as file:
            file.write(b"x")
    assert list(outside.iterdir()) == []


def test_a_file_is_there_whole_or_not_at_all(library: Path) -> None:
    with pytest.raises(ZeroDivisionError), placing.placed("new/a.srt") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert [path for path in library.rglob("*") if path.is_file()] == []
    with placing.placed("new/a.srt") as file:
        file.write(b"whole")
        assert not (library / "new/a.srt").exists()
    assert (library / "new/a.srt").read_bytes() == b"whole"
    with pytest.raises(placing.AlreadyThere), placing.placed("new/a.srt"):
        pass
