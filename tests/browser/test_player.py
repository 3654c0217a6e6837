"""A film becomes a package, goes to a storage by itself, and plays in the page: all of it real.

The bucket is one of SLOTCAST_TEST_S3_URL's server (with …_KEY, …_SECRET, …_CA_FILE), else of a server in this process.
"""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from jobs import runner
from jobs.lifecycle import Status
from tests.browser.playback import WAIT, Playback
from tests.s3 import S3, make_storage, s3_server
from tests.uploader.transcoding.films import film as make_film
from uploader import package_uploads
from uploader.catalog import Film, Subtitle
from uploader.default_destinations import ensure_storage
from uploader.destinations import Destination
from uploader.transcoding.transcode_jobs import TranscodeJob, create_transcode
from uploader.upload_jobs import UploadJob, UploadType

pytestmark = pytest.mark.browser

SECONDS, RATE = 12, 25
# Six pieces of two seconds: the first pictures of the second to the last.
SEAMS = range(50, SECONDS * RATE, 50)
LANGUAGES = {"de": "Deutsch", "en": "English", "id": "Bahasa Indonesia"}
SRT = (
    "1\n00:00:00,000 --> 00:00:05,500\nHello from {language}\n\n"
    "2\n00:00:05,500 --> 00:00:12,000\nGoodbye from {language}\n"
)
SHOWN = """([number, text]) => {
  const track = document.querySelector("video").textTracks[number];
  return track && track.mode === "showing" && [...track.activeCues || []].some((cue) => cue.text === text);
}"""
ELSEWHERE = """<!doctype html><title>Elsewhere</title><video muted></video><script src="hls.min.js"></script>
<script>
  const own = new Hls();
  own.on(Hls.Events.MANIFEST_PARSED, () => { document.title = own.levels.length + " levels"; });
  own.on(Hls.Events.ERROR, (_, data) => { document.title = data.details; });
  own.loadSource(decodeURIComponent(location.hash.slice(1)));
  own.attachMedia(document.querySelector("video"));
</script>"""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def short(settings: Any, tmp_path: Path) -> None:
    settings.TRANSCODE_ROOT = tmp_path / "transcoding"
    settings.TRANSCODE_SEGMENT_SECONDS = 1
    settings.TRANSCODE_PIECE_SECONDS = 2


