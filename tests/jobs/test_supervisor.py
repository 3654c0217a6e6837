"""The worker command starts, stops, is killed and loses its database; nothing of it is left behind."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from django.core.management import CommandError, call_command

from jobs import supervisor
from jobs.supervisor import Child
from tests.jobs.worker_process import Database, WorkerProcess, lives, running_worker, until

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("worker"))
    database.ask("migrate")
    yield database
    database.close()


@pytest.fixture
def worker(database: Database) -> Iterator[WorkerProcess]:
    with running_worker(database, "transcode") as worker:
        worker.seconds_until_working("transcode")
        yield worker


def send_to_the_process(worker: WorkerProcess, number: int) -> None:
    worker.process.send_signal(number)


def send_to_the_group(worker: WorkerProcess, number: int) -> None:
    os.killpg(worker.process.pid, number)


def send_to_every_process(worker: WorkerProcess, number: int) -> None:
    for process in [worker.process, *worker.tree()]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("send", [send_to_the_process, send_to_the_group, send_to_every_process])
def test_a_stop_lets_running_work_finish_and_leaves_no_orphan(
    send: object, number: int, worker: WorkerProcess
) -> None:
    worker.begin("transcode", "hold_on", seconds=1)
    tree = worker.tree()
    assert callable(send)
    send(worker, number)

    worker.wait_gone(tree, seconds=5)
    assert worker.process.returncode == 0
    assert any(line.startswith("finished-") for line in worker.marked())
    assert "stops on SIG" in worker.log
    assert not list((worker.database.folder / "run").iterdir())
    assert not worker.database.ask("rows", "transcode"), "a clean exit removes the worker's row"


def test_work_that_listens_steps_back_long_before_the_grace_ends(database: Database) -> None:
    with running_worker(database, "transcode", grace=30) as worker:
        worker.begin("transcode", "hold")
        assert worker.stop() < 5
        assert any(line.startswith("stepped-back-") for line in worker.marked())


def test_work_that_is_deaf_ends_with_the_grace(database: Database) -> None:
    with running_worker(database, "transcode", grace=1) as worker:
        worker.begin("transcode", "hold_on")
        assert 1 <= worker.stop() < 4
        assert worker.process.returncode == 0
        assert "did not stop in time" in worker.log


@pytest.mark.parametrize("busy", [False, True])
def test_nothing_outlives_a_killed_supervisor(busy: bool, worker: WorkerProcess) -> None:
    if busy:
        worker.queue("transcode", "start_program", str(worker.marks), "program")
        until(lambda: worker.has_marked("began-program"))
    tree = worker.tree()
    worker.process.kill()
    worker.wait_gone(tree, seconds=5)


def test_nothing_outlives_a_supervisor_killed_together_with_its_children(worker: WorkerProcess) -> None:
    tree = worker.tree()
    for process in [worker.process, *worker.process.children()]:
        process.kill()
    worker.wait_gone(tree, seconds=5)


def test_two_worker_commands_work_side_by_side(database: Database, worker: WorkerProcess) -> None:
    with running_worker(database, "transcode") as second:
        second.cluster("transcode")
        # A cluster fetches one task ahead, so a third and a fourth are queued for two to run.
        for word in "abcd":
            database.ask("queue", "transcode", "hold", str(worker.marks), word)
        until(lambda: len({line.split()[1] for line in worker.marked() if line.startswith("began-")}) == 2)
        tree = second.tree()
        worker.stop()
        assert all(map(lives, tree)), "stopping one leaves the other alone"
        second.stop()


def clusters(worker: WorkerProcess) -> list[int]:
    return [child.pid for child in worker.process.children() if child.cmdline()[-1:] == ["cluster"]]


def test_a_worker_waits_for_its_tables_without_restarting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The queue is to be in the database.
    monkeypatch.setenv("REDIS_URL", "")
    with (
        contextlib.closing(Database(tmp_path)) as database,
        running_worker(database, "transcode") as worker,
    ):
        until(lambda: "out of reach" in worker.log, what="it says that it waits")
        before = clusters(worker)
        database.ask("migrate")

        assert worker.seconds_until_working("transcode") < 10
        assert clusters(worker) == before
        assert worker.log.count("out of reach") == 1
        worker.stop()


class Gate:
    """A door to the database server that can be shut."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)
        self._pairs: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.open()

    @property
    def url(self) -> str:
        user = self._server.netloc.rpartition("@")[0]
        return self._server._replace(netloc=f"{user}@127.0.0.1:{self.port}").geturl()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        assert self._listener
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((self._server.hostname or "", self._server.port or 5432))
                self._pairs += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@pytest.mark.postgres
