"""Real processes after the same thing at the same moment: the last place, the one job, the one video."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.utils import timezone

from jobs.errors import LostRace
from jobs.events import history_of
from jobs.running import new_token
from sandbox.server import Sandbox
from tests.conftest import NOW, make_destination
from tests.uploader.test_upload_survival import database_url
from uploader import ledger
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry, Size
from uploader.platforms.errors import QuotaReached
from uploader.upload_jobs import UploadJob, create_upload

pytestmark = pytest.mark.django_db(transaction=True)

RESERVE = """
import sys, django
django.setup()
from django.utils import timezone
from uploader import ledger
from uploader.platforms.errors import QuotaReached
from uploader.upload_jobs import UploadJob
jobs = [UploadJob.objects.get(pk=int(pk)) for pk in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.readline()
for job in jobs:
    try:
        ledger.reserve(job, ledger.Size(1, 60, 1000), now=timezone.now())
        print("got", job.pk, flush=True)
    except QuotaReached:
        print("full", job.pk, flush=True)
"""


def together(*work: Callable[[], object]) -> list[object]:
    """What each gives, or raised, when all begin at the same moment."""
    start, results = threading.Barrier(len(work)), [None] * len(work)

    def run(number: int) -> None:
        try:
            start.wait(10)
            results[number] = work[number]()
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def make_job(destination: Destination, **columns: Any) -> UploadJob:
    return UploadJob.objects.create(
        **{"destination": destination, "title": "Harbour", "not_before_at": NOW, **columns}
    )


@pytest.fixture
def place(db: None) -> Destination:
    return Destination.objects.create(name="main", title="Main", max_videos_per_day=7)


@pytest.mark.processes
def test_the_last_place_is_not_given_twice_to_processes(
    place: Destination, tmp_path: Path, settings: Any
) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SLOTCAST_PROCESS": "worker",
        "SLOTCAST_VAR": str(tmp_path),
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "PYTHONWARNINGS": "ignore",
    }
    shares = [[make_job(place) for _ in range(5)] for _ in range(4)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RESERVE, *(str(job.pk) for job in share)],
            cwd=django_settings.BASE_DIR,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for share in shares
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [line for process in processes for line in process.communicate(timeout=30)[0].splitlines()]
    assert sum(line.startswith("got") for line in said) == 7
    assert sum(line.startswith("full") for line in said) == 13
    assert LedgerEntry.objects.count() == 7


@pytest.mark.parametrize("round_", range(3))
def test_the_last_place_is_not_given_twice_to_threads(place: Destination, round_: int) -> None:
    Destination.objects.update(max_videos_per_day=1)
    jobs = [make_job(place) for _ in range(4)]
    results = together(
        *[lambda job=job: ledger.reserve(job, Size(1, 60, 1000), now=timezone.now()) for job in jobs]
    )
    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, QuotaReached) for result in results) == 3
    assert LedgerEntry.objects.count() == 1


def test_one_job_reserved_by_two_has_one_place(place: Destination) -> None:
    job = make_job(place)
    results = together(*[lambda: ledger.reserve(job, Size(), now=timezone.now())] * 3)
    assert results == [None, None, None]
    assert LedgerEntry.objects.count() == 1


def test_two_that_write_their_video_on_one_job_agree_on_the_first(place: Destination) -> None:
    from uploader import delivering

    job = make_job(place)
    copies = [UploadJob.objects.get(pk=job.pk) for _ in range(3)]
    results = together(*[lambda n=n: delivering.record(copies[n], f"x{n}") for n in range(3)])
    assert sorted(map(bool, results)) == [False, False, True]
    winner = f"x{results.index(True)}"
    assert UploadJob.objects.get(pk=job.pk).remote_id == winner
    assert {copy.remote_id for copy in copies} == {winner}


@pytest.mark.parametrize("round_", range(3))
def test_of_claim_and_cancel_each_is_kept(place: Destination, round_: int) -> None:
    job = make_job(place)
    claimed, _ = together(
        lambda: UploadJob.objects.claim(new_token("w"), now=timezone.now()),
        lambda: UploadJob.objects.get(pk=job.pk).cancel(who="olga", now=timezone.now()),
    )
    row = UploadJob.objects.get(pk=job.pk)
    assert row.cancel_requested_at is not None
    assert (row.status, bool(claimed)) in (("cancelled", False), ("active", True))


@pytest.mark.parametrize("round_", range(3))
def test_of_a_worker_going_back_and_a_cancel_the_cancel_is_kept(place: Destination, round_: int) -> None:
    job = make_job(place)
    (held,) = UploadJob.objects.claim(new_token("w"), now=timezone.now())
    together(
        lambda: held.release(now=timezone.now()),
        lambda: UploadJob.objects.get(pk=job.pk).cancel(who="olga", now=timezone.now()),
    )
    assert UploadJob.objects.get(pk=job.pk).status == "cancelled"


@pytest.mark.parametrize("round_", range(3))
def test_of_completing_and_rescuing_one_wins(place: Destination, round_: int) -> None:
    job = make_job(place)
    (held,) = UploadJob.objects.claim(new_token("w"), now=timezone.now())
    looked_at = UploadJob.objects.get(pk=job.pk)
    results = together(
        lambda: held.complete(now=timezone.now()), lambda: looked_at.rescue(now=timezone.now())
    )
    assert sum(result is None for result in results) == 1
    assert history_of(job).count() == 2
    assert UploadJob.objects.get(pk=job.pk).status == ("completed" if results[0] is None else "waiting")


def test_an_episode_is_delivered_to_a_destination_by_one_job(
    platform: Sandbox, make_series: Callable[..., Series]
) -> None:
    destination = make_destination(platform)
    episode = make_series("Harbour", 1).episodes.get()

    def create() -> UploadJob:
        with transaction.atomic():
            return create_upload(episode, destination, now=timezone.now())

    results = together(create, create, create)
    assert sum(isinstance(result, UploadJob) for result in results) == 1
    job = UploadJob.objects.get()
    job.cancel(who="olga", now=timezone.now())
    second = create()
    with pytest.raises(LostRace):
        job.retry(who="olga", now=timezone.now())
    assert UploadJob.objects.get(pk=job.pk).status == "cancelled"
    assert UploadJob.objects.get(pk=second.pk).is_waiting
