"""The handler of `match`: which series a work is, and which episodes its segments are, each with a score and reasons.

Titles are compared by rapidfuzz after accents, case, punctuation, articles and years are put aside; numbers of seasons
and episodes add to it. What a person has rejected is not proposed again. Input: `acceptFrom`, a score from which
proposals are accepted at once when there is no doubt (default: never). Output: `total`, `success`, `skipped` (like
nothing), `failed`, and in `proposed` how many `works` and `segments` are new and how many were `accepted`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone
from rapidfuzz import fuzz, process

from jobs.errors import LostRace
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Segment, Work
from jobs.pipeline.trackers import Tracker
from jobs.scraping.counting import Tally
from jobs.scraping.scripts import wanted_number
from uploader.catalog import Episode, Series
from uploader.pipeline.matches import Match, MatchStatus, is_same_season

# Below this two titles have nothing to do with each other.
LEAST = 60.0
MOST_PROPOSALS = 3
# The likeliest must stand out by so much to be accepted without a person.
MARGIN = 10.0
_YEAR = re.compile(r"\((?:19|20)\d\d\)|\b(?:19|20)\d\d$")
_ARTICLE = re.compile(r"^(?:the|a|an|der|die|das|le|la|les|el|il|lo) (?=\S)")
_NUMBERED = re.compile(r"^(?:chapter|episode|ep|bab|kapitel|part|teil)\s*[\d.,]+\s*[:.–-]*\s*", re.IGNORECASE)


class Scored(NamedTuple):
    score: float
    reasons: list[str]


def match(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    accept_from = wanted_number(progress, "acceptFrom", None, least=50, most=101)
    works = list(works_of(job))
    tally = Tally(progress, len(works), stage="matching")
    counts = {"works": 0, "segments": 0, "accepted": 0}
    progress.output["proposed"] = counts
    titles = {pk: plain_title(title) for pk, title in Series.objects.values_list("pk", "title")}
    for work in works:
        with tally.one(work) as skip:
            accepted = accepted_series(work)
            if accepted is None:
                found = candidates(work, titles)
                counts["works"] += propose_series(work, found)
                if accept_from is not None and _stands_out(found, accept_from):
                    accepted = _accept(work, found[0][0])
                    counts["accepted"] += accepted is not None
                if not found:
                    skip()
            if accepted is not None:
                made, taken = propose_episodes(work, accepted, accept_from=accept_from)
                counts["segments"] += made
                counts["accepted"] += taken
    tally.close()
    return progress.output


def works_of(job: PipelineJob) -> Iterable[Work]:
    """The works the job is about: its own, those of its source, else all."""
    if work := job.work or (job.edition and job.edition.work) or (job.segment and job.segment.edition.work):
        return [work]
    works = Work.objects.select_related("source")
    return works.filter(source=job.source) if job.source_id else works


# -------------------------------------------------------------------- works and series


def candidates(work: Work, titles: dict[int, str]) -> list[tuple[int, Scored]]:
    """Series like the work, by their ids, the likeliest first."""
    wanted = plain_title(work.title)
    if not wanted:
        return []
    found = process.extract(wanted, titles, scorer=fuzz.token_sort_ratio, score_cutoff=LEAST, limit=20)
    scored = [(pk, _series_score(work, pk, title, score)) for title, score, pk in found]
    likely = [each for each in scored if each[1].score >= LEAST]
    return sorted(likely, key=lambda each: (-each[1].score, each[0]))[:MOST_PROPOSALS]


def _series_score(work: Work, series_id: int, title: str, likeness: float) -> Scored:
    reasons = [f"titles {likeness:.0f} % alike"]
    segments = Segment.objects.filter(edition__work=work).values("season", "number").distinct().count()
    episodes = Episode.objects.filter(series=series_id).count()
    score = likeness * 0.9
    if segments and episodes:
        near = min(segments, episodes) / max(segments, episodes)
        score += 10 * near
        reasons.append(f"{segments} segments, {episodes} episodes")
    else:
        # Nothing to count: the title decides alone.
        score = likeness
    return Scored(round(min(score, 100.0), 1), reasons)


def propose_series(work: Work, found: list[tuple[int, Scored]]) -> int:
    """Write the proposals; those that are open and no longer likely go. How many are new."""
    kept = [pk for pk, _ in found]
    made = 0
    with transaction.atomic():
        Match.objects.open().of_works().filter(work=work).exclude(series__in=kept).delete()
        for series_id, scored in found:
            columns = {"score": scored.score, "reasons": scored.reasons}
            row, is_new = Match.objects.get_or_create(
                work=work, series_id=series_id, segment=None, defaults=columns
            )
            made += is_new
            if not is_new:
                Match.objects.open().filter(pk=row.pk).update(**columns)
    return made


def accepted_series(work: Work) -> Series | None:
    row = Match.objects.of_works().filter(work=work, status=MatchStatus.ACCEPTED).select_related("series")
    found = row.first()
    return found.series if found else None


def _stands_out(found: list[tuple[int, Scored]], accept_from: float) -> bool:
    if not found or found[0][1].score < accept_from:
        return False
    return len(found) == 1 or found[0][1].score - found[1][1].score >= MARGIN


def _accept(work: Work, series_id: int) -> Series | None:
    row = Match.objects.open().of_works().filter(work=work, series=series_id).select_related("series").first()
    if row is None:
        return None
    try:
        row.accept(who="match", now=timezone.now())
    except LostRace:
        return None
    return row.series


# -------------------------------------------------------------------- segments and episodes


def propose_episodes(work: Work, series: Series, *, accept_from: float | None) -> tuple[int, int]:
    """Match the segments of the work's editions to the episodes; how many are proposed anew, and accepted."""
    episodes = list(series.episodes.select_related("season", "series"))
    segments = Segment.objects.filter(edition__work=work).only(
        "edition_id", "season", "number", "title", "data"
    )
    decided = set(
        Match.objects.filter(segment__edition__work=work, status=MatchStatus.ACCEPTED).values_list(
            "segment_id", flat=True
        )
    )
    made = taken = 0
    for segment in segments.iterator(chunk_size=500):
        if segment.pk in decided:
            continue
        scored = [(episode, episode_score(segment, episode)) for episode in episodes]
        likely = sorted(
            (each for each in scored if each[1].score >= LEAST), key=lambda each: (-each[1].score, each[0].pk)
        )[:MOST_PROPOSALS]
        stands_out = len(likely) == 1 or (
            len(likely) > 1 and likely[0][1].score - likely[1][1].score >= MARGIN
        )
        for place, (episode, score) in enumerate(likely):
            row, is_new = Match.objects.get_or_create(
                segment=segment, episode=episode,
                defaults={"work": work, "series": series, "score": score.score, "reasons": score.reasons},
            )  # fmt: skip
            made += is_new
            if place == 0 and stands_out and accept_from is not None and score.score >= accept_from:
                taken += _take(row)
    return made, taken


