"""The way of one video to Dailymotion: check, reserve, send, create, wait until it is published.

Every step asks first what an earlier attempt already reached. Before the one call that cannot be repeated
(create) the intent is written; where an intent has no outcome the platform is asked before anything is sent.

A worker that is frozen past its lease and wakes up cannot be kept from sending a request it had begun: no
fence of ours reaches the platform. So the lease is renewed, and looked at once more, directly before create;
what is left is a freeze between that look and the first byte of the request, longer than the lease and the
two looks of a successor together. For it there is a second line: the first to record its video on the job
wins, and whoever comes second deletes the video it has just made. Only if that deletion fails, too, are there
two; the job's history then says so.
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from django.conf import settings
from django.utils import timezone

from jobs import events
from jobs.errors import ErrorKind, Hold, Parked
from jobs.running import Run, patiently
from uploader import ledger, library, live
from uploader.catalog import Episode, Film
from uploader.checking import checked
from uploader.platforms.dailymotion import AccountLimits, Dailymotion, NewVideo, RemoteVideo, VideoState
from uploader.platforms.errors import (
    NotFound,
    OutcomeUnknown,
    PlatformError,
    Rejected,
    SourceChanged,
    Unavailable,
    UploadExpired,
)
from uploader.upload_jobs import UploadJob

log = logging.getLogger(__name__)

# Clocks of two machines differ; a video is looked for from a little before its creation was intended.
CLOCK_SKEW = timedelta(minutes=5)
# How long a worker itself waits for the encoder before it lets the job go and comes back later.
PATIENCE_SECONDS = 60
LONGEST_POLL_SECONDS = 300


def deliver(job: UploadJob, run: Run) -> None:
    """One attempt at the job. Returns when the video is published; raises what stopped it."""
    refuse_to_start_now(job)
    try:
        with job.destination.open_dailymotion() as client:
            if not job.remote_id and job.create_intended_at:
                find_created(job, run, client)
            if not job.remote_id:
                video = checked(job.video)
                new = description_of(job)
                size = ledger.Size(1, video.duration_seconds or 0, video.size_bytes or 0)
                ledger.refuse_oversized(job.destination, size)
                ledger.reserve(job, size, now=timezone.now())
                send(job, run, client, video)
                create(job, run, client, new)
            await_published(job, run, client)
    except (Parked, library.LibraryUnavailable):
        # Neither says anything about the destination.
        raise
    except Hold as reason:
        hold_destination(job, reason)
        raise
    job.destination.note_success(now=timezone.now())


def refuse_to_start_now(job: UploadJob) -> None:
    """Raises Hold while the destination is paused, switched off, or waits because the platform said so.

    A video that is there already is looked after meanwhile: neither a pause nor a quota is about it.
    """
    is_fresh, now = not UploadJob.destination.is_cached(job), timezone.now()
    destination = job.destination
    if not is_fresh:
        destination.refresh_from_db()
    if destination.is_held(now) and not (job.remote_id and destination.held_kind == ErrorKind.QUOTA):
        hold = Hold(destination.held_reason, until=destination.held_until)
        hold.kind = ErrorKind(destination.held_kind or ErrorKind.TRANSIENT)
        raise hold
    if not job.remote_id and (why := destination.why_not_now(now)):
        raise Hold(why, until=destination.paused_until if destination.is_paused(now) else None)


def description_of(job: UploadJob) -> NewVideo:
    """What the platform will be told about the video. Raises Rejected, before a byte has moved."""
    destination = job.destination
    return NewVideo(
        title=job.title,
        description=job.description,
        tags=(*[tag.strip() for tag in destination.tags.split(",") if tag.strip()], job.tag),
        category=destination.category,
        language=destination.language,
        is_for_kids=destination.is_for_kids,
        visibility=destination.visibility,
    )


def send(job: UploadJob, run: Run, client: Dailymotion, video: Episode | Film) -> None:
    """Bring the file's bytes to the platform, unless an earlier attempt did and the file is the same."""
    if job.source_url and job.source_fingerprint == video.fingerprint:
        return
    limits = client.limits()
    if limits:
        refuse_over_account_limits(limits, video)
    size_bytes = video.size_bytes or 0
    run.stage(
        "uploading", progress=0, bytes_sent=0, bytes_total=size_bytes, bytes_per_second=0.0,
        source_url="", source_hash="",
    )  # fmt: skip
    session = client.open_upload()

    def note(done: int, total: int, bytes_per_second: float) -> dict[str, Any]:
        job.bytes_sent, job.bytes_per_second = done, bytes_per_second
        live.upload_progress(job, done=done, total=total, bytes_per_second=bytes_per_second)
        return {"bytes_sent": done, "bytes_per_second": bytes_per_second}

    with library.open_video(video.path) as file, run.moving(note):
        uploaded = client.send_file(
            session,
            file,
            filename=PurePosixPath(video.path).name,
            size_bytes=size_bytes,
            on_progress=lambda sent: run.progress(sent, size_bytes),
        )
        refuse_changed(file, video)
    run.save(
        source_url=uploaded.url,
        source_hash=uploaded.hash,
        source_fingerprint=video.fingerprint,
        bytes_sent=size_bytes,
        progress=99,
    )


