"""Which episode of its series each file of a folder is."""

from __future__ import annotations

from typing import NamedTuple

from uploader import library
from uploader.catalog import Episode, Season, Series
from uploader.folders import Found
from uploader.library import FileMissing, LibraryError, LibraryUnavailable, shown


class Place(NamedTuple):
    season: int | None
    number: int


class Matching:
    """Gives every file its episode: the one it already is, the one of its number, or a new one.

    A file the catalog knows keeps its number, also one that a person has given it. A file without a number in
    its name takes the next free one behind the file before it.
    """

    def __init__(self, series: Series) -> None:
        self.series = series
        known = list(series.episodes.select_related("series", "season"))
        self.by_path = {episode.path: episode for episode in known}
        self.by_place = {_place_of(episode): episode for episode in known}
        self.taken: dict[Place, Found] = {}
        self.episodes: dict[str, Episode] = {}
        self.refused: list[tuple[Found, str]] = []

    def match(self, videos: list[Found]) -> list[tuple[Found, Episode]]:
        """`videos`, in natural order, each with its episode, which is unsaved when it is new."""
        for video in videos:
            if known := self.by_path.get(video.path):
                self._take(video, known, _place_of(known))
        for video in self._open(videos):
            if video.number is not None:
                self._take_number(video, Place(video.season, video.number))
        for video in self._open(videos):
            if moved := self._moved(video):
                self._take(video, moved, _place_of(moved))
        self._take_next_free(videos)
        return [(video, self.episodes[video.path]) for video in videos if video.path in self.episodes]

    def _open(self, videos: list[Found]) -> list[Found]:
        refused = {video.path for video, _ in self.refused}
        return [v for v in videos if v.path not in self.episodes and v.path not in refused]

    def _take(self, video: Found, episode: Episode, place: Place) -> None:
        self.taken[place] = video
        self.episodes[video.path] = episode

    def _take_number(self, video: Found, place: Place) -> None:
        known = self.by_place.get(place)
        if holder := self.taken.get(place):
            self.refused.append((video, f"number {place.number} is already taken by {shown(holder.name)}"))
        elif known and not _is_gone(known.path):
            self.refused.append((video, f"number {place.number} is already taken by {shown(known.path)}"))
        else:
            self._take(video, known or self._new(place), place)

    def _moved(self, video: Found) -> Episode | None:
        """The episode whose file was given another name: same size and time, and the old name is gone."""
        return next(
            (
                episode
                for place, episode in self.by_place.items()
                if place not in self.taken
                and place.season == video.season
                and episode.fingerprint == video.fingerprint
                and _is_gone(episode.path)
            ),
            None,
        )

    def _take_next_free(self, videos: list[Found]) -> None:
        before: dict[int | None, int] = {}
        opened = {video.path for video in self._open(videos)}
        for video in videos:
            if video.path in opened:
                number = before.get(video.season, 0) + 1
                while (place := Place(video.season, number)) in self.taken or place in self.by_place:
                    number += 1
                self._take(video, self._new(place), place)
            if episode := self.episodes.get(video.path):
                season, number = _place_of(episode)
                before[season] = number

    def _new(self, place: Place) -> Episode:
        season = None
        if place.season is not None:
            season, _ = Season.objects.get_or_create(series=self.series, number=place.season)
        return Episode(series=self.series, season=season, index_sequence=place.number)


def _place_of(episode: Episode) -> Place:
    return Place(episode.season.number if episode.season else None, episode.index_sequence)


def _is_gone(path: str) -> bool:
    try:
        library.resolve(path)
    except LibraryUnavailable:
        raise
    except FileMissing:
        return True
    except LibraryError:
        return False
    return False
