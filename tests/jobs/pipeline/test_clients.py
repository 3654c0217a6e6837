"""The example clients of `docs/clients/`, really run: what they report, what they do when refused or cut off."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from knox.models import AuthToken

from jobs import recovery
from jobs.events import history_of
from jobs.pipeline import deciding
from jobs.pipeline.ids import is_of_now
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.tokens import PipelineToken
from tests.jobs.pipeline.external import Script
from tests.jobs.pipeline.rows import the_job
from tests.jobs.worker_process import until
from tests.s3 import S3, Asked, Trouble

pytestmark = pytest.mark.django_db(transaction=True)
CLIENTS = Path(settings.BASE_DIR) / "docs" / "clients"
PYTHON = """
import sys, time
from pipeline_client import PipelineJob
url, token, how = sys.argv[1:]
with PipelineJob(url, token, "scrape", {"scriptType": "my-crawler"}) as job:
    print("working", flush=True)
    for number in range(1, 101):
        job.report(progress=number)
    job.report(stage="writing", log=["Almost there"])
    while how == "waits":
        job.report(stage="waiting")
        time.sleep(0.05)
    if how == "fails":
        raise ValueError("The site is down")
    job.output.update(total=100)
"""
TYPESCRIPT = """
import { pipelineJob } from "./pipeline_client.ts";
const [url, token, how] = process.argv.slice(2);
await pipelineJob(url, token, "scrape", { scriptType: "my-crawler" }, async (job) => {
  console.log("working");
  for (let number = 1; number <= 100; number++) await job.report({ progress: number });
  await job.report({ stage: "writing", log: ["Almost there"] });
  while (how === "waits") {
    await job.report({ stage: "waiting" });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (how === "fails") throw new Error("The site is down");
  return { total: 100 };
});
"""


def strips_types() -> bool:
    node = shutil.which("node")
    found = node and subprocess.run(
        [node, "--experimental-strip-types", "-e", ""], capture_output=True, check=False
    )
    return bool(found) and found.returncode == 0


class Example:
    """A script that uses one of the clients, with a token of its own."""

    def __init__(self, folder: Path, language: str) -> None:
        self.folder = folder
        self.token = Script("crawler").token
        if language == "python":
            shutil.copy(CLIENTS / "pipeline_client.py", folder)
            (folder / "script.py").write_text(PYTHON)
            self.command = [sys.executable, "script.py"]
        else:
            shutil.copy(CLIENTS / "pipeline_client.ts", folder)
            (folder / "script.mts").write_text(TYPESCRIPT)
            self.command = ["node", "--experimental-strip-types", "--no-warnings", "script.mts"]

    def begin(self, url: str, how: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, url, self.token, how],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, url: str, how: str) -> tuple[int, str, str]:
        """Its exit code, and what it said on both outputs."""
        return ended(self.begin(url, how))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        said, complained = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, said, complained


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> None:
    cache.clear()


@pytest.fixture(
    params=[
        "python",
        pytest.param("typescript", marks=pytest.mark.skipif(not strips_types(), reason="needs Node 22.6")),
    ]
)
def example(request: pytest.FixtureRequest, tmp_path: Path, transactional_db: None) -> Example:
    return Example(tmp_path, request.param)


@pytest.fixture
def door(live_server: Any) -> Iterator[Trouble]:
    """A door before the product that makes trouble."""
    made = Trouble(S3(live_server.url))
    yield made
    made.close()


@pytest.mark.parametrize("how", ["works", "fails"])
def test_the_example_client_reports_a_run(live_server: Any, example: Example, how: str) -> None:
    code, _, complained = example.run(live_server.url, how)
    assert (code == 0) == (how == "works"), complained
    job = the_job()
    if how == "works":
        assert (job.status, job.output, job.script) == ("success", {"total": 100}, "my-crawler")
    else:
        assert (job.status, job.error) == ("failed", "The site is down")
        assert "The site is down" in complained
    assert [event.why for event in history_of(job) if event.type == "log"] == ["Almost there"]
    assert is_of_now(job.pk, job.created_at)


@pytest.mark.parametrize("ends", ["expires_at", "revoked_at"])
def test_a_token_that_ended_stops_a_script_at_once_and_in_words(
    live_server: Any, example: Example, ends: str
) -> None:
    PipelineToken.objects.update(**{ends: timezone.now()})
    code, said, complained = example.run(live_server.url, "works")
    assert (code, said) == (1, "")
    assert "401" in complained and "Invalid token." in complained
    assert not PipelineJob.objects.exists()


def test_a_token_that_may_only_look_stops_a_script_at_once_and_in_words(
    live_server: Any, example: Example, viewer: User
) -> None:
    example.token = AuthToken.objects.create(viewer)[1]
    code, said, complained = example.run(live_server.url, "works")
    assert (code, said) == (1, "")
    assert "403" in complained and "not change anything" in complained


def test_a_script_stops_when_it_is_asked_to(live_server: Any, example: Example) -> None:
    process = example.begin(live_server.url, "waits")
    until(lambda: PipelineJob.objects.filter(stage="waiting").exists())
    deciding.cancel(the_job(), who="olga", now=timezone.now())
    code, _, complained = ended(process)
    assert code == 1 and "Cancelled on request" in complained
    assert the_job().status == "cancelled"


def test_a_script_that_was_given_up_learns_of_it_and_changes_nothing(
    live_server: Any, example: Example
) -> None:
    process = example.begin(live_server.url, "waits")
    until(lambda: PipelineJob.objects.filter(stage="waiting").exists())
    # It renews its lease all the time: nobody gets in between.
    with transaction.atomic():
        list(PipelineJob.objects.select_for_update(of=("self",)))
        assert recovery.rescue_stale(timezone.now() + timedelta(days=1))
    code, _, complained = ended(process)
    assert code == 1 and "409" in complained and "The job is failed." in complained
    assert (the_job().status, the_job().error_kind) == ("failed", "lost_worker")


def test_answers_that_are_lost_and_a_server_that_stumbles_cost_another_try(
    door: Trouble, example: Example
) -> None:
    faults: dict[str, list[Any]] = {
        "POST": ["reset after"],
        "PATCH": ["reset", (503, ""), (429, ""), "reset after"],
    }
    door.fault = lambda asked: faults[asked.method].pop(0) if faults[asked.method] else None
    code, _, complained = example.run(door.s3.url, "works")
    assert code == 0, complained
    assert faults == {"POST": [], "PATCH": []}
    assert (the_job().status, the_job().attempt, the_job().output) == ("success", 1, {"total": 100})


def test_what_went_wrong_in_the_script_is_not_hidden_by_a_server_that_is_gone(
    door: Trouble, example: Example
) -> None:
    def gone(asked: Asked) -> str | None:
        return "reset" if len(door.sent("PATCH")) > 2 else None

    door.fault = gone
    code, said, complained = example.run(door.s3.url, "fails")
    assert (code, said) == (1, "working\n")
    assert "The site is down" in complained


def test_a_server_that_is_not_there_lets_no_work_begin_untracked(example: Example) -> None:
    code, said, complained = example.run("http://127.0.0.1:9", "works")
    assert (code, said) == (1, "")
    assert complained


@pytest.mark.parametrize("name", ["pipeline_client.py", "pipeline_client.ts"])
def test_an_example_client_is_short_enough_to_read(name: str) -> None:
    lines = (CLIENTS / name).read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 60