def _take(row: Match) -> bool:
    if row.status != MatchStatus.PROPOSED:
        return False
    try:
        row.accept(who="match", now=timezone.now())
    except LostRace:
        return False
    return True


def episode_score(segment: Segment, episode: Episode) -> Scored:
    """Season and number count most; the very same title elsewhere counts more than a number under another title."""
    is_same_number = segment.number == episode.index_sequence and is_same_season(episode, segment.season)
    one, other = plain_title(_NUMBERED.sub("", segment.title)), plain_title(episode.title)
    likeness = fuzz.token_sort_ratio(one, other) if one and other else None
    if likeness is None:
        return Scored(85.0, [f"both are {episode.numbered}"]) if is_same_number else Scored(0.0, [])
    reasons = [f"titles {likeness:.0f} % alike"]
    if is_same_number:
        return Scored(round(60 + 0.4 * likeness, 1), [f"both are {episode.numbered}", *reasons])
    return Scored(round(0.84 * likeness, 1), [*reasons, f"{segment.numbered} is not {episode.numbered}"])


def plain_title(title: str) -> str:
    """For comparing: small letters without accents, punctuation, articles in front, and years."""
    flat = "".join(
        sign
        for sign in unicodedata.normalize("NFKD", _YEAR.sub(" ", title).casefold())
        if not unicodedata.combining(sign)
    )
    spaced = " ".join(re.sub(r"[^\w]+|_", " ", flat).split())
    return _ARTICLE.sub("", spaced)
