"""The whole way of an episode: scraped, downloaded, probed, transcoded, on the storage, on the platform, posted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Model, Q, QuerySet
from django.urls import reverse

from jobs.lifecycle import Status
from jobs.pages import whole
from jobs.pipeline import lineage
from jobs.pipeline.lineage import Relation
from jobs.pipeline.pipeline_jobs import JobType, PipelineJob
from schedules.posts.videos import PostVideo
from uploader import library
from uploader.catalog import Episode, Series
from uploader.pipeline.matches import Match, MatchStatus
from uploader.upload_jobs import PACKAGE_TYPES, UploadJob, UploadType

# Posts and jobs of one episode beyond this are not told one by one.
MOST = 12
# How the states of all kinds of rows look on this page.
STATES = {
    "completed": "done", "success": "done", "PUBLISHED": "done",
    "failed": "failed", "FAILED": "failed",
    "waiting": "waiting", "queued": "waiting", "PENDING": "waiting", "MEDIA_UPLOADED": "waiting",
    "active": "busy", "running": "busy",
    "cancelled": "none", "CANCELLED": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One stage, and what there is to say of it: `done`, `busy`, `waiting`, `failed` or `none`."""

    name: str
    state: str
    text: str
    at: datetime | None = None
    url: str = ""


def steps(episode: Episode) -> Iterator[Step]:
    """Every stage in order, several lines for a stage with several destinations."""
    yield from scraped(episode)
    yield downloaded(episode)
    yield probed(episode)
    yield transcoded(episode)
    yield from stored(episode)
    yield from delivered(episode)
    yield from posted(episode)


def scraped(episode: Episode) -> Iterator[Step]:
    found = Match.objects.filter(episode=episode, status=MatchStatus.ACCEPTED).select_related(
        "segment__edition__work"
    )
    segments = [match.segment for match in found[:MOST] if match.segment]
    for segment in segments:
        scrapes = PipelineJob.objects.filter(job_type=JobType.SCRAPE).order_by("-pk")
        about = scrapes.filter(segment=segment).first() or scrapes.filter(edition=segment.edition_id).first()
        is_there = segment.fetched_at is not None
        yield Step(
            "Scraped", "done" if is_there else "waiting", f"{segment.edition.work}, {segment}", segment.fetched_at,
            reverse("pipeline-run", args=(about.pk,)) if about else page_of(segment),
        )  # fmt: skip
    if not segments:
        yield Step("Scraped", "none", "No segment of a source is matched with it")
    subtitles = list(episode.subtitles.values_list("language", flat=True))
    if subtitles:
        yield Step("Subtitles", "done", ", ".join(subtitles))


def downloaded(episode: Episode) -> Step:
    try:
        status = library.complete(episode.path)
    except library.LibraryError as error:
        return Step("Downloaded", "failed", str(error))
    return Step("Downloaded", "done", f"{episode.path}, {status.st_size / 1_000_000:,.1f} MB")


def probed(episode: Episode) -> Step:
    if episode.probe_error:
        return Step("Probed", "failed", episode.probe_error, episode.probed_at)
    if episode.probed_at is None:
        return Step("Probed", "waiting", "Not looked into yet")
    minutes, seconds = divmod(round(episode.duration_seconds or 0), 60)
    picture = f"{episode.width} × {episode.height}, {minutes} min {seconds:02} s, {episode.video_codec}"
    return Step("Probed", "done", picture, episode.probed_at)


def transcoded(episode: Episode) -> Step:
    job = episode.transcode_jobs.order_by("-pk").first()
    if job is None:
        return Step("Transcoded", "none", "No transcoding was asked for")
    return Step("Transcoded", STATES[job.status], _told(job), job.finished_at or job.started_at, page_of(job))