def refuse_changed(file: BinaryIO, video: Episode | Film) -> None:
    """Raises SourceChanged when what was sent is not the file that was checked, or was written to."""
    if library.fingerprint(os.fstat(file.fileno())) != video.fingerprint:
        raise SourceChanged(
            f"{video.subject}: the file {library.shown(video.path)} changed during the upload."
        )


def refuse_over_account_limits(limits: AccountLimits, video: Episode | Film) -> None:
    """Raises Rejected when the account itself says that the video is too large."""
    if limits.max_video_bytes and (video.size_bytes or 0) > limits.max_video_bytes:
        raise Rejected(f"The account takes files of at most {limits.max_video_bytes:,} bytes.")
    if limits.max_video_seconds and (video.duration_seconds or 0) > limits.max_video_seconds:
        raise Rejected(f"The account takes videos of at most {limits.max_video_seconds / 60:.0f} minutes.")


def create(job: UploadJob, run: Run, client: Dailymotion, new: NewVideo) -> None:
    """Create and publish the video, once. The intent is written first, the remote id alone and at once."""
    run.stage_for_good("creating", create_intended_at=timezone.now(), reconcile_misses=0)
    try:
        remote = client.create_video(job.source_url, new)
    except OutcomeUnknown:
        # The next attempt asks the platform before it sends anything.
        raise
    except UploadExpired:
        run.save(create_intended_at=None, source_url="", source_hash="")
        raise
    except PlatformError:
        run.save(create_intended_at=None)
        raise
    if not record(job, remote.video_id):
        withdraw(job, remote, client)
    # The platform counts a video from its creation.
    ledger.count_from(job, now=timezone.now())
    run.save(remote_url=remote.url, remote_status=remote.status)


def record(job: UploadJob, remote_id: str, **columns: Any) -> bool:
    """Write the platform's id on the job, and what is known with it, unless another id is there; whether it is ours.

    Not under the lease: that the video or file exists is true whoever holds the job by now, and its holder must know.
    """
    now = timezone.now()
    known = {"remote_id": remote_id, "remote_created_at": now, **columns}
    rows = UploadJob.objects.filter(pk=job.pk)

    def write() -> int:
        return rows.filter(remote_id="").update(**known, updated_at=now)

    if patiently(write) == 1:
        for name, value in known.items():
            setattr(job, name, value)
        return True
    job.refresh_from_db(fields=list(known))
    return job.remote_id == remote_id


def withdraw(job: UploadJob, remote: RemoteVideo, client: Dailymotion) -> None:
    """Delete the video this worker made although another worker's was recorded first."""
    twice = f"{job.destination} got the video twice: {job.remote_id} and {remote.video_id}."
    try:
        client.delete_video(remote.video_id)
    except PlatformError as error:
        log.error("%s %s could not be deleted: %s", twice, remote.video_id, error)
        why = f"{twice} Delete {remote.video_id} there: {error}"
    else:
        why = f"{twice} {remote.video_id} was deleted at once."
    events.record(job, "duplicate", now=timezone.now(), why=why, attempt=job.attempt)


