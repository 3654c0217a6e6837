"""What else a run has to do with: told by the apps above, which know of episodes and subtitles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from jobs.pipeline.pipeline_jobs import PipelineJob


class Relation(NamedTuple):
    """A thing beside a run: "Episode", "Harbour · 7", and where its page is."""

    kind: str
    text: str
    url: str


Telling = Callable[[PipelineJob], Iterable[Relation]]
_tellings: list[Telling] = []


def register(telling: Telling) -> None:
    """Have `telling(job)` asked for what else the run has to do with; it should read few rows."""
    _tellings.append(telling)


def of(job: PipelineJob) -> list[Relation]:
    return [relation for telling in _tellings for relation in telling(job)]
