"""Scripts killed at any point of their runs: no job stays running after a lease, none is counted twice."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from jobs import recovery
from jobs.events import Event
from jobs.pipeline import monitoring, totals
from jobs.pipeline.pipeline_jobs import PipelineJob
from tests.jobs.pipeline.test_tracking import database_url

KILLS = 24
# One process that forks scripts and kills each where it happens to be; a script does one short run after the other.
KILLER = """
import django, os, random, signal, sys, time
django.setup()
from django.db import connections
from jobs.pipeline.tracking import track

def script():
    while True:
        with track("scrape", script="killed") as job:
            for number in range(5):
                job.progress(number, 5)
                job.wait(0.002)
            job.output["total"] = 5

dice, children = random.Random(6), []
for _ in range(int(sys.argv[1])):
    connections.close_all()
    child = os.fork()
    if not child:
        try:
            script()
        finally:
            os._exit(1)
    children.append(child)
    if len(children) == 6:
        for child in children:
            time.sleep(dice.uniform(0.02, 0.2))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        children.clear()
"""


@pytest.mark.django_db(transaction=True)
def test_scripts_killed_at_any_point_leave_no_job_running_and_none_counted_twice() -> None:
    environment = {**os.environ, "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings"}
    found = subprocess.run(
        [sys.executable, "-c", KILLER, str(KILLS)],
        cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    connection.close()
    jobs = PipelineJob.objects.filter(script="killed")
    caught = jobs.filter(status="running").count()
    assert caught > 0, "some were killed in the middle"
    totals.count_up(timezone.now())
    later = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS + 1)
    for _ in range(2):
        recovery.recover(later)
        totals.count_up(later)
    assert set(jobs.values_list("status", flat=True)) <= {"success", "failed"}
    assert jobs.filter(error_kind="lost_worker").count() == caught
    assert sum(row.count for row in monitoring.statistics() if row.script == "killed") == jobs.count()
    ends = Event.objects.filter(subject_type="jobs.pipelinejob", new__in=("success", "failed"))
    assert ends.count() == jobs.count(), "each ended once"
