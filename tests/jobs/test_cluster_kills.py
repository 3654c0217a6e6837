"""A worker is killed while idle, while next in line and while working, again and again: its lane works again."""

import random
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.jobs.worker_process import (
    BACK_WITHIN_SECONDS,
    WorkerProcess,
    lives,
    until,
    worker_of_its_own,
)

pytestmark = pytest.mark.processes

KILLS = 20


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    with worker_of_its_own(tmp_path_factory.mktemp("worker"), "short", "transcode", "publish") as worker:
        yield worker


def kill_an_idle_worker(worker: WorkerProcess) -> float:
    return kill_in_the_queue(worker, "publish")


def kill_the_next_in_line(worker: WorkerProcess) -> float:
    # The only worker of its lane always waits with the lock of the queue in its hand.
    return kill_in_the_queue(worker, "transcode")


def kill_in_the_queue(worker: WorkerProcess, lane: str) -> float:
    """Kill workers until one dies that waited for work.

    A mark that was queued twice may still be under way; a worker that dies over it is replaced, as it should be.
    """
    began = time.monotonic()
    while not gives_itself_up(worker, lane):
        pass
    worker.seconds_until_working(lane)
    return time.monotonic() - began


def gives_itself_up(worker: WorkerProcess, lane: str) -> bool:
    """Kill a worker; whether its cluster ended rather than put another in its place."""
    cluster = worker.cluster(lane)
    victim = random.choice(cluster.workers)
    replaced = f"worker {victim.pid} died while working"
    victim.kill()
    until(lambda: not lives(cluster.sentinel) or replaced in worker.log, what=f"a reaction; {worker.log}")
    return not lives(cluster.sentinel)


def kill_a_busy_worker(worker: WorkerProcess) -> float:
    sentinel = worker.cluster("short").sentinel
    psutil.Process(worker.begin("short", "hold_on")).kill()
    seconds = worker.seconds_until_working("short")
    assert lives(sentinel), "a crash of a task does not disturb its neighbours"
    return seconds


def test_a_lane_survives_the_death_of_workers_again_and_again(
    worker: WorkerProcess, record_property: Callable[[str, object], None]
) -> None:
    recovered: dict[str, list[float]] = {}

    def kill_repeatedly(kill: Callable[[WorkerProcess], float]) -> None:
        times = recovered.setdefault(kill.__name__, [])
        times.extend(kill(worker) for _ in range(KILLS))

    threads = [
        threading.Thread(target=kill_repeatedly, args=(kill,))
        for kill in (kill_an_idle_worker, kill_the_next_in_line, kill_a_busy_worker)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for name, times in recovered.items():
        record_property(name, f"{len(times)} of {KILLS}, at most {max(times, default=0):.1f} s")
        print(name, len(times), f"max {max(times, default=0):.1f} s")
        assert len(times) == KILLS, f"{name}: {len(times)} of {KILLS} recovered"
        assert max(times) < BACK_WITHIN_SECONDS
