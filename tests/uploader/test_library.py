import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import ErrorKind, Hold, JobError
from uploader import library

pytestmark = pytest.mark.usefixtures("library_root")

ODD_NAMES = [
    'it\'s "quoted".mp4',
    "🎬 ポート é.mp4",
    "two\nlines.mp4",
    "tab\tand \x1b[31mcolour.mp4",
    " spaces around .mp4",
    "-starts-with-a-dash.mp4",
    "concat:a|b.mp4",
    "http:__example.com_a.mp4",
    "%(percent)s {brace} $HOME `id` ;rm.mp4",
    "back\\slash.mp4",
    "dots...mp4",
    "e\u0301.mp4",
    "a" * 251 + ".mp4",
]
TRAVERSALS = [
    "../secret.txt",
    "../../etc/passwd",
    "harbour/../../secret.txt",
    "./../secret.txt",
    "harbour/./../../secret.txt",
    "..",
    "/etc/passwd",
    "//etc/passwd",
    "/",
    "~/secret.txt/../../../../../etc/passwd",
    "link-to-file",
    "link-to-folder/secret.txt",
    "link-to-parent/secret.txt",
    "chain-of-links",
    "/proc/self/environ",
]


@pytest.fixture
def library_root(settings: Any, tmp_path: Path) -> Path:
    """A library that is not empty: an empty one counts as a disk that is away."""
    settings.LIBRARY_ROOT = tmp_path / "library"
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "other.txt").touch()
    return tmp_path / "library"


@pytest.fixture
def hostile(library_root: Path) -> Path:
    """A library full of ways out, beside a file that must never be read."""
    outside = library_root.parent
    (outside / "secret.txt").write_text("secret")
    (library_root / "harbour").mkdir()
    (library_root / "link-to-file").symlink_to(outside / "secret.txt")
    (library_root / "link-to-folder").symlink_to(outside)
    (library_root / "link-to-parent").symlink_to("..")
    (library_root / "chain-of-links").symlink_to("link-to-file")
    return library_root


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_is_found_and_opened_whatever_characters_its_name_has(library_root: Path, name: str) -> None:
    (library_root / "harbour").mkdir()
    (library_root / "harbour" / name).write_bytes(b"film")
    assert library.resolve(f"harbour/{name}") == library_root / "harbour" / name
    with library.open_video(f"harbour/{name}") as file:
        assert file.read() == b"film"


@pytest.mark.parametrize("path", TRAVERSALS)
@pytest.mark.parametrize("door", [library.resolve, library.open_video, library.complete])
def test_no_path_leads_out_of_the_library(hostile: Path, path: str, door: object) -> None:
    with pytest.raises(library.OutsideLibrary) as refused:
        door(path)  # type: ignore[operator]
    assert "library" in str(refused.value) or "upwards" in str(refused.value)


@pytest.mark.parametrize("path", ["", " ", "a\0b.mp4", "\0", "harbour\0/../../etc/passwd"])
def test_a_path_without_a_name_or_with_nul_is_refused(hostile: Path, path: str) -> None:
    for door in (library.resolve, library.open_video):
        with pytest.raises(library.NotAFile):
            door(path)


def test_a_missing_file_is_told_with_its_path_and_the_next_step(hostile: Path) -> None:
    with pytest.raises(library.FileMissing) as missing:
        library.resolve("harbour/07.mp4")
    assert str(missing.value) == "File missing at harbour/07.mp4. Restore it, then retry."
    assert missing.value.permanent and missing.value.kind == ErrorKind.REJECTED


def test_a_file_in_the_place_of_a_folder_is_missing(hostile: Path) -> None:
    (hostile / "a.mp4").touch()
    with pytest.raises(library.FileMissing):
        library.open_video("a.mp4/b.mp4")


