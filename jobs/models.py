"""The tables of what is tracked: events, counts, what each hour came to, the processes that do the work,
pipeline jobs and what they are about, and who is told of what ended."""

from jobs.events import Event
from jobs.notifying import Notice, NotificationChannel
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from jobs.pipeline.timetable import PipelineSchedule
from jobs.pipeline.tokens import PipelineToken
from jobs.pipeline.totals import PipelineDay, PipelineTotal
from jobs.polite.hosts import FetchHost
from jobs.tallies import Tally
from jobs.throughput import HourDone
from jobs.workers import Worker

__all__ = [
    "Edition",
    "Event",
    "FetchHost",
    "HourDone",
    "Notice",
    "NotificationChannel",
    "PipelineDay",
    "PipelineJob",
    "PipelineSchedule",
    "PipelineToken",
    "PipelineTotal",
    "Segment",
    "Source",
    "Tally",
    "Work",
    "Worker",
]
