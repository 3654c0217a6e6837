"""The tasks django-q2 carries; their arguments are names and ids only."""

from jobs import runner


def drain(lane: str) -> None:
    runner.drain(lane)