def test_folders_pipes_sockets_and_devices_are_no_files(
    hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(hostile / "pipe.mp4")
    monkeypatch.chdir(hostile)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.mp4")
        for path, kind in [("harbour", "folder"), ("pipe.mp4", "pipe"), ("socket.mp4", "socket")]:
            for door in (library.resolve, library.open_video):
                with pytest.raises(library.NotAFile, match=kind):
                    door(path)


def test_a_link_that_stays_inside_is_followed(hostile: Path) -> None:
    (hostile / "harbour" / "01.mp4").write_bytes(b"film")
    (hostile / "first.mp4").symlink_to("harbour/01.mp4")
    assert library.resolve("first.mp4") == hostile / "harbour" / "01.mp4"
    with library.open_video("first.mp4") as file:
        assert file.read() == b"film"


def test_a_loop_of_links_is_no_file(hostile: Path) -> None:
    (hostile / "a.mp4").symlink_to("b.mp4")
    (hostile / "b.mp4").symlink_to("a.mp4")
    with pytest.raises(library.NotAFile):
        library.resolve("a.mp4")


def test_a_name_too_long_for_the_disk_is_no_file(hostile: Path) -> None:
    with pytest.raises(library.NotAFile):
        library.resolve("a" * 300)


@pytest.mark.parametrize("swapped", ["file", "folder", "pipe"])
def test_open_notices_a_swap_behind_its_check(
    hostile: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    film = hostile / "harbour" / "secret.txt"
    film.write_bytes(b"film")
    checked = library.resolve

    def swap_after(path: str) -> Path:
        real = checked(path)
        film.unlink()
        if swapped == "folder":
            film.parent.rmdir()
            film.parent.symlink_to(hostile.parent)
        elif swapped == "file":
            film.symlink_to(hostile.parent / "secret.txt")
        else:
            os.mkfifo(film)
        return real

    monkeypatch.setattr(library, "resolve", swap_after)
    with pytest.raises(library.LibraryError):
        library.open_video("harbour/secret.txt")


def test_a_library_that_is_away_makes_jobs_wait_and_condemns_no_file(settings: Any, tmp_path: Path) -> None:
    settings.LIBRARY_ROOT = tmp_path / "unmounted"
    with pytest.raises(library.LibraryUnavailable) as away:
        library.resolve("harbour/07.mp4")
    assert isinstance(away.value, Hold) and not away.value.permanent
    (tmp_path / "unmounted").mkdir()
    with pytest.raises(library.LibraryUnavailable, match="empty"):
        library.resolve("harbour/07.mp4")


def test_a_library_that_is_itself_a_link_works(settings: Any, library_root: Path) -> None:
    (library_root / "a.mp4").write_bytes(b"film")
    settings.LIBRARY_ROOT = library_root.parent / "link"
    settings.LIBRARY_ROOT.symlink_to(library_root)
    with library.open_video("a.mp4") as file:
        assert file.read() == b"film"


@pytest.mark.parametrize("mark", library.INCOMPLETE_MARKS)
def test_a_running_download_is_seen_by_its_name_or_its_neighbour(library_root: Path, mark: str) -> None:
    (library_root / "a.mp4").touch()
    (library_root / f"b.mp4{mark}").touch()
    assert library.complete("a.mp4").st_size == 0
    with pytest.raises(library.Incomplete):
        library.complete(f"b.mp4{mark}")
    (library_root / f"a.mp4{mark}").touch()
    with pytest.raises(library.Incomplete, match="still being downloaded"):
        library.complete("a.mp4")


def test_what_cannot_be_printed_is_escaped_for_people() -> None:
    assert library.shown("a\nb\x1b[31m\u202e\udcff🎬é") == "a\\nb\\x1b[31m\\u202e\\udcff🎬é"


def test_a_checksum_covers_the_whole_file_and_tells_its_progress(library_root: Path) -> None:
    (library_root / "a.mp4").write_bytes(b"x" * 3_000_000)
    heard: list[int] = []
    with library.open_video("a.mp4") as file:
        file.read(5)
        digest = library.sha256(file, on_bytes=heard.append)
    assert digest == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert sum(heard) == 3_000_000


def test_every_error_of_the_library_is_a_job_error_with_a_message() -> None:
    for error in (library.OutsideLibrary, library.FileMissing, library.NotAFile, library.LibraryUnavailable):
        assert issubclass(error, JobError) and "." in str(error())
