"""The tables of what is tracked: events, counts, what each hour came to, and the processes that do the work."""

from jobs.events import Event
from jobs.polite.hosts import FetchHost
from jobs.tallies import Tally
from jobs.throughput import HourDone
from jobs.workers import Worker

__all__ = ["Event", "FetchHost", "HourDone", "Tally", "Worker"]