def test_running_work_survives_that_the_database_goes_away_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The queue is to be in the database.
    monkeypatch.setenv("REDIS_URL", "")
    with contextlib.closing(Database(tmp_path)) as database:
        database.ask("migrate")
        work_through_an_outage(database)


def work_through_an_outage(database: Database) -> None:
    gate = Gate(database.url)
    with running_worker(database, "short", url=gate.url) as worker:
        worker.seconds_until_working("short")
        before = worker.cluster("short")
        busy = worker.begin("short", "hold_on")
        gate.shut()
        until(lambda: "out of reach" in worker.log)
        gate.open()

        assert worker.seconds_until_working("short") < 30
        assert lives(psutil.Process(busy)) and all(map(lives, before.processes))
        assert worker.log.count("out of reach") == 1
        worker.stop()
    gate.shut()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = Child(
        "Lane short:",
        ["cluster"],
        environment={**os.environ, supervisor.STOP_FILE: str(tmp_path / "stop")},
        silence_seconds=1,
        first_beat_seconds=2,
    )
    yield child
    child.forget()


def run_until_restart(child: Child, program: str, now: float, life: int) -> float:
    """One life of a child that runs `program`; gives how long it waits for the next."""
    child.command = [sys.executable, "-c", program]
    child.look(now, life)
    process = child.process
    assert process
    process.wait()
    child.look(now, life)
    assert child.process is None
    return child.start_at - now


def test_a_child_that_keeps_dying_is_restarted_at_once_and_then_ever_more_slowly(
    child: Child, caplog: pytest.LogCaptureFixture
) -> None:
    life, _ = os.pipe()
    now, delays = 0.0, []
    for _ in range(7):
        delays.append(run_until_restart(child, "raise SystemExit(3)", now, life))
        now += delays[-1]

    assert delays == [0, 0.5, 1, 2, 5, 5, 5]
    assert "exit code 3" in caplog.text and "it starts again in 5 s" in caplog.text


def test_a_child_that_did_work_is_restarted_at_once_and_its_own_words_are_logged(
    child: Child, caplog: pytest.LogCaptureFixture
) -> None:
    life, _ = os.pipe()
    for _ in range(3):
        run_until_restart(child, "raise SystemExit(3)", child.start_at, life)
    words = "import os; os.write(int(os.environ['SLOTCAST_BEAT_FD']), b'w\\n!the queue broke\\n')"

    assert run_until_restart(child, words, child.start_at, life) == 0
    assert "the queue broke; it starts again at once" in caplog.text


def test_a_child_that_falls_silent_is_asked_to_step_back_and_then_killed(
    child: Child, caplog: pytest.LogCaptureFixture
) -> None:
    life, _ = os.pipe()
    child.command = [sys.executable, "-c", "import time; time.sleep(600)"]
    child.look(0, life)
    process = child.process
    assert process

    child.look(2, life)
    assert not child.stop_file.exists()
    child.look(2.5, life)
    assert child.stop_file.exists() and process.poll() is None
    child.look(2.5 + supervisor.STEP_BACK_SECONDS, life)
    assert process.wait(timeout=5) == -signal.SIGKILL
    child.look(6, life)
    assert "no sign of life for 2 s" in caplog.text
    child.look(child.start_at, life)
    assert not child.stop_file.exists(), "its successor starts with no request to stop"


def test_a_worker_of_an_unknown_lane_is_refused() -> None:
    with pytest.raises(CommandError, match="No such lane: fast"):
        call_command("worker", "--lanes", "short,fast", skip_checks=True)


def test_stopping_is_false_outside_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(supervisor.STOP_FILE, raising=False)
    assert not supervisor.stopping()


def test_stopping_is_true_once_the_child_is_asked_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(supervisor.STOP_FILE, str(tmp_path / "stop"))
    assert not supervisor.stopping()
    supervisor.ask_to_step_back()
    assert supervisor.stopping()
