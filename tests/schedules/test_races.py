"""Two at once: on each database, with a connection each, exactly one wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.deletion import Collector
from django.test import Client

from schedules import hourly, scheduling
from schedules.upload_schedules import ScheduledUpload, UploadSchedule
from tests.conftest import NOW, person
from tests.schedules.test_hourly import ELEVEN
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _groups(transactional_db: None) -> None:
    from config.roles import ensure_groups

    ensure_groups()


def at_once(count: int, do: Callable[[], T]) -> list[T]:
    """What `do` gives in so many threads that start together, each with a connection of its own."""
    ready = threading.Barrier(count)

    def go(_: int) -> T:
        try:
            connection.ensure_connection()
            ready.wait(10)
            return do()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(go, range(count)))


def test_the_same_series_from_two_browsers_at_once_is_scheduled_once(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    series, user = make_series("Harbour", 20), person("olga", "Operators")

    def press() -> int:
        client = Client()
        client.force_login(User.objects.get(pk=user.pk), backend="django.contrib.auth.backends.ModelBackend")
        return client.post(
            "/api/upload/schedule", {"seriesId": series.pk}, content_type="application/json"
        ).status_code

    assert sorted(at_once(4, press)) == [200, 409, 409, 409]
    assert ScheduledUpload.objects.count() == 20
    times = set(ScheduledUpload.objects.values_list("scheduled_at", flat=True))
    assert len(times) == 20


def test_two_series_added_at_once_never_share_an_hour(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    waiting = [make_series(name, 5) for name in ("Harbour", "Train", "Meadow")]

    def add() -> Any:
        return scheduling.schedule_series(waiting.pop(), destination, who="olga", now=NOW)

    at_once(3, add)
    times = list(ScheduledUpload.objects.values_list("scheduled_at", flat=True))
    assert len(times) == len(set(times)) == 15
    assert sorted(UploadSchedule.objects.values_list("position", flat=True)) == [1, 2, 3]


def test_several_tickers_start_an_episode_once(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    scheduling.schedule_series(make_series("Harbour", 3), destination, who="olga", now=NOW)
    started = at_once(4, lambda: hourly.tick(ELEVEN))
    assert [len(rows) for rows in sorted(started, key=len)] == [0, 0, 0, 1]
    assert UploadJob.objects.count() == 1


def test_removing_a_series_while_it_starts_leaves_nothing_half_done(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    series = make_series("Harbour", 3)
    scheduling.schedule_series(series, destination, who="olga", now=NOW)
    turns: list[Callable[[], Any]] = [
        lambda: hourly.tick(ELEVEN),
        lambda: scheduling.unschedule_series(series, who="olga", now=ELEVEN),
    ]
    at_once(2, lambda: turns.pop()())
    left = list(ScheduledUpload.objects.values_list("status", "is_in_flight"))
    assert left in ([], [("uploading", True)])
    assert UploadJob.objects.unfinished().count() == len(left)


def test_a_series_that_is_scheduled_again_while_it_is_archived_stays(
    make_series: Callable[..., Series], destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = make_series("Harbour", 2)
    scheduling.schedule_series(series, destination, who="olga", now=NOW)
    ScheduledUpload.objects.all().delete()
    others: list[threading.Thread] = []
    related_objects = Collector.related_objects

    def add() -> None:
        try:
            scheduling.schedule_series(series, destination, who="olga", now=NOW)
        finally:
            connection.close()

    def overtaken(collector: Collector, related_model: Any, *args: Any) -> Any:
        # The empty series is found; what belongs to it is about to be looked up and deleted with it.
        if related_model is ScheduledUpload and not others:
            others.append(threading.Thread(target=add))
            others[0].start()
            others[0].join(1)
        return related_objects(collector, related_model, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Collector, "related_objects", overtaken)
        hourly.archive(NOW)
    for thread in others:
        thread.join(30)
    assert others
    assert ScheduledUpload.objects.count() == 2
