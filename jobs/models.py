"""The tables of what is tracked: events, and the processes that do the work."""

from jobs.events import Event
from jobs.polite.hosts import FetchHost
from jobs.workers import Worker

__all__ = ["Event", "FetchHost", "Worker"]
