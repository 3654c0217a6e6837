"""Admin pages of the pipeline: its runs, their schedules, what they are about, and who may report."""

from jobs.pipeline.admin import runs, schedules, subjects, tokens

__all__ = ["runs", "schedules", "subjects", "tokens"]