def stored(episode: Episode) -> Iterator[Step]:
    """Its packages at each storage, the latest first: there once the master playlist is."""
    jobs = list(
        episode.upload_jobs.filter(upload_type__in=PACKAGE_TYPES)
        .select_related("destination")
        .order_by("-pk")[: MOST * 10]
    )
    packages: dict[tuple[str, str], list[UploadJob]] = {}
    for job in jobs:
        packages.setdefault((str(job.destination), job.package), []).append(job)
    for (where, _), parts in list(packages.items())[:MOST]:
        done = sum(job.status == Status.COMPLETED for job in parts)
        last = next((job for job in parts if job.upload_type == UploadType.MASTER_PLAYLIST), parts[0])
        wrong = next((job for job in parts if job.status == Status.FAILED), None)
        state = "failed" if wrong else "done" if done == len(parts) else STATES[last.status]
        text = f"{where}: {done} of {len(parts)} uploads done"
        yield Step("On the storage", state, text, last.finished_at, page_of(wrong or last))
    if not packages:
        yield Step("On the storage", "none", "No package of it was uploaded")


def delivered(episode: Episode) -> Iterator[Step]:
    jobs = episode.upload_jobs.filter(upload_type=UploadType.VIDEO).select_related("destination")
    found = list(jobs.order_by("destination", "-pk")[:MOST])
    latest = {job.destination_id: job for job in reversed(found)}
    for job in latest.values():
        yield Step(
            "On the platform", STATES[job.status], f"{job.destination}: {job.remote_id or _told(job)}",
            job.finished_at or job.started_at, page_of(job),
        )  # fmt: skip
    if not latest:
        yield Step("On the platform", "none", "It was not uploaded to any platform")


def posted(episode: Episode) -> Iterator[Step]:
    videos = PostVideo.objects.filter(library_path=episode.path).select_related("post__account")
    found = list(videos.order_by("-post__scheduled_for")[:MOST]) if episode.path else []
    for video in found:
        post = video.post
        yield Step(
            "Posted", STATES.get(post.status, "waiting"), f"{post.account}: {post.get_status_display()}",
            post.published_at or post.scheduled_for, page_of(post),
        )  # fmt: skip
    if not found:
        yield Step("Posted", "none", "No post has it")


def page_of(row: Model) -> str:
    """The admin page of a row; the admin itself is not loaded for it, as workers load this too."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=(row.pk,))


def _told(job: UploadJob | object) -> str:
    status = str(getattr(job, "get_status_display", lambda: "")())
    message = getattr(job, "error_message", "")
    return f"{status}: {message}" if message and getattr(job, "status", "") != Status.COMPLETED else status


def relations_of(job: PipelineJob) -> Iterator[Relation]:
    """The series a run is about, and the episodes that its segments are."""
    for series in _series_of(job)[:MOST]:
        yield Relation("Series", str(series), page_of(series))
    matches = Match.objects.filter(status=MatchStatus.ACCEPTED, segment__in=lineage.segments_of(job))
    found = matches.select_related("episode__series", "episode__season").order_by(
        "segment__season", "segment__number"
    )
    for match in found[:MOST]:
        if match.episode:
            yield Relation("Episodes", str(match.episode), reverse("episode-way", args=(match.episode.pk,)))
    if (more := matches.count() - MOST) > 0:
        chosen = f"&work={job.work_id}" if job.work_id else ""
        yield Relation("Episodes", f"and {more:,} more", f"{reverse('matches')}?status=accepted{chosen}")


def _series_of(job: PipelineJob) -> QuerySet[Series]:
    """By the accepted match of its work; by what the input of a script over the catalog names."""
    work = job.work_id or (job.edition.work_id if job.edition else None)
    is_matched = Q(matches__in=Match.objects.of_works().filter(status=MatchStatus.ACCEPTED, work=work))
    series_id, name = job.input.get("seriesId"), job.input.get("seriesName")
    if isinstance(series_id, int | str) and (number := whole(str(series_id))):
        is_matched |= Q(pk=number)
    if isinstance(name, str) and name:
        is_matched |= Q(title__iexact=name)
    return Series.objects.filter(is_matched).distinct().order_by("title", "pk")
