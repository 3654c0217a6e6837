"""Few NOTIFYs for many rings, and none forgotten."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import pytest
from django.conf import settings
from django.db import connection

from jobs.live import bell
from jobs.live.postgres import CHANNEL
from tests.jobs.live.conftest import PATIENCE, publish


@pytest.fixture
def heard(postgres):
    """Counts the NOTIFYs that arrive: `least` at least, and what follows within `quiet` seconds."""
    session = postgres(autocommit=True)
    session.execute(f"LISTEN {CHANNEL}")

    def count(least=1, quiet=0.2):
        got = sum(1 for _ in session.notifies(timeout=PATIENCE, stop_after=least))
        return got + sum(1 for _ in session.notifies(timeout=quiet))

    return count


def test_a_ring_is_heard(heard):
    bell.ring()
    assert heard() == 1


def test_a_published_event_rings_after_its_commit(heard):
    publish("jobs")
    assert heard() == 1


def test_a_burst_of_rings_becomes_few_notifies(heard):
    started = time.monotonic()
    for _ in range(10_000):
        bell.ring()
    seconds = time.monotonic() - started
    assert 1 <= heard() <= seconds / bell.INTERVAL_SECONDS + 2


def test_the_last_ring_of_a_burst_is_heard(heard):
    for _ in range(20):
        bell.ring()
        assert heard(quiet=0) >= 1
        bell.ring()
        bell.ring()
        assert heard(quiet=0) >= 1


def test_many_threads_share_one_connection(heard, postgres):
    started = time.monotonic()
    threads = [threading.Thread(target=bell.ring) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - started
    assert 1 <= heard() <= seconds / bell.INTERVAL_SECONDS + 2
    assert [t.name for t in threading.enumerate()].count("live-bell") == 1


def test_a_lost_connection_is_made_anew(heard, postgres):
    bell.ring()
    heard()
    admin = postgres(autocommit=True)
    admin.execute("SELECT pg_terminate_backend(%s)", [bell._bell.connection.info.backend_pid])
    bell.ring()
    assert heard() >= 1


def test_a_server_that_is_away_does_not_reach_the_caller(postgres, monkeypatch):
    from psycopg import OperationalError

    tries = threading.Semaphore(0)

    def refuse(self):
        tries.release()
        raise OperationalError("refused")

    monkeypatch.setattr(bell.Bell, "notify", refuse)
    bell.ring()
    assert tries.acquire(timeout=PATIENCE)
    assert tries.acquire(timeout=PATIENCE)
    bell.rest()


def test_a_quiet_process_gives_its_connection_back(heard, monkeypatch):
    monkeypatch.setattr(bell, "IDLE_SECONDS", 0.01)
    bell.ring()
    heard()
    until = time.monotonic() + PATIENCE
    while bell._bell.connection is not None and time.monotonic() < until:
        threading.Event().wait(0.01)
    assert bell._bell.connection is None
    bell.ring()
    assert heard() == 1


def ring_in_child(ours):
    bell.ring()
    bell.rest()
    os._exit(0 if bell._bell is not ours else 1)


def test_a_forked_worker_has_a_bell_of_its_own(heard):
    bell.ring()
    assert heard() == 1
    child = multiprocessing.get_context("fork").Process(target=ring_in_child, args=(bell._bell,))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0
    assert heard() == 1
    bell.ring()
    assert heard() == 1


def test_a_command_that_ends_at_once_is_still_heard(heard):
    program = (
        "import django; django.setup()\n"
        "from django.utils import timezone\n"
        "from jobs.events import publish\n"
        "publish('jobs', 'moved', {}, now=timezone.now())\n"
    )
    run_program(program)
    assert heard() == 1


def run_program(program):
    found = connection.settings_dict
    url = f"postgres://{found['USER']}:{found['PASSWORD']}@{found['HOST']}:{found['PORT']}/{found['NAME']}"
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_on_sqlite_nothing_is_rung(transactional_db):
    if connection.vendor != "sqlite":
        pytest.skip("about SQLite")
    bell.ring()
    assert not bell._bell.is_staffed()
