"""What Prometheus may read of the jobs: counts by state, workers, the age of the last tick."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import DatabaseError
from django.db.models import Count
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobs import health, runner, workers


class JobCollector(Collector):
    """Reads the database when it is asked, so that every process tells the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = timezone.now()
        jobs = GaugeMetricFamily("slotcast_jobs", "Jobs by model and status", labels=["model", "status"])
        alive = GaugeMetricFamily("slotcast_workers", "Living worker processes by lane", labels=["lane"])
        age = GaugeMetricFamily("slotcast_tick_age_seconds", "Seconds since the ticker's last pass")
        try:
            for model in runner.job_models():
                counts = model._default_manager.order_by().values_list("status").annotate(Count("pk"))
                for status, count in counts:
                    jobs.add_metric([model._meta.label_lower, status], count)
            for lane, count in workers.alive(now).order_by().values_list("lane").annotate(Count("pk")):
                alive.add_metric([lane], count)
            if (seconds := health.tick_age_seconds(now)) is not None:
                age.add_metric([], seconds)
        except DatabaseError:
            # What is missing says enough; the rest of the metrics still come.
            return
        yield from (jobs, alive, age)
