"""A film becomes a package, goes to a storage by itself, and plays in the page: all of it real."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from jobs import runner
from jobs.lifecycle import Status
from tests.s3 import S3, make_storage, s3_server
from tests.uploader.transcoding.films import film as make_film
from uploader import package_uploads
from uploader.catalog import Film, Subtitle
from uploader.destinations import ensure_storage
from uploader.transcoding.transcode_jobs import create_transcode
from uploader.upload_jobs import UploadJob, UploadType

pytestmark = pytest.mark.browser

PLAYING = """() => {
  const video = document.querySelector("video");
  return !video.paused && video.currentTime > 0.3;
}"""
SHOWN = """(number) => {
  const track = document.querySelector("video").textTracks[number];
  return track && track.mode === "showing" && track.cues && track.cues.length > 0;
}"""
SAID = """(number) => document.querySelector("video").textTracks[number].cues[0].text"""
SRT = "1\n00:00:00,000 --> 00:00:06,000\nHello from {language}\n"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def short(settings: Any, tmp_path: Path) -> None:
    settings.TRANSCODE_ROOT = tmp_path / "transcoding"
    settings.TRANSCODE_SEGMENT_SECONDS = 1


def published(library: Path) -> UploadJob:
    """A film with subtitles in three languages, transcoded and brought to the storage by workers."""
    make_film(library / "harbour.mp4", seconds=6, size="1280x720")
    film = Film.objects.create(title="Harbour", path="harbour.mp4")
    for language in ("en", "id", "de"):
        (library / f"harbour.{language}.srt").write_text(SRT.format(language=language))
        Subtitle.objects.create(film=film, language=language, path=f"harbour.{language}.srt")
    create_transcode(film, now=timezone.now())
    for lane in ("transcode", "upload"):
        while runner.drain(lane, seconds=120):
            pass
    assert not UploadJob.objects.exclude(status=Status.COMPLETED).values_list("error_message", flat=True)
    return UploadJob.objects.get(upload_type=UploadType.MASTER_PLAYLIST)


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_film_plays_from_its_storage_with_levels_and_subtitles(
    page: Page, library: Path, short: None, settings: Any, monkeypatch: pytest.MonkeyPatch, place: str,
    request: pytest.FixtureRequest, tmp_path: Path, signed_in: Callable[..., BrowserContext], viewer: Any,
) -> None:  # fmt: skip
    if place == "folder":
        destination = ensure_storage(timezone.now())
    else:
        s3 = request.getfixturevalue("s3")
        settings.STORAGE = {**settings.STORAGE, "ca_file": s3.ca_file}
        destination = make_storage(s3, s3.new_bucket(), "films")
        monkeypatch.setattr(package_uploads, "ensure_storage", lambda now: destination)
    master = published(library)
    assert master.destination == destination
    page.goto(f"/jobs/packages/{master.pk}/play/")
    said = page.locator("[data-said]")
    expect(said).to_contain_text("2 qualities", timeout=30_000)
    levels, subtitles = page.get_by_label("Quality"), page.get_by_label("Subtitles")
    expect(levels.locator("option")).to_have_count(3)
    expect(subtitles.locator("option")).to_have_count(4)
    page.evaluate(
        "() => { const video = document.querySelector('video'); video.muted = true; video.loop = true; video.play(); }"
    )
    page.wait_for_function(PLAYING, timeout=30_000)
    heights = set()
    for level in ("0", "1"):
        levels.select_option(level)
        page.wait_for_function(
            "(level) => document.querySelector('[data-player]').dataset.level === level",
            arg=level,
            timeout=30_000,
        )
        page.wait_for_function(PLAYING, timeout=30_000)
        heights.add(said.inner_text())
    assert len(heights) == 2
    page.wait_for_function("() => document.querySelector('video').videoHeight === 720", timeout=30_000)
    spoken = set()
    for number in range(3):
        subtitles.select_option(str(number))
        page.wait_for_function(SHOWN, arg=number, timeout=30_000)
        spoken.add(page.evaluate(SAID, number))
    assert spoken == {"Hello from en", "Hello from id", "Hello from de"}
    if shots := os.environ.get("TEST_SHOTS"):
        page.screenshot(path=f"{shots}/player-{place}.png")
    phone = signed_in(viewer, width=390, height=800).new_page()
    phone.goto(f"/jobs/packages/{master.pk}/play/")
    expect(phone.locator("[data-said]")).to_contain_text("2 qualities", timeout=30_000)
    assert phone.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if shots:
        phone.screenshot(path=f"{shots}/player-{place}-phone.png")
    with destination.open_storage() as storage:
        storage.delete([master.s3_path])
    phone.goto(f"/jobs/packages/{master.pk}/play/")
    expect(phone.locator("[data-said].is-wrong")).to_contain_text("cannot be played", timeout=60_000)
