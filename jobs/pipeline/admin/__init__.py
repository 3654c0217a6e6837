"""Admin pages of the pipeline: its runs, their schedules, and what they are about."""

from jobs.pipeline.admin import runs, schedules, subjects

__all__ = ["runs", "schedules", "subjects"]
