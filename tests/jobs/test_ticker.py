"""The clock: every duty is called when it is due, and no fault of one stops another."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from jobs import recovery, ticker
from jobs.events import Event
from tests.conftest import NOW


@pytest.fixture
def duties(monkeypatch: pytest.MonkeyPatch) -> dict[str, ticker.Duty]:
    registered: dict[str, ticker.Duty] = {}
    monkeypatch.setattr(ticker, "_duties", registered)
    return registered


def test_a_pass_does_every_duty_but_says_nothing_of_a_living_ticker(duties: dict[str, Any]) -> None:
    done: list[datetime] = []
    ticker.register("beat", lambda now: pytest.fail("cron is no ticker"), every_seconds=1)
    ticker.register("work", done.append, every_seconds=3600)
    ticker.tick(NOW)
    ticker.tick(NOW)
    assert done == [NOW, NOW]


@pytest.mark.parametrize("error", [OperationalError("away"), ValueError("a bug")])
def test_a_duty_that_fails_does_not_stop_the_next_one(
    db: None, duties: dict[str, Any], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[datetime] = []

    def fail(now: datetime) -> None:
        raise error

    ticker.register("broken", fail, every_seconds=1)
    ticker.register("work", done.append, every_seconds=1)
    assert ticker.tick(NOW) == ["broken"]
    assert done == [NOW]
    assert "“broken”" in caplog.text


def test_the_command_for_cron_fails_when_a_duty_could_not_be_done(duties: dict[str, Any]) -> None:
    done: list[datetime] = []
    ticker.register("work", done.append, every_seconds=1)
    call_command("tick")
    assert len(done) == 1
    ticker.register("broken", lambda now: 1 / 0, every_seconds=1)
    with pytest.raises(CommandError, match="Not done this time: broken"):
        call_command("tick")
    assert len(done) == 2


def test_the_ticker_ticks_until_it_is_stopped(
    duties: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticker, "TICK_SECONDS", 0)
    # Closing idle connections would end the test's own transaction.
    monkeypatch.setattr(ticker, "close_old_connections", lambda: None)
    stop, often, seldom = threading.Event(), [], []

    def count(now: datetime) -> None:
        often.append(now)
        if len(often) == 5:
            stop.set()

    ticker.register("seldom", seldom.append, every_seconds=3600)
    ticker.register("often", count, every_seconds=0)
    ticker.run(stop)
    assert (len(often), len(seldom)) == (5, 1)


def test_live_messages_are_forgotten_after_an_hour_and_histories_are_not(db: None) -> None:
    def at(minutes: int, topic: str) -> Event:
        return Event.objects.create(at=NOW - timedelta(minutes=minutes), topic=topic, type="x")

    kept = [at(61, ""), at(59, "uploads")]
    at(61, "uploads")
    assert recovery.forget_live_messages(NOW) == 1
    assert list(Event.objects.all()) == kept