@pytest.fixture
def in_bucket(s3: S3, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Destination:
    """Packages go to a bucket of its own."""
    settings.STORAGE = {**settings.STORAGE, "ca_file": s3.ca_file}
    destination = make_storage(s3, s3.new_bucket(), "films", prefix="films")
    monkeypatch.setattr(package_uploads, "ensure_storage", lambda now: destination)
    return destination


def published(library: Path) -> UploadJob:
    """A film with subtitles in three languages, transcoded in pieces and brought to the storage by workers."""
    make_film(library / "harbour.mp4", seconds=SECONDS, size="1280x720", rate=str(RATE))
    film = Film.objects.create(title="Harbour", path="harbour.mp4")
    for language in LANGUAGES:
        (library / f"harbour.{language}.srt").write_text(SRT.format(language=language))
        Subtitle.objects.create(film=film, language=language, path=f"harbour.{language}.srt")
    create_transcode(film, now=timezone.now())
    for lane in ("transcode", "upload"):
        while runner.drain(lane, seconds=120):
            pass
    assert not UploadJob.objects.exclude(status=Status.COMPLETED).values_list("error_message", flat=True)
    # One more than seams; and the sound, which is encoded in one go.
    assert TranscodeJob.objects.get().pieces_total == len(SEAMS) + 2
    return UploadJob.objects.get(upload_type=UploadType.MASTER_PLAYLIST)


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_film_plays_from_its_storage_with_levels_and_subtitles(
    page: Page, library: Path, short: None, place: str, request: pytest.FixtureRequest,
    signed_in: Callable[..., BrowserContext], viewer: User,
) -> None:  # fmt: skip
    destination: Destination = (
        ensure_storage(timezone.now()) if place == "folder" else request.getfixturevalue("in_bucket")
    )
    master = published(library)
    assert master.destination == destination
    page.goto(f"/jobs/packages/{master.pk}/play/")
    said = page.locator("[data-said]")
    expect(said).to_contain_text("2 qualities", timeout=WAIT)
    levels, subtitles = page.get_by_label("Quality"), page.get_by_label("Subtitles")
    expect(levels.locator("option")).to_have_count(3)
    expect(subtitles.locator("option")).to_have_text(["Off", *LANGUAGES.values()])
    playback = Playback(page)
    playback.watch()
    heights = set()
    for level in ("0", "1"):
        # Not while it loads: of a segment that came while it was told to change, hls.js does not tell the level.
        playback.wait_until_all_is_there(SECONDS)
        playback.seek(1.5)
        levels.select_option(level)
        expect(page.locator(f'[data-player][data-level="{level}"]')).to_have_count(1, timeout=WAIT)
        every_picture_at_a_seam(playback)
        heights.add(page.evaluate("() => document.querySelector('video').videoHeight"))
        expect(said).to_contain_text(f"Showing {max(heights)}p")
    assert heights == {480, 720}
    no_stall_at_a_seam(playback)
    for number, language in enumerate(LANGUAGES):
        subtitles.select_option(str(number))
        for at, word in ((1, "Hello"), (7, "Goodbye")):
            playback.seek(at)
            page.wait_for_function(SHOWN, arg=[number, f"{word} from {language}"], timeout=WAIT)
    if shots := os.environ.get("TEST_SHOTS"):
        page.screenshot(path=f"{shots}/player-{place}.png")
    phone = signed_in(viewer, width=390, height=800).new_page()
    phone.goto(f"/jobs/packages/{master.pk}/play/")
    expect(phone.locator("[data-said]")).to_contain_text("2 qualities", timeout=WAIT)
    assert phone.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if shots:
        phone.screenshot(path=f"{shots}/player-{place}-phone.png")
    with destination.open_storage() as storage:
        storage.delete([master.s3_path])
    phone.goto(f"/jobs/packages/{master.pk}/play/")
    wrong = phone.locator("[data-said].is-wrong")
    expect(wrong).to_contain_text("its master playlist is not in the storage", timeout=WAIT)
    if place == "bucket":
        Destination.objects.filter(pk=destination.pk).update(api_url="http://127.0.0.1:9")
        phone.reload()
        expect(wrong).to_contain_text("could not be reached: no connection", timeout=WAIT)


def every_picture_at_a_seam(playback: Playback) -> None:
    """All of the film in one range, and every picture beside a seam in its place."""
    playback.seek(0)
    playback.wait_until_all_is_there(SECONDS)
    for first in SEAMS:
        for number in (first - 1, first, first + 1):
            playback.wait_for_picture(number, RATE)


def no_stall_at_a_seam(playback: Playback) -> None:
    playback.play_through(SEAMS[0] / RATE - 0.5, SEAMS[-1] / RATE + 0.5)


def test_a_player_of_another_site_plays_from_the_bucket_when_it_is_let(
    browser: Any, library: Path, short: None, in_bucket: Destination, s3: S3, tmp_path: Path
) -> None:
    """By the policy and the rule that docs/deploy gives operators; without the rule its browser keeps all back."""
    master = published(library)
    assert master.remote_url.startswith(s3.url)
    (tmp_path / "index.html").write_text(ELSEWHERE)
    (tmp_path / "hls.min.js").symlink_to(site.BASE_DIR / "static" / "vendor" / "hls.js" / "hls.min.js")
    # Its server may have a certificate of an authority of its own, which this browser was never told of.
    context = browser.new_context(ignore_https_errors=True)
    with served(tmp_path) as origin:
        page = context.new_page()
        s3.let_everybody_read(in_bucket.bucket, in_bucket.prefix)
        page.goto(f"{origin}/index.html#{master.remote_url}")
        expect(page).to_have_title("manifestLoadError", timeout=WAIT)
        s3.open_to(origin, in_bucket.bucket, in_bucket.prefix)
        page.reload()
        expect(page).to_have_title("2 levels", timeout=WAIT)
        playback = Playback(page, player="own")
        playback.watch()
        every_picture_at_a_seam(playback)
        no_stall_at_a_seam(playback)
    context.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A site of its own for the files of a folder."""

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
