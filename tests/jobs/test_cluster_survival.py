"""A process of a cluster is killed or stopped at the worst moment: its lane works again without a person."""

import os
import signal
from collections.abc import Iterator

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


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    with worker_of_its_own(tmp_path_factory.mktemp("worker"), "short", "transcode", "publish") as worker:
        yield worker


@pytest.mark.parametrize("role", ["parent", "sentinel", "pusher", "monitor"])
def test_a_lane_survives_the_death_of_its(role: str, worker: WorkerProcess) -> None:
    before = worker.cluster("transcode")
    getattr(before, role).kill()

    assert worker.seconds_until_working("transcode") < BACK_WITHIN_SECONDS
    until(lambda: not any(map(lives, before.processes)), seconds=5, what="nothing of the old cluster stays")


def test_a_lane_survives_that_a_process_hangs(worker: WorkerProcess) -> None:
    """A sentinel in one lane, the only worker in another: how long a silence is a hang is waited for once."""
    without_sentinel, without_worker = worker.cluster("publish"), worker.cluster("transcode")
    without_sentinel.sentinel.suspend()
    without_worker.workers[0].suspend()

    assert worker.seconds_until_working("transcode") < BACK_WITHIN_SECONDS
    assert worker.seconds_until_working("publish") < BACK_WITHIN_SECONDS
    for before in (without_sentinel, without_worker):
        until(
            lambda before=before: not any(map(lives, before.processes)),
            what="nothing of the old cluster stays",
        )


def test_a_worker_that_dies_while_it_hands_its_result_over_blocks_nobody(worker: WorkerProcess) -> None:
    held = {"publish": "die_with_result_lock", "short": "die_with_result_count"}
    before = {lane: worker.cluster(lane) for lane in held}
    for lane, task in held.items():
        worker.queue(lane, task)

    for lane in held:
        until(
            lambda lane=lane: not lives(before[lane].sentinel),
            seconds=BACK_WITHIN_SECONDS,
            what="a clean cluster",
        )
        assert worker.seconds_until_working(lane) < BACK_WITHIN_SECONDS


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
