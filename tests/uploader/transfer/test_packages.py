"""A package on its way to a storage: its jobs, their order, and a master playlist that never lies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_save
from django.test import Client
from django.utils import timezone

from jobs import runner
from jobs.errors import Cancelled, ErrorKind
from jobs.events import Event
from jobs.lifecycle import Status
from jobs.running import Run, new_token, supervision
from tests.admin_pages import press
from tests.packages import make_package
from tests.s3 import S3, Asked, Trouble
from uploader import deciding, package_uploads, removing_packages
from uploader.catalog import Film
from uploader.deciding import Refused
from uploader.default_destinations import ensure_storage
from uploader.destinations import Destination
from uploader.explaining import why_not_running
from uploader.package_uploads import create_package_uploads
from uploader.transcoding.packages import Package, package_ready
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.transfer import hls
from uploader.upload_jobs import UploadJob, UploadType

# The thread that looks after a job has a connection of its own.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def film(db: None) -> Film:
    return Film.objects.create(title="Harbour", path="harbour.mp4")


@pytest.fixture
def package(film: Film, tmp_path: Path) -> Package:
    return make_package(tmp_path / "work" / "film-1" / "package", film)


@pytest.fixture
def queued(package: Package, storage: Destination) -> list[UploadJob]:
    return create_package_uploads(package, storage, now=timezone.now())


def run_all(jobs: list[UploadJob]) -> None:
    """Run everything of the lane that is due, and then what came due by it."""
    while runner.drain("upload", seconds=60):
        pass
    for job in jobs:
        job.refresh_from_db()


def states(jobs: list[UploadJob]) -> dict[str, str]:
    return {job.label: job.status for job in jobs}


def master_of(jobs: list[UploadJob]) -> UploadJob:
    [master] = [job for job in jobs if job.upload_type == UploadType.MASTER_PLAYLIST]
    return master


def at_once(jobs: list[UploadJob]) -> None:
    """What waits for its time is due now."""
    UploadJob.objects.filter(pk__in=[job.pk for job in jobs]).update(not_before_at=timezone.now())


# -------------------------------------------------------------------- its jobs


def test_a_ready_package_makes_its_jobs_by_itself(package: Package, settings: Any, tmp_path: Path) -> None:
    settings.STORAGE = {**settings.STORAGE, "url": (tmp_path / "storage").as_uri()}
    for _ in range(2):
        package_ready.send(sender=TranscodeJob, package=package, job=None)
    jobs = list(UploadJob.objects.order_by("pk"))
    assert [(job.job_type, job.label, job.content_type) for job in jobs] == [
        ("upload-hls-to-s3", "HD", "video"),
        ("upload-hls-to-s3", "SD", "video"),
        ("upload-hls-to-s3", "audio-en", "video"),
        ("upload-subtitle-to-s3", "English", "subtitle"),
        ("upload-subtitle-to-s3", "Indonesian", "subtitle"),
        ("upload-master-playlist", "master", "playlist"),
    ]
    assert {job.destination.name for job in jobs} == {"spaces"}
    hd, master = jobs[0], jobs[-1]
    folder = f"films/{package.resource_id}/{hd.package.rpartition('-')[2]}"
    assert (hd.resolution, hd.s3_path) == ("1280x720", f"{folder}/HD/index.m3u8")
    assert (hd.files_total, hd.bytes_total) == (
        6,
        sum(file.stat().st_size for file in package.renditions[0].files),
    )
    assert jobs[4].language == "id"
    assert master.s3_path == f"{folder}/master.m3u8"
    assert master.details["subtitleLanguages"] == ["en", "id"]
    assert master.details["renditions"] == ["HD", "SD", "audio-en"]


def test_another_encoding_goes_to_another_folder(package: Package, film: Film, tmp_path: Path) -> None:
    again = make_package(tmp_path / "again", film, seed=2)
    assert package_uploads.package_name(package) != package_uploads.package_name(again)
    assert package_uploads.package_name(package) == package_uploads.package_name(Package.load(package.root))


def test_two_that_queue_the_same_package_make_one_job_of_each(
    package: Package, storage: Destination, transactional_db: None
) -> None:
    gate, made = threading.Barrier(2), []

    def queue() -> None:
        gate.wait(30)
        try:
            made.append(len(create_package_uploads(package, storage, now=timezone.now())))
        finally:
            connection.close()

    threads = [threading.Thread(target=queue) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert made == [6, 6]
    assert UploadJob.objects.count() == 6


# -------------------------------------------------------------------- their order


def test_segments_go_before_playlists_and_the_master_last(
    package: Package, troubled: Destination, trouble: Trouble, s3: S3, bucket: str
) -> None:
    jobs = create_package_uploads(package, troubled, now=timezone.now())
    run_all(jobs)
    assert set(states(jobs).values()) == {Status.COMPLETED}
    order = [path.removeprefix(f"/{bucket}/") for path in trouble.sent()]
    folder = package_uploads.folder_of(jobs[0])
    assert order[-1] == f"{folder}/master.m3u8"
    for label in ("HD", "SD", "audio-en"):
        own = [path for path in order if f"/{label}/" in path]
        assert own[-1].endswith("index.m3u8") and len(own) == 6
    assert s3.keys(bucket) == sorted(
        f"{folder}/{file.relative_to(package.root).as_posix()}" for file in package.files
    )
    head = s3.client.head_object(Bucket=bucket, Key=order[-1])
    assert (head["ContentType"], head["CacheControl"]) == (
        "application/vnd.apple.mpegurl",
        "public, max-age=300",
    )
    vtt = s3.client.head_object(Bucket=bucket, Key=f"{folder}/subtitles/en.vtt")
    assert vtt["ContentType"] == "text/vtt; charset=utf-8"
    hd, master = jobs[0], master_of(jobs)
    assert (hd.files_done, hd.files_total, hd.bytes_sent, hd.progress) == (6, 6, hd.bytes_total, 100)
    assert master.remote_url.endswith(f"/{bucket}/{folder}/master.m3u8")


def test_a_folder_takes_a_package_as_a_bucket_does(package: Package, settings: Any, tmp_path: Path) -> None:
    settings.STORAGE = {**settings.STORAGE, "url": (tmp_path / "storage").as_uri()}
    jobs = create_package_uploads(package, ensure_storage(timezone.now()), now=timezone.now())
    run_all(jobs)
    assert set(states(jobs).values()) == {Status.COMPLETED}
    root = tmp_path / "storage" / package_uploads.folder_of(jobs[0])
    for file in package.files:
        assert (root / file.relative_to(package.root)).read_bytes() == file.read_bytes()


def test_the_master_waits_for_every_part_and_says_so(queued: list[UploadJob]) -> None:
    master = master_of(queued)
    now = timezone.now()
    assert master not in UploadJob.objects.claimable(now)
    assert "HD" in why_not_running(master, now)
    parts = [job for job in queued if job != master]
    UploadJob.objects.filter(pk__in=[job.pk for job in parts[1:]]).update(status=Status.COMPLETED)
    assert master not in UploadJob.objects.claimable(now)
    UploadJob.objects.filter(pk=parts[0].pk).update(status=Status.COMPLETED)
    assert master in UploadJob.objects.claimable(now)


def test_progress_tells_files_and_bytes(
    package: Package, troubled: Destination, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs import running

    monkeypatch.setattr(running, "LOOK_EVERY_SECONDS", 0.001)
    monkeypatch.setattr(running, "WRITE_EVERY_SECONDS", 0.0)
    queued = create_package_uploads(package, troubled, now=timezone.now())
    # Nothing arrives before the first word of it: however busy the machine is, there is time to tell.
    trouble.gate = told = threading.Event()

    def hear(instance: Event, **_: Any) -> None:
        if instance.type == "uploadProgress":
            told.set()

    post_save.connect(hear, sender=Event)
    try:
        run_all(queued)
    finally:
        post_save.disconnect(hear, sender=Event)
    said = [event.data for event in Event.objects.filter(topic="jobs", type="uploadProgress")]
    of_hd = [data for data in said if data["label"] == "HD"]
    assert of_hd, "no progress was told"
    assert {data["clientId"] for data in of_hd} == {queued[0].client_id}
    assert {(data["bytesTotal"], data["filesTotal"]) for data in of_hd} == {(queued[0].bytes_total, 6)}
    assert of_hd[-1]["filesDone"] <= 6 and of_hd[-1]["bytesSent"] <= queued[0].bytes_total


# -------------------------------------------------------------------- a master that never lies


def promises(s3: S3, bucket: str, folder: str) -> list[str]:
    """What the stored master playlist, and the playlists it names, name and the bucket does not have."""
    keys = set(s3.keys(bucket))
    if f"{folder}/master.m3u8" not in keys:
        return []
    missing, line = [], ["master.m3u8"]
    while line:
        name = line.pop()
        body = s3.client.get_object(Bucket=bucket, Key=f"{folder}/{name}")["Body"].read().decode()
        here = name.rpartition("/")[0]
        for uri in hls._uris(body):
            path = "/".join(filter(None, (here, uri)))
            if f"{folder}/{path}" not in keys:
                missing.append(path)
            elif path.endswith(".m3u8"):
                line.append(path)
    return missing


def finish(jobs: list[UploadJob], s3: S3, bucket: str, *, rounds: int = 5) -> None:
    """Go on as workers and people do until all is there; nothing that is not there is ever promised."""
    folder = package_uploads.folder_of(jobs[0])
    for _ in range(rounds):
        run_all(jobs)
        assert promises(s3, bucket, folder) == []
        if all(job.status == Status.COMPLETED for job in jobs):
            break
        Destination.objects.update(held_until=None, held_kind="", held_reason="")
        for job in jobs:
            # A part takes its master along.
            job.refresh_from_db()
            if job.can_retry:
                deciding.retry(job, who="olga", now=timezone.now())
        at_once(jobs)
    assert set(states(jobs).values()) == {Status.COMPLETED}
    assert f"{folder}/master.m3u8" in s3.keys(bucket)


def test_a_part_that_was_cancelled_keeps_the_master_back_until_it_is_retried(
    queued: list[UploadJob], s3: S3, bucket: str
) -> None:
    hd, master = queued[0], master_of(queued)
    deciding.cancel(hd, who="olga", now=timezone.now())
    run_all(queued)
    assert (hd.status, master.status) == (Status.CANCELLED, Status.FAILED)
    assert "HD cancelled" in master.error_message
    assert not [key for key in s3.keys(bucket) if key.endswith("master.m3u8")]
    client = hd.client_id
    deciding.retry(hd, who="olga", now=timezone.now())
    assert hd.client_id != client
    run_all(queued)
    assert set(states(queued).values()) == {Status.COMPLETED}
    assert promises(s3, bucket, package_uploads.folder_of(hd)) == []


def test_an_object_that_vanished_keeps_the_master_back(queued: list[UploadJob], s3: S3, bucket: str) -> None:
    master = master_of(queued)
    UploadJob.objects.filter(pk=master.pk).update(not_before_at=timezone.now() + timedelta(hours=1))
    run_all(queued)
    folder = package_uploads.folder_of(master)
    s3.client.delete_object(Bucket=bucket, Key=f"{folder}/SD/seg_00002.m4s")
    at_once([master])
    run_all(queued)
    assert master.status == Status.FAILED
    assert master.error_kind == ErrorKind.REJECTED
    assert "SD/seg_00002.m4s" in master.error_message
    assert f"{folder}/master.m3u8" not in s3.keys(bucket)


@pytest.mark.parametrize(
    "fault", [(503, "SlowDown"), "reset", "reset after", "corrupt", (500, "InternalError")]
)
def test_whatever_the_storage_answers_the_package_is_whole_or_hidden(
    package: Package, troubled: Destination, trouble: Trouble, s3: S3, bucket: str, fault: Any
) -> None:
    seen = [0]

    def every_fifth(asked: Asked) -> Any:
        seen[0] += 1
        return fault if seen[0] % 5 == 0 else None

    trouble.fault = every_fifth
    jobs = create_package_uploads(package, troubled, now=timezone.now())
    folder = package_uploads.folder_of(jobs[0])
    finish(jobs, s3, bucket, rounds=10)
    assert s3.keys(bucket) == sorted(
        f"{folder}/{file.relative_to(package.root).as_posix()}" for file in package.files
    )


@pytest.mark.parametrize(
    ("fault", "kind"),
    [((403, "SignatureDoesNotMatch"), "credentials"), ((404, "NoSuchBucket"), "credentials"),
     ((403, "RequestTimeTooSkewed"), "credentials"), ((403, "QuotaExceeded"), "quota")],
)  # fmt: skip
def test_what_a_person_has_to_mend_holds_the_storage_and_uses_no_attempt(
    package: Package, troubled: Destination, trouble: Trouble, fault: Any, kind: str
) -> None:
    trouble.fault = lambda asked: fault
    jobs = create_package_uploads(package, troubled, now=timezone.now())
    run_all(jobs)
    troubled.refresh_from_db()
    assert troubled.held_kind == kind
    assert {job.status for job in jobs} == {Status.WAITING}
    assert {job.attempt for job in jobs} == {0}
    trouble.fault = lambda asked: None
    troubled.test_connection(who="olga", now=timezone.now())
    troubled.resume(who="olga", now=timezone.now())
    at_once(jobs)
    run_all(jobs)
    assert set(states(jobs).values()) == {Status.COMPLETED}


def test_a_worker_given_up_for_dead_publishes_nothing_and_breaks_nothing(
    queued: list[UploadJob], s3: S3, bucket: str
) -> None:
    """Two workers on one master: the first is frozen before it publishes, its lease is taken, the second finishes."""
    from uploader import delivering_packages

    master = master_of(queued)
    UploadJob.objects.filter(pk=master.pk).update(not_before_at=timezone.now() + timedelta(hours=1))
    run_all(queued)
    at_once([master])
    [frozen] = UploadJob.objects.filter(pk=master.pk).claim(new_token("first"), now=timezone.now())
    frozen.rescue(now=timezone.now())
    stale = UploadJob.objects.get(pk=master.pk)
    stale.leased_by, stale.status = "first#gone", Status.ACTIVE
    runner.execute(stale)
    assert not [key for key in s3.keys(bucket) if key.endswith("master.m3u8")]
    run_all(queued)
    assert master.status == Status.COMPLETED
    assert promises(s3, bucket, package_uploads.folder_of(master)) == []
    present = master.destination.open_storage().listing(package_uploads.folder_of(master))
    assert delivering_packages.missing_of(master, present, package_uploads.load(master)) == []


def test_a_cancel_in_mid_upload_ends_the_job_and_a_retry_sends_the_rest(
    film: Film, troubled: Destination, trouble: Trouble, tmp_path: Path, s3: S3, bucket: str
) -> None:
    package = make_package(
        tmp_path / "work" / "film-2" / "p", film, labels=("HD",), languages=(), segments=60
    )
    jobs = create_package_uploads(package, troubled, now=timezone.now())
    [claimed] = UploadJob.objects.filter(pk=jobs[0].pk).claim(new_token("worker"), now=timezone.now())
    run = Run(claimed)

    def stop_meanwhile(asked: Asked) -> None:
        if trouble.at_once >= 20:
            run.interrupt(Cancelled())

    trouble.fault = stop_meanwhile
    trouble.gate = threading.Event()
    with pytest.raises(Cancelled), supervision.over(run):
        claimed.perform(run)
    claimed.cancel(who="olga", now=timezone.now())
    claimed.acknowledge_cancel(now=timezone.now())
    trouble.gate.set()
    trouble.gate = None
    trouble.fault = lambda asked: None
    run_all(jobs)
    assert (jobs[0].status, master_of(jobs).status) == (Status.CANCELLED, Status.FAILED)
    assert not [key for key in s3.keys(bucket) if key.endswith("master.m3u8")]
    deciding.retry(jobs[0], who="olga", now=timezone.now())
    run_all(jobs)
    assert set(states(jobs).values()) == {Status.COMPLETED}
    assert promises(s3, bucket, package_uploads.folder_of(jobs[0])) == []


# -------------------------------------------------------------------- what is no package


def test_files_that_are_gone_fail_the_job_for_good(queued: list[UploadJob], package: Package) -> None:
    package.renditions[0].segments[1].unlink()
    run_all(queued)
    assert set(states(queued).values()) == {Status.FAILED}
    assert "Transcode" in queued[0].error_message
    (package.root / "package.json").unlink()
    with pytest.raises(Refused, match="files are gone"):
        package.renditions[0].playlist.parent.rename(package.root / "elsewhere")
        deciding.retry(queued[0], who="olga", now=timezone.now())


@pytest.mark.parametrize(
    "line",
    ["../../etc/passwd", "/etc/passwd", "https://example.com/seg.ts", '#EXT-X-MAP:URI="../../../x.mp4"'],
)
def test_a_playlist_that_names_what_is_elsewhere_is_refused(package: Package, line: str) -> None:
    playlist = package.renditions[0].playlist
    playlist.write_text(f"#EXTM3U\n{line}\n")
    with pytest.raises(hls.BadPlaylist, match="not in its package"):
        hls.everything_named(package.master, package.root)


def test_a_link_out_of_the_package_is_not_followed(
    queued: list[UploadJob], package: Package, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    segment = package.renditions[0].segments[1]
    segment.unlink()
    segment.symlink_to(secret)
    run_all(queued)
    assert (queued[0].status, master_of(queued).status) == (Status.FAILED, Status.FAILED)


# -------------------------------------------------------------------- removal


def test_a_package_is_removed_only_when_nothing_of_it_is_under_way(
    queued: list[UploadJob], s3: S3, bucket: str
) -> None:
    with pytest.raises(Refused, match="cancel it first"):
        removing_packages.remove_package(queued[0], who="olga", now=timezone.now())
    run_all(queued)
    other = "films/999/abc/HD/seg.ts"
    s3.client.put_object(Bucket=bucket, Key=other, Body=b"x")
    count = removing_packages.remove_package(master_of(queued), who="olga", now=timezone.now())
    assert count == 23
    assert s3.keys(bucket) == [other]
    for job in queued:
        job.refresh_from_db()
        assert (job.remote_status, job.remote_url) == ("removed", "")
    assert Event.objects.filter(type="removed", who="olga").count() == 6


def test_the_admin_deletes_a_package_after_asking_and_says_why_not(
    queued: list[UploadJob], operator_client: Client, viewer_client: Client, s3: S3, bucket: str
) -> None:
    page = f"/admin/uploader/uploadjob/{master_of(queued).pk}/"
    master = master_of(queued)
    assert "Delete from storage" not in operator_client.get(page + "change/").content.decode()
    run_all(queued)
    assert "Delete from storage" in operator_client.get(page + "change/").content.decode()
    press(viewer_client, master, "remove_package")
    assert len(s3.keys(bucket)) == 23
    assert "deleted (23 objects)" in press(operator_client, master, "remove_package")
    assert s3.keys(bucket) == []


@pytest.mark.parametrize("folder", ["", "films", "films/3", "../x/y/z", "films/3/../../x"])
def test_no_more_than_a_package_is_ever_cleared(storage: Destination, folder: str) -> None:
    from uploader.platforms.errors import Rejected
    from uploader.transfer.clearing import clear

    with pytest.raises(Rejected):
        clear(storage.open_storage(), folder)


# -------------------------------------------------------------------- the CDN


def test_the_cdn_is_told_to_forget_and_its_refusal_fails_nothing(
    queued: list[UploadJob], storage: Destination, settings: Any, cdn: Callable[[int], list[Any]]
) -> None:
    storage.cdn_endpoint, storage.cdn_token = "19f06b6a-3ace-4315-b086-499a0e521b76", "dop_v1_hidden"
    storage.save()
    asked = cdn(204)
    run_all(queued)
    [(path, token, body)] = asked
    assert path == "/v2/cdn/endpoints/19f06b6a-3ace-4315-b086-499a0e521b76/cache"
    assert token == "Bearer dop_v1_hidden"
    assert body == {"files": [f"{package_uploads.folder_of(queued[0])}/*"]}
    assert "dop_v1_hidden" not in " ".join(event.why for event in Event.objects.all())


def test_a_purge_that_fails_does_not_fail_the_upload(
    queued: list[UploadJob], storage: Destination, cdn: Callable[[int], list[Any]]
) -> None:
    storage.cdn_endpoint, storage.cdn_token = "19f06b6a-3ace-4315-b086-499a0e521b76", "dop_v1_hidden"
    storage.save()
    cdn(429)
    run_all(queued)
    assert master_of(queued).status == Status.COMPLETED
    assert Event.objects.get(type="cdn_purge").why.endswith("DigitalOcean answered 429.")
