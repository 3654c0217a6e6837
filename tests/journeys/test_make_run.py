"""What somebody sees who types `make run`: the demo comes up, series are released live, Ctrl-C leaves nothing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.processes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """The first true answer of `condition`, looked for until the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.2)
    pytest.fail(f"{what}: not within {seconds} s")


class Launched:
    """`make run` in a folder of its own, and what it prints."""

    def __init__(self, var: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.output, self.var = "", var
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.launch"],
            cwd=ROOT,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
                "SLOTCAST_ENV_FILE": os.devnull,
                "SLOTCAST_VAR": str(var),
                "PORT": self.url.rpartition(":")[2],
                "UPLOAD_INTERVAL_SECONDS": "3",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def printed(self, label: str) -> str:
        found = re.search(rf"│ +{label} +(\S+)", self.output)
        return found[1] if found else ""

    def tree(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Launched]:
    launched = Launched(tmp_path / "var")
    yield launched
    if launched.process.poll() is None:
        for process in launched.tree():
            process.kill()
        launched.process.kill()
    assert launched.process.stdout is not None
    launched.process.wait()
    launched.process.stdout.close()


def signed_in(launched: Launched) -> requests.Session:
    """A browser that signed in with the printed login."""
    session = requests.Session()
    page = session.get(f"{launched.url}/admin/login/", timeout=10)
    session.post(
        page.url,
        data={
            "username": launched.printed("Sign in as"),
            "password": launched.printed("Password"),
            "csrfmiddlewaretoken": session.cookies["csrftoken"],
            "next": "/uploads/",
        },
        headers={"Referer": page.url},
        timeout=10,
    )
    return session


async def hear(launched: Launched, session: requests.Session, count: int) -> list[dict[str, Any]]:
    """The live events until `count` uploads are complete."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    heard: list[dict[str, Any]] = []
    async with connect(
        launched.url.replace("http", "ws") + "/ws/live/?topics=uploads",
        additional_headers={"Cookie": cookies},
        origin=launched.url,  # type: ignore[arg-type]
    ) as live:
        async with asyncio.timeout(90):
            while sum(event["type"] == "upload_complete" for event in heard) < count:
                heard.append(json.loads(await live.recv()))
    return heard


def pipeline_types(launched: Launched, session: requests.Session) -> set[str]:
    """The types of the pipeline jobs that succeeded."""
    answer = session.get(f"{launched.url}/api/pipeline-jobs?status=success", timeout=20).json()
    return {job["jobType"] for job in answer["jobs"]}


async def test_the_demo_runs_live_from_one_command(launched: Launched) -> None:
    until(lambda: launched.printed("Stop"), seconds=120, what="the address and the login are printed")
    session = signed_in(launched)
    page = session.get(f"{launched.url}/uploads/", timeout=20)
    assert page.status_code == 200
    assert "Harbour" in page.text

    windows = session.get(f"{launched.url}/slots/", timeout=20).text
    assert "Signal Flags" in windows and "Harbour Day" in windows

    heard = await hear(launched, session, 2)
    numbers = [event["data"]["episodeIndex"] for event in heard if event["type"] == "upload_complete"]
    assert numbers == sorted(numbers), "strictly in order"
    assert [event["id"] for event in heard] == sorted(event["id"] for event in heard)

    schedule = session.get(f"{launched.url}/api/upload/schedule", timeout=20).json()["schedule"]
    assert schedule["completed"] >= 2
    assert schedule["uploading"] <= 1
    sandbox = launched.printed("What arrived").rstrip("/")
    titles = [video["title"] for video in requests.get(f"{sandbox}/_sandbox/videos", timeout=10).json()]
    assert len(titles) == len(set(titles)) >= 2
    assert requests.get(f"{launched.url}/readyz", timeout=10).json()["ready"] is True

    packages = launched.var / "transcoding" / "packages"
    master = until(lambda: next(packages.glob("film-*/*/master.m3u8"), None), seconds=60, what="a package")
    assert {"HD/index.m3u8", "SD/index.m3u8"} <= set(master.read_text().splitlines())
    assert master.read_text().count("TYPE=SUBTITLES") == 3

    until(
        lambda: {"scrape", "clean", "embed"} <= pipeline_types(launched, session),
        seconds=120,
        what="a chain of the pipeline has read, cleaned and embedded",
    )

    family = launched.tree()
    launched.process.send_signal(signal.SIGINT)
    assert launched.process.wait(20) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
