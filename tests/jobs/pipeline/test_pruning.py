"""Old pipeline jobs go, and their sums stay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from jobs import tidying
from jobs.pipeline import totals
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.tidying import Round

pytestmark = pytest.mark.django_db
NOW = timezone.now()
LONG_AGO = NOW - timedelta(days=400)


@pytest.fixture(autouse=True)
def a_year(settings: Any) -> None:
    settings.HISTORY_KEPT_DAYS = 365


def run(status: str = "success", ended: Any = LONG_AGO, **columns: Any) -> PipelineJob:
    return PipelineJob.objects.create(
        job_type="scrape", script="novels", status=status, attempt=1,
        **{"started_at": LONG_AGO - timedelta(minutes=1), "finished_at": ended, **columns},
    )  # fmt: skip


def pruned() -> int:
    return tidying.follow("pipeline jobs", Round(NOW))


def left() -> set[PipelineJob]:
    return set(PipelineJob.objects.all())


def test_what_ended_long_ago_goes_and_the_statistics_stay() -> None:
    for status in ("success", "failed", "cancelled"):
        run(status)
    kept = {run(ended=NOW - timedelta(days=364)), run("running", None), run("queued", None, started_at=None)}
    totals.count_up(NOW)
    sums, days = totals.all_sums(), totals.all_days(LONG_AGO.date())
    assert sum(each.count for each in sums.values()) == 4
    assert pruned() == 3
    assert left() == kept
    assert (totals.all_sums(), totals.all_days(LONG_AGO.date())) == (sums, days)
    assert pruned() == 0


def test_what_is_not_in_the_sums_yet_stays() -> None:
    job = run()
    assert pruned() == 0
    totals.count_up(NOW)
    assert pruned() == 1
    assert job not in left()


def test_a_later_run_of_the_same_stays_without_its_link() -> None:
    first = run()
    again = run(ended=NOW, rerun_of=first)
    totals.count_up(NOW)
    assert pruned() == 1
    again.refresh_from_db()
    assert again.rerun_of is None


def test_what_another_job_still_waits_for_stays_until_that_has_ended() -> None:
    needed = run("failed")
    waits = run("queued", None, started_at=None, open_needs=1)
    waits.needs.add(needed)
    totals.count_up(NOW)
    assert pruned() == 0
    PipelineJob.objects.filter(pk=waits.pk).update(status="cancelled", finished_at=NOW)
    assert pruned() == 1
    assert left() == {waits}


def test_the_command_takes_other_days(settings: Any) -> None:
    run(ended=NOW - timedelta(days=40))
    totals.count_up(NOW)
    call_command("prune", verbosity=0)
    assert PipelineJob.objects.count() == 1
    call_command("prune", days=30, verbosity=0)
    assert PipelineJob.objects.count() == 0


def test_nothing_goes_where_the_setting_says_never(settings: Any) -> None:
    settings.HISTORY_KEPT_DAYS = 0
    run()
    totals.count_up(NOW)
    assert pruned() == 0
