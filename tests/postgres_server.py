"""A PostgreSQL server of a test's own, which may be stopped as by a crash; made of the programs of a package."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

# Debian's packages put the programs of a server here, by its version, and not into PATH.
DEBIAN = Path("/usr/lib/postgresql")
# PostgreSQL refuses to run as root.
UNPRIVILEGED = "postgres"


def programs() -> Path | None:
    """The folder of the newest server's programs; None: there are none that can be run here."""
    if os.geteuid() == 0 and not _exists(UNPRIVILEGED):
        return None
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    elsewhere = shutil.which("initdb")
    return found[-1].parent if found else Path(elsewhere).parent if elsewhere else None


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


class PostgresServer:
    """Started on entering, gone with all it has on leaving."""

    def __init__(self) -> None:
        found = programs()
        assert found is not None
        self._programs = found
        self._folder = Path(tempfile.mkdtemp(prefix="slotcast-pg-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []}
            shutil.chown(self._folder, UNPRIVILEGED, UNPRIVILEGED)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgres://slotcast@127.0.0.1:{self.port}/postgres"
        self._data = self._folder / "data"

    def __enter__(self) -> PostgresServer:
        self._run(
            "initdb", "-D", str(self._data), "-U", "slotcast", "-A", "trust", "-E", "UTF8", "--locale=C",
            "--no-sync",
        )  # fmt: skip
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop", check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Returns when it answers; after a crash it has played its log back by then."""
        # What a crash of the server loses is none of fsync's business: the machine stays up.
        options = (
            f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{self._folder}' "
            "-c max_connections=200 -c fsync=off"
        )
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-o", options, "-w", "-t", "60", "start")

    def crash(self) -> None:
        """Every process of it is gone at once, nothing is written down: `pg_ctl stop -m immediate`."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    @property
    def is_refusing(self) -> bool:
        """Nobody listens."""
        address = urlsplit(self.url)
        with socket.socket() as probe:
            return probe.connect_ex((str(address.hostname), self.port)) != 0

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        # Output to a file: a server that is started keeps what it is given.
        with (self._folder / "said").open("a+b") as said:
            done = subprocess.run(
                [str(self._programs / program), *arguments],
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **self._as,
            )  # fmt: skip
            said.seek(0)
            assert done.returncode == 0 or not check, f"{program}: {said.read().decode()[-2000:]}"
