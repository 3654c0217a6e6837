"""A package's files through the page: only its own, only for the staff, whole or in ranges, from either storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import AsyncClient, Client
from django.utils import timezone

from jobs.lifecycle import Status
from tests.packages import make_package
from tests.s3 import S3
from uploader import package_uploads, playing
from uploader.catalog import Film
from uploader.default_destinations import ensure_storage
from uploader.destinations import Destination
from uploader.package_uploads import create_package_uploads
from uploader.transcoding.packages import Package
from uploader.upload_jobs import UploadJob, UploadType


@pytest.fixture
def package(db: None, tmp_path: Path) -> Package:
    film = Film.objects.create(title="Harbour", path="harbour.mp4")
    return make_package(tmp_path / "work" / "film-1" / "package", film)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Destination:
    if request.param == "bucket":
        return request.getfixturevalue("storage")
    settings.STORAGE = {**settings.STORAGE, "url": (tmp_path / "storage").as_uri()}
    return ensure_storage(timezone.now())


@pytest.fixture
def master(package: Package, place: Destination) -> UploadJob:
    """The job of a package that is in the storage."""
    jobs = create_package_uploads(package, place, now=timezone.now())
    with place.open_storage() as storage:
        folder = package_uploads.folder_of(jobs[0])
        for file in package.files:
            storage.put(f"{folder}/{file.relative_to(package.root).as_posix()}", file.read_bytes(), {})
    UploadJob.objects.update(status=Status.COMPLETED)
    return UploadJob.objects.get(upload_type=UploadType.MASTER_PLAYLIST)


def get(client: Client, master: UploadJob, path: str, **headers: str) -> Any:
    return client.get(f"/jobs/packages/{master.pk}/files/{path}", headers=headers)


def test_every_file_of_the_package_comes_with_its_type(
    viewer_client: Client, master: UploadJob, package: Package
) -> None:
    for file in package.files:
        answer = get(viewer_client, master, file.relative_to(package.root).as_posix())
        assert (answer.status_code, answer.content) == (200, file.read_bytes())
        assert answer["Content-Length"] == str(file.stat().st_size)
    assert answer["Content-Type"] == "application/vnd.apple.mpegurl"
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("wanted", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10), ("bytes=1990-", 206, 1990, 2000), ("bytes=-5", 206, 1995, 2000),
        ("bytes=1990-99999", 206, 1990, 2000), ("bytes=0-", 200, 0, 2000), ("chunks=1-2", 200, 0, 2000),
        ("bytes=5-2", 200, 0, 2000), ("bytes=2000-", 416, 0, 0), ("bytes=-0", 416, 0, 0),
    ],
)  # fmt: skip
def test_a_range_is_answered_as_asked(
    viewer_client: Client, master: UploadJob, package: Package, wanted: str, status: int, start: int, end: int
) -> None:
    body = package.renditions[0].segments[1].read_bytes()
    answer = get(viewer_client, master, "HD/seg_00000.m4s", Range=wanted)
    assert (answer.status_code, answer.content) == (status, body[start:end])
    if status == 206:
        assert answer["Content-Range"] == f"bytes {start}-{end - 1}/2000"
    if status == 416:
        assert answer["Content-Range"] == "bytes */2000"


@pytest.mark.parametrize(
    "path",
    ["../../../../etc/passwd", "HD/../../1/x.m3u8", "HD//index.m3u8", "/HD/index.m3u8", "HD/%2e%2e/%2e%2e/x.ts",
     ".hidden.ts", "HD\\index.m3u8", "HD/seg_00000.m4s\0.ts", "package.txt", "HD/nothing.ts", "HD/.x/y.ts"],
)  # fmt: skip
def test_nothing_else_is_ever_given(viewer_client: Client, master: UploadJob, path: str) -> None:
    assert get(viewer_client, master, path).status_code == 404


def test_only_the_staff_who_may_look_at_uploads(
    client: Client, master: UploadJob, django_user_model: Any
) -> None:
    assert get(client, master, "master.m3u8").status_code == 403
    assert client.get(f"/jobs/packages/{master.pk}/play/").status_code == 302
    plain = django_user_model.objects.create_user("sam", password="x", is_staff=True)
    client.force_login(plain, backend="django.contrib.auth.backends.ModelBackend")
    assert get(client, master, "master.m3u8").status_code == 403
    assert client.get(f"/jobs/packages/{master.pk}/play/").status_code == 403


def test_only_what_is_published_is_played(viewer_client: Client, master: UploadJob) -> None:
    part = UploadJob.objects.filter(upload_type=UploadType.HLS).first()
    assert part is not None and viewer_client.get(f"/jobs/packages/{part.pk}/play/").status_code == 404
    page = viewer_client.get(f"/jobs/packages/{master.pk}/play/").content.decode()
    assert f"/jobs/packages/{master.pk}/files/master.m3u8" in page
    piece = viewer_client.get(
        f"/jobs/packages/{master.pk}/play/", headers={"HX-Request": "true"}
    ).content.decode()
    assert "data-player" in piece and "<html" not in piece
    for columns in ({"remote_status": "removed"}, {"remote_status": "", "status": Status.FAILED}):
        UploadJob.objects.filter(pk=master.pk).update(**columns)
        assert viewer_client.get(f"/jobs/packages/{master.pk}/play/").status_code == 404
        assert get(viewer_client, master, "master.m3u8").status_code == 404


def test_a_storage_that_is_away_is_said_so(viewer_client: Client, package: Package, db: None) -> None:
    from tests.s3 import make_storage

    away = make_storage(S3("http://127.0.0.1:9"), "bucket")
    jobs = create_package_uploads(package, away, now=timezone.now())
    UploadJob.objects.update(status=Status.COMPLETED)
    answer = get(viewer_client, jobs[-1], "master.m3u8")
    assert answer.status_code == 502
    assert "no connection" in answer.content.decode() and "testsecret" not in answer.content.decode()


@pytest.mark.django_db(transaction=True)
async def test_what_is_long_is_passed_on_in_pieces(
    viewer_client: Client, master: UploadJob, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "PIECE_BYTES", 300)
    client = AsyncClient()
    client.cookies = viewer_client.cookies
    answer: Any = await client.get(f"/jobs/packages/{master.pk}/files/HD/seg_00001.m4s")
    assert answer.streaming
    body = b"".join([piece async for piece in answer.streaming_content])
    assert body == package.renditions[0].segments[2].read_bytes()


def test_the_page_of_each_of_its_uploads_leads_to_the_player(
    viewer_client: Client, master: UploadJob
) -> None:
    link = f'href="/jobs/packages/{master.pk}/play/"'
    for job in UploadJob.objects.all():
        assert link in viewer_client.get(f"/jobs/upload/{job.pk}/").content.decode()
    UploadJob.objects.filter(pk=master.pk).update(status=Status.FAILED)
    assert link not in viewer_client.get(f"/jobs/upload/{master.pk}/").content.decode()
