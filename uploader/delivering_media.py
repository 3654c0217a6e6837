"""The way of one file of a post to OnlySocial: open it, send it, remember the id posts name it by.

The whole upload is one call that cannot be repeated blindly. Until its last piece the platform has nothing;
so the intent is written directly before that piece leaves. An attempt that finds an intent without an outcome
looks for the file by its name first, which no other upload has.
"""

from __future__ import annotations

import logging
from typing import Any

from django.utils import timezone

from jobs import events
from jobs.errors import Hold, JobError, Parked
from jobs.running import Run
from uploader import ledger, library, live, media_sources
from uploader.delivering import hold_destination, look_again, record, refuse_to_start_now
from uploader.media_uploads import content_type_of
from uploader.platforms.errors import OutcomeUnknown, PlatformError, SourceChanged
from uploader.platforms.onlysocial import Media, OnlySocial
from uploader.upload_jobs import UploadJob

log = logging.getLogger(__name__)


def deliver_media(job: UploadJob, run: Run) -> None:
    """One attempt at the job. Returns when the platform has the file; raises what stopped it."""
    refuse_to_start_now(job)
    try:
        with job.destination.open_onlysocial() as client:
            if not job.remote_id and job.create_intended_at:
                find_sent(job, run, client)
            if not job.remote_id:
                send(job, run, client)
    except (Parked, library.LibraryUnavailable):
        raise
    except Hold as reason:
        hold_destination(job, reason)
        raise
    job.destination.note_success(now=timezone.now())


def find_sent(job: UploadJob, run: Run, client: OnlySocial) -> None:
    """Ask the platform whether an upload whose answer was lost arrived.

    Found: its id is remembered. Not found twice, RECONCILE_WAIT_SECONDS apart: it may be sent again.
    """
    run.stage("checking")
    found = client.find_media(job.media_name)
    if found is not None:
        keep(job, run, found, client)
        return
    look_again(job, run, "the file before it is sent")


def send(job: UploadJob, run: Run, client: OnlySocial) -> None:
    """Bring the file to the platform and remember what it is called there."""
    with media_sources.opened(job) as source:
        size = source.size_bytes
        ledger.refuse_oversized(job.destination, ledger.Size(1, 0, size))
        run.stage("uploading", progress=0, bytes_sent=0, bytes_total=size, bytes_per_second=0.0)

        def note(done: int, total: int, bytes_per_second: float) -> dict[str, Any]:
            job.bytes_sent, job.bytes_per_second = done, bytes_per_second
            live.upload_progress(job, done=done, total=total, bytes_per_second=bytes_per_second)
            return {"bytes_sent": done, "bytes_per_second": bytes_per_second}

        def on_progress(sent: int) -> None:
            run.progress(sent, size)
            if sent == size:
                # Without the last piece, which comes now, the platform takes nothing for a file.
                with run.undisturbed():
                    run.stage_for_good("finishing", create_intended_at=timezone.now(), reconcile_misses=0)

        try:
            with run.moving(note):
                media = client.upload_media(
                    source.file,
                    name=job.media_name,
                    size=size,
                    content_type=content_type_of(job),
                    on_progress=on_progress,
                )
        except OutcomeUnknown:
            # The next attempt asks the platform before it sends anything.
            raise
        except (PlatformError, SourceChanged):
            run.save(create_intended_at=None)
            raise
        try:
            source.refuse_changed()
        except SourceChanged:
            take_away(client, media.id)
            run.save(create_intended_at=None)
            raise
    keep(job, run, media, client, bytes_sent=size, progress=99)


def keep(job: UploadJob, run: Run, media: Media, client: OnlySocial, **columns: Any) -> None:
    """Write the file's id on the job, with what is known of it; a second worker's file goes away again."""
    about = {"remote_url": media.url[:500], "remote_status": media.mime_type[:64]}
    if not record(job, str(media.id), **about, **columns):
        take_away(client, media.id)
        why = f"{job.destination} got the file twice: {job.remote_id} stays, {media.id} was taken away."
        events.record(job, "duplicate", now=timezone.now(), why=why, attempt=job.attempt)
        if columns:
            run.save(**columns)


def take_away(client: OnlySocial, media_id: int) -> None:
    """Delete a file no post will name; one that stays does no harm."""
    try:
        client.delete_media(media_id)
    except JobError as error:
        log.warning("The file %s could not be deleted at OnlySocial: %s", media_id, error)
