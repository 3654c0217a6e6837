"""What the clean-up's rules share: their days, their portions, and that nobody's retry is run over."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from jobs import ticker, tidying
from jobs.events import Event
from jobs.tidying import Days, Round
from tests.conftest import NOW
from tests.uploader.manager.rows import episode, upload
from uploader.upload_jobs import UploadJob

LONG_AGO = NOW - timedelta(days=4000)


def old_events(count: int) -> None:
    Event.objects.bulk_create(Event(at=LONG_AGO, type="status") for _ in range(count))


@pytest.mark.django_db
def test_a_scheduled_round_takes_its_portions_and_the_command_takes_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tidying, "AT_ONCE", 2)
    monkeypatch.setattr(tidying, "PORTIONS", 3)
    old_events(20)
    ticker._duties["clean-up: lines of history"].do(NOW)
    assert Event.objects.count() == 14
    call_command("prune", verbosity=0)
    assert Event.objects.count() == 0


@pytest.mark.django_db
def test_a_rule_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(round_: Round) -> int:
        raise OSError("The disk is away")

    monkeypatch.setitem(tidying._rules, "jobs taken off the list", broken)
    old_events(1)
    assert ticker.tick(NOW) == ["clean-up: jobs taken off the list"]
    assert not Event.objects.filter(at=LONG_AGO).exists()


def test_a_number_of_days_is_for_rows_and_leaves_files_to_their_settings(settings: Any) -> None:
    settings.JOBS_FILES_DAYS, settings.PACKAGES_KEPT_DAYS = 5, 6
    days = Days.configured().with_rows_of(30)
    assert days == Days(listed=30, files=5, packages=6, kept=30, history=30, queue=30)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_retried_at_this_moment_stays() -> None:
    job = upload(episode(), "failed", finished_at=LONG_AGO, cleared_at=LONG_AGO)
    gone: list[int] = []

    def drop() -> None:
        try:
            gone.append(tidying.follow("video jobs that proved nothing", Round(NOW)))
        finally:
            connection.close()

    with transaction.atomic():
        job.retry(who="olga", now=NOW)
        other = threading.Thread(target=drop)
        other.start()
        if connection.features.has_select_for_update_skip_locked:
            # It passes by what is locked; SQLite lets it wait for the retry.
            other.join(30)
    other.join(30)
    assert (gone, UploadJob.objects.get().status) == ([0], "waiting")
