"""A process of a cluster is killed or stopped at the worst moment: its lane works again without a person."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.jobs.worker_process import Database, WorkerProcess, lives, running_worker, until

pytestmark = pytest.mark.processes

KILLS = 20
# What an operator may expect after any single fault.
BACK_WITHIN_SECONDS = 30


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    database = Database(tmp_path_factory.mktemp("worker"))
    database.ask("migrate")
    with running_worker(database, "short,transcode,publish") as worker:
        for lane in ("short", "transcode", "publish"):
            worker.seconds_until_working(lane)
        yield worker
        worker.stop()
        assert worker.process.returncode == 0
    database.close()


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


@pytest.mark.parametrize("role", ["parent", "sentinel", "pusher", "monitor"])
def test_a_lane_survives_the_death_of_its(role: str, worker: WorkerProcess) -> None:
    before = worker.cluster("transcode")
    getattr(before, role).kill()

    assert worker.seconds_until_working("transcode") < BACK_WITHIN_SECONDS
    until(lambda: not any(map(lives, before.processes)), seconds=5, what="nothing of the old cluster stays")


@pytest.mark.parametrize("role", ["sentinel", "worker"])
def test_a_lane_survives_that_a_process_hangs(role: str, worker: WorkerProcess) -> None:
    before = worker.cluster("transcode")
    (before.workers[0] if role == "worker" else before.sentinel).suspend()

    assert worker.seconds_until_working("transcode") < BACK_WITHIN_SECONDS
    until(lambda: not any(map(lives, before.processes)), what="nothing of the old cluster stays")


@pytest.mark.parametrize("task", ["die_with_result_lock", "die_with_result_count"])
def test_a_worker_that_dies_while_it_hands_its_result_over_blocks_nobody(
    task: str, worker: WorkerProcess
) -> None:
    before = worker.cluster("publish")
    worker.queue("publish", task)

    until(lambda: not lives(before.sentinel), seconds=BACK_WITHIN_SECONDS, what="a clean cluster")
    assert worker.seconds_until_working("publish") < BACK_WITHIN_SECONDS


def test_a_worker_that_dies_with_its_own_lock_does_not_hold_the_guard_up(worker: WorkerProcess) -> None:
    before = worker.cluster("transcode")
    worker.queue("transcode", "die_with_own_timer")

    until(lambda: not lives(before.workers[0]), what="the worker is dead")
    assert worker.seconds_until_working("transcode") < BACK_WITHIN_SECONDS
    assert lives(before.sentinel)


def test_work_beside_a_dying_idle_worker_steps_back_before_the_cluster_starts_again(
    worker: WorkerProcess,
) -> None:
    busy = worker.begin("publish", "hold")
    idle = next(process for process in worker.cluster("publish").workers if process.pid != busy)
    idle.kill()

    until(lambda: any(line.startswith("stepped-back-") for line in worker.marked()), seconds=10)
    assert worker.seconds_until_working("publish") < BACK_WITHIN_SECONDS


def test_a_program_left_by_a_killed_worker_ends_too(worker: WorkerProcess) -> None:
    worker.queue("transcode", "start_program", str(worker.marks), "with-program")
    until(lambda: worker.has_marked("began-with-program"))
    program = next(
        psutil.Process(int(line.split()[0].removeprefix("program-")))
        for line in worker.marked()
        if line.startswith("program-")
    )
    os.kill(worker.pid_that_marked("began-with-program"), signal.SIGKILL)

    until(lambda: not lives(program), seconds=5, what="the program ends")
    assert worker.seconds_until_working("transcode") < BACK_WITHIN_SECONDS


def test_every_worker_has_a_row_of_its_own(worker: WorkerProcess) -> None:
    pids = {process.pid for process in worker.cluster("publish").workers}
    rows = [(key, pid) for key, pid in worker.database.ask("rows", "publish") if pid in pids]
    assert {pid for _, pid in rows} == pids
    assert len({key for key, _ in rows}) == len(pids)
