"""The four scripts for catalogs of texts (seed 004, 1–4)."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Edition, Segment, Work
from jobs.pipeline.trackers import Tracker
from jobs.polite.errors import Unreadable
from jobs.polite.fetching import Fetcher
from jobs.scraping import catalogs
from jobs.scraping.configuration import Configuration
from jobs.scraping.counting import Tally
from jobs.scraping.keeping import keep_edition, keep_segments
from jobs.scraping.scripts import (
    BadInput,
    configuration_of,
    delay_of,
    source_of,
    wanted_list,
    wanted_number,
    wanted_text,
)

READNOVEL, CHEREADS = "readnovel", "chereads"


def scrape_readnovel_api(tracker: Tracker) -> None:
    """The list of chapters of a novel from an API, into an edition of the job's work.

    Input: `novelSlug`, and `apiUrl`, which is added when it is not given. Output: `editionId`, `totalChapters`,
    `inserted`, `updated`, `skipped`, `errors`.
    """
    slug = wanted_text(tracker, "novelSlug", 255)
    work = _work_of(tracker)
    source = source_of(tracker, READNOVEL)
    configuration = configuration_of(source)
    first = configuration.address(configuration.section("chapters"), slug=slug, page=1)
    tracker.output.update(totalChapters=0, inserted=0, updated=0, skipped=0, errors=0)
    with fetcher_for(tracker, configuration) as fetcher:
        edition = keep_edition(
            work, source, external_id=slug, url=first.partition("?")[0], provider=source.name,
            language=configuration.language,
        )  # fmt: skip
        tracker.attach(edition=edition)
        tracker.output["editionId"] = str(edition.pk)
        _keep_list(tracker, configuration, fetcher, edition, first, slug=slug)


def scrape_chereads_work(tracker: Tracker) -> None:
    """A work and its list of chapters from the pages of a site.

    Input: `url` of the list, `title`. Output: `workId`, `editionId`, `totalChapters`.
    """
    url = wanted_text(tracker, "url")
    source = source_of(tracker, CHEREADS)
    configuration = configuration_of(source)
    with fetcher_for(tracker, configuration) as fetcher:
        work = tracker.job.work
        if work is None:
            title = str(tracker.input.get("title") or "")[:500]
            work = catalogs.read_work(configuration, fetcher, source, url, title)
            tracker.attach(work=work)
        tracker.output["workId"] = str(work.pk)
        edition = keep_edition(
            work, source, external_id=url, url=url, provider=source.name, language=configuration.language
        )
        tracker.attach(edition=edition)
        tracker.output["editionId"] = str(edition.pk)
        _keep_list(tracker, configuration, fetcher, edition, url, slug=work.slug)


def scrape_readnovel_segment(tracker: Tracker) -> None:
    """The texts of the segments of an input's `segmentIds`.

    Output: `totalSegments`, `success`, `skipped` (those that have a text already), `failed`.
    """
    ids = wanted_list(tracker, "segmentIds")
    segments = _segments(ids)
    tally = Tally(tracker, len(ids), total_name="totalSegments", stage="texts")
    if missing := len(ids) - len(segments):
        tally.miss(missing, f"{missing} of the segments are not there any more")
    _fetch_texts(tracker, tally, segments, READNOVEL)


def scrape_chereads_segment(tracker: Tracker) -> None:
    """The texts of the chapters from `startChapter` to `endChapter` of the job's edition, `delay` ms apart.

    Output: `totalSegments`, `success`, `skipped` (those that have a text already), `errors`.
    """
    edition = _edition_of(tracker)
    first = wanted_number(tracker, "startChapter", 0, least=0, most=9_999_999)
    last = wanted_number(tracker, "endChapter", 9_999_999, least=0, most=9_999_999)
    if first is None or last is None or first > last:
        raise BadInput("“startChapter” must not be behind “endChapter”.")
    segments = edition.segments.filter(number__gte=first, number__lte=last).order_by("season", "number")
    tally = Tally(
        tracker, segments.count(), total_name="totalSegments", errors_name="errors", stage="chapters"
    )
    _fetch_texts(tracker, tally, list(segments.select_related("edition__work__source")), CHEREADS)


def _keep_list(
    tracker: Tracker,
    configuration: Configuration,
    fetcher: Fetcher,
    edition: Edition,
    first: str,
    **places: object,
) -> None:
    output = tracker.output
    counts = {"totalChapters": 0, "inserted": 0, "updated": 0, "skipped": 0, "errors": 0}
    for found, unusable in catalogs.read_chapters(configuration, fetcher, tracker, first, **places):
        kept = keep_segments(edition, found)
        counts["totalChapters"] += len(found)
        counts["inserted"] += kept.inserted
        counts["updated"] += kept.updated
        # What a page lists twice is kept once.
        counts["skipped"] += len(found) - kept.inserted - kept.updated
        counts["errors"] += unusable
        done, errors = counts["totalChapters"], counts["errors"]
        output.update(counts)
        output.update(total=done + errors, success=done, failed=errors)
        tracker(counts["totalChapters"], 0)


def _fetch_texts(tracker: Tracker, tally: Tally, segments: list[Segment], default: str) -> None:
    """Those of one source after the other, each by its own configuration."""
    again = bool(tracker.input.get("force"))
    fetchers: dict[str, tuple[Configuration, Fetcher]] = {}
    try:
        for place, segment in enumerate(segments):
            if place == 0:
                tracker.attach(work=segment.edition.work, edition=segment.edition)
            with tally.one(segment) as skip:
                if segment.content and not again:
                    skip()
                    continue
                source = segment.edition.source or source_of(tracker, default)
                if source.name not in fetchers:
                    configuration = configuration_of(source)
                    fetchers[source.name] = (configuration, fetcher_for(tracker, configuration))
                catalogs.fetch_text(*fetchers[source.name], segment)
    finally:
        for _, fetcher in fetchers.values():
            fetcher.close()
    tally.close()


def fetcher_for(tracker: Tracker, configuration: Configuration) -> Fetcher:
    """One that can be stopped while it waits."""
    return configuration.fetcher(delay_seconds=delay_of(tracker), wait=tracker.wait)


def _segments(ids: list[str]) -> list[Segment]:
    """In the order of `ids`. Raises BadInput for what is no id."""
    try:
        wanted = list(dict.fromkeys(UUID(each) for each in ids))
    except ValueError as exc:
        raise BadInput("“segmentIds” must hold ids of segments.") from exc
    rows: QuerySet[Segment] = Segment.objects.select_related("edition__work__source", "edition__source")
    found = {row.pk: row for row in rows.filter(pk__in=wanted)}
    return [found[each] for each in wanted if each in found]


def _work_of(tracker: Tracker) -> Work:
    job: PipelineJob = tracker.job
    if job.work is None:
        raise BadInput("The job needs a work; give its id as “workId”.")
    return job.work


def _edition_of(tracker: Tracker) -> Edition:
    job: PipelineJob = tracker.job
    if job.edition is not None:
        return job.edition
    if job.work is not None and (edition := job.work.editions.order_by("-pk").first()):
        tracker.attach(edition=edition)
        return edition
    raise Unreadable("The job needs an edition with a list of chapters; scrape its work first.")
