"""The script `bulk-download-subtitles`: subtitles of a series' episodes from OpenSubtitles, attached to the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import pysubs2
from charset_normalizer import from_bytes
from django.core.exceptions import ValidationError

from jobs.pipeline.subjects import Edition, Segment
from jobs.pipeline.trackers import Tracker
from jobs.polite.errors import Unreadable
from jobs.scraping.counting import Tally
from jobs.scraping.keeping import keep_edition, keep_segments
from jobs.scraping.opensubtitles import PROVIDER, Api, Offer, episodes_of, work_of
from jobs.scraping.scripts import BadInput, delay_of, wanted_list, wanted_number, wanted_text
from uploader.catalog import Episode, Series, Subtitle, is_language_tag
from uploader.pipeline import placing
from uploader.pipeline.matches import episode_of

MOST_LANGUAGES = 20


@dataclass(frozen=True)
class Todo:
    """An episode and the languages it has no subtitles in."""

    segment: Segment
    episode: Episode
    languages: list[str]


def bulk_download_subtitles(tracker: Tracker) -> None:
    """Subtitles in the wanted languages for every episode of a series that is in the catalog and has none.

    Input: `seriesName`, `languages` ("en,id" or a list), `delay` between requests in ms, `limit` of segments.
    Output: `total`, `success`, `skipped` (they have theirs, are not in the catalog, or none are offered), `errors`.
    """
    name = wanted_text(tracker, "seriesName", 500)
    languages = languages_of(tracker)
    limit = wanted_number(tracker, "limit", 10_000, least=1, most=10_000)
    with Api(tracker, delay_seconds=delay_of(tracker)) as api:
        edition = _edition(tracker, api, name)
        segments = list(edition.segments.order_by("season", "number"))
        todo, skipped = _todo(tracker, name, segments, languages)
        todo = todo[: int(limit or 0)]
        tally = Tally(tracker, len(todo) + skipped, errors_name="errors", stage="subtitles")
        tally.skip(skipped)
        for each in todo:
            with tally.one(each.segment) as skip:
                if not _fetch(tracker, api, edition, each):
                    skip()
    tally.close()


def languages_of(tracker: Tracker) -> list[str]:
    """Raises BadInput for what is no language."""
    languages = list(dict.fromkeys(wanted_list(tracker, "languages")))
    if len(languages) > MOST_LANGUAGES:
        raise BadInput(f"At most {MOST_LANGUAGES} languages at once.")
    for language in languages:
        try:
            is_language_tag(language)
        except ValidationError as exc:
            raise BadInput(f"“{language}” is no language: give tags like en, id, pt-BR.") from exc
    return languages


def _edition(tracker: Tracker, api: Api, name: str) -> Edition:
    """The edition with the list of episodes; asked for when nobody did before."""
    job = tracker.job
    if job.edition is not None:
        return job.edition
    feature = api.feature(query=name.lower())
    work = job.work or work_of(feature)
    edition = keep_edition(work, work.source, external_id=feature.id, title=feature.title, provider=PROVIDER)
    keep_segments(edition, episodes_of(feature))
    tracker.attach(work=work, edition=edition)
    return edition


def _todo(
    tracker: Tracker, name: str, segments: list[Segment], languages: list[str]
) -> tuple[list[Todo], int]:
    """What lacks subtitles, and how many segments do not or are not in the catalog."""
    series = Series.objects.filter(title__iexact=name).first()
    todo, skipped = [], 0
    for segment in segments:
        episode = episode_of(segment, series)
        if episode is None:
            tracker.log(f"{segment}: not in the catalog")
            skipped += 1
            continue
        has = {each.lower() for each in episode.subtitles.values_list("language", flat=True)}
        if missing := [each for each in languages if each.lower() not in has]:
            todo.append(Todo(segment, episode, missing))
        else:
            skipped += 1
    return todo, skipped


def _fetch(tracker: Tracker, api: Api, edition: Edition, todo: Todo) -> bool:
    """Whether any were found and attached."""
    segment = todo.segment
    best: dict[str, Offer] = {}
    offers = api.offers(
        languages=",".join(sorted(todo.languages)), parent_feature_id=edition.external_id,
        season_number=segment.season, episode_number=segment.numbered,
    )  # fmt: skip
    for offer in offers:
        language = offer.language.lower()
        if language not in best or offer.rank > best[language].rank:
            best[language] = offer
    found = False
    for language in todo.languages:
        tracker.check()
        chosen = best.get(language.lower())
        if chosen is None:
            tracker.log(f"{segment}: no subtitles in {language}")
            continue
        path = attach(todo.episode, language, api.download(chosen.file_id))
        told = {**segment.data.get("subtitles", {}), language: {"fileId": chosen.file_id, "path": path}}
        segment.data = {**segment.data, "subtitles": told}
        segment.save(update_fields=["data", "updated_at"])
        found = True
    return found


def attach(episode: Episode, language: str, body: bytes) -> str:
    """Keep subtitles beside the episode's file, under a name that imports know, and in the catalog.

    A file of that name that is there already is left as it is and attached. Gives its path in the library. Raises
    Unreadable for what are no subtitles, LibraryError.
    """
    text = as_subrip(body)
    video = PurePosixPath(episode.path)
    path = str(video.with_name(f"{video.stem}.{language}.srt"))
    if not placing.exists(path):
        with placing.placed(path) as file:
            file.write(text.encode())
    Subtitle.objects.get_or_create(episode=episode, path=path, defaults={"language": language})
    return path


def as_subrip(body: bytes) -> str:
    """The subtitles as SubRip in UTF-8. Raises Unreadable."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        guessed = from_bytes(body[:200_000]).best()
        text = body.decode(guessed.encoding if guessed else "latin-1", "replace")
    try:
        found = pysubs2.SSAFile.from_string(text.replace("\0", ""))
    except (pysubs2.Pysubs2Error, ValueError, OverflowError) as exc:
        raise Unreadable("What came are no subtitles that can be read.") from exc
    if not any(line.text.strip() for line in found):
        raise Unreadable("The subtitles that came hold no line.")
    return found.to_string("srt")