def find_created(job: UploadJob, run: Run, client: Dailymotion) -> None:
    """Ask the platform whether a creation whose answer was lost took place.

    Found: its id is remembered. Not found twice, RECONCILE_WAIT_SECONDS apart: it may be created again.
    """
    assert job.create_intended_at is not None
    run.stage("checking")
    found = client.find_video(
        tag=job.tag,
        title=job.title,
        created_after=job.create_intended_at - CLOCK_SKEW,
        file_hash=job.source_hash,
    )
    if len(found) > 1:
        raise Rejected(
            f"{job.destination} has {len(found)} videos for this upload "
            f"({', '.join(video.video_id for video in found)}). Delete all but one there, then retry."
        )
    if found:
        record(job, found[0].video_id)
        run.save(remote_url=found[0].url, remote_status=found[0].status)
        return
    look_again(job, run, "the video before it is created")


def look_again(job: UploadJob, run: Run, thing: str) -> None:
    """The platform does not have it: park for a second look; after that it may be sent again. Raises Parked."""
    misses = job.reconcile_misses + 1
    run.save(reconcile_misses=misses)
    if misses < 2:
        raise Parked(
            f"Looking again whether the platform has {thing} a second time.",
            delay_seconds=settings.RECONCILE_WAIT_SECONDS,
        )
    run.save(create_intended_at=None, reconcile_misses=0)


def await_published(job: UploadJob, run: Run, client: Dailymotion) -> None:
    """Wait until the platform has encoded and published the video; for long waits let the worker go."""
    run.stage("encoding", progress=99)
    waited, poll = 0.0, settings.ENCODING_POLL_SECONDS
    while True:
        said = look_at(job, run, client)
        if said is None:
            return
        age = timezone.now() - (job.remote_created_at or timezone.now())
        if age.total_seconds() > settings.ENCODING_GIVE_UP_SECONDS:
            raise Rejected(
                f"{job.destination} has not published the video after {age.total_seconds() / 3600:.0f} "
                "hours. Look at it there; “Retry” asks again."
            )
        if waited >= PATIENCE_SECONDS:
            poll = min(max(poll, age.total_seconds() / 4), LONGEST_POLL_SECONDS)
            raise Parked(said, delay_seconds=poll)
        run.wait(poll)
        waited += poll


def look_at(job: UploadJob, run: Run, client: Dailymotion) -> str | None:
    """What the video still waits for, in words; None: it is published. Raises Rejected when it never will be."""
    try:
        remote = client.get_video(job.remote_id)
    except NotFound as error:
        forget_remote(job, run)
        raise Rejected(
            f"{job.destination} no longer has the video: somebody deleted it. Retry uploads it again."
        ) from error
    except (Unavailable, OutcomeUnknown) as error:
        # The video is there; that nobody tells its state now is no failure of the upload.
        return f"The platform did not say how far the video is: {error}"
    if remote.status != job.remote_status or (remote.url and remote.url != job.remote_url):
        run.save(remote_status=remote.status, remote_url=remote.url or job.remote_url)
    if remote.state is VideoState.PUBLISHED:
        return None
    if remote.state is VideoState.FAILED:
        forget_remote(job, run)
        raise Rejected(
            f"{job.destination} could not publish the video: {remote.failure or remote.status}. "
            "Check the file, then retry."
        )
    return f"The platform is encoding ({remote.status})."


def forget_remote(job: UploadJob, run: Run) -> None:
    """The remote video is dead: a retry begins anew. The platform has counted it all the same."""
    ledger.keep(job)
    run.save(
        remote_id="", remote_url="", remote_created_at=None, create_intended_at=None,
        source_url="", source_hash="", source_fingerprint="",
    )  # fmt: skip


def hold_destination(job: UploadJob, reason: Hold) -> None:
    """Quota, rate limit, credentials: nothing else of this destination starts before its time."""
    from jobs.runner import hold_end

    now = timezone.now()
    job.destination.hold(reason, now=now, until=hold_end(reason, now))
