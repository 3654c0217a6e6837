"""api_token and doctor."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from jobs import ticker, workers
from uploader.destinations import Destination

ROOT = Path(__file__).resolve().parent.parent.parent


def manage(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` in a process of its own, with an empty folder for its database."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**clean, "SLOTCAST_ENV_FILE": os.devnull, "SLOTCAST_VAR": str(tmp_path / "var"), **environment},
        capture_output=True,
        text=True,
    )


def run(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().splitlines()


def test_api_token_prints_a_token_that_works_and_keeps_only_its_hash(operator: User, client: Client) -> None:
    token = run("api_token", operator.username)[-1]
    assert client.get("/api/upload/schedule", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    kept = AuthToken.objects.get()
    assert token not in (kept.digest, str(kept))


def test_api_tokens_can_be_revoked(operator: User, client: Client) -> None:
    token = run("api_token", operator.username)[-1]
    run("api_token", operator.username, "--revoke")
    assert client.get("/api/upload/schedule", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_api_token_for_nobody_or_for_no_staff_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="no user “nobody”"):
        run("api_token", "nobody")
    User.objects.create_user("guest")
    with pytest.raises(CommandError, match="not an active member of the staff"):
        run("api_token", "guest")


def test_doctor_names_each_fault_with_its_fix(db: None, library: Path, settings: Any) -> None:
    library.rmdir()
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--json", stdout=out)
    fixes = {finding["what"]: finding["fix"] for finding in json.loads(out.getvalue())}
    assert fixes["Database"] == ""
    assert "LIBRARY_ROOT" in fixes["Library"]
    assert "createsuperuser" in fixes["Staff"]
    assert "Start the worker" in fixes["Worker"]
    assert "DAILYMOTION_API_KEY" in fixes["Destinations"]


@pytest.mark.parametrize(
    ("url", "fix"),
    [("sqlite:////dev/null/none", "correct DATABASE_URL"), ("", "Run: make setup")],
)
def test_doctor_speaks_when_the_database_is_away_or_empty(tmp_path: Path, url: str, fix: str) -> None:
    ended = manage(tmp_path, "doctor", "--json", DATABASE_URL=url)
    assert (ended.returncode, ended.stderr) == (1, "")
    fixes = {finding["what"]: finding["fix"] for finding in json.loads(ended.stdout)}
    assert fix in fixes["Database"]


@pytest.mark.parametrize("command", [("schedule_series", "1"), ("api_token", "olga"), ("fix_stuck",)])
def test_a_command_without_its_database_ends_with_a_sentence(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    ended = manage(tmp_path, *command)
    assert ended.returncode == 1
    [sentence] = ended.stderr.splitlines()
    assert sentence.startswith("The database refused: no such table")
    assert sentence.endswith("manage.py doctor.")


def test_a_cluster_without_its_lane_is_refused(tmp_path: Path) -> None:
    ended = manage(tmp_path, "cluster")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Start the worker instead" in ended.stderr


def test_an_argument_that_is_no_utf8_is_refused_with_a_sentence(tmp_path: Path) -> None:
    ended = manage(tmp_path, "import_series", os.fsdecode(b"caf\xe9"))
    assert ended.returncode == 1
    assert ended.stderr == (
        "“caf\\xe9” is not valid UTF-8. Rename the file, or write it otherwise, then retry.\n"
    )


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense"])
def test_doctor_says_when_the_queue_s_redis_is_away(db: None, library: Path, settings: Any, url: str) -> None:
    settings.REDIS_URL = url
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)
    assert "✗ Redis: does not answer" in out.getvalue()
    assert "correct REDIS_URL" in out.getvalue()


def test_doctor_is_content_when_everything_works(
    destination: Destination, library: Path, operator: User
) -> None:
    workers.beat(ticker.LANE, timezone.now())
    workers.Worker.objects.create(
        id="w", lane="upload", host="h", pid=1, started_at=timezone.now(), seen_at=timezone.now()
    )
    lines = run("doctor")
    assert all(line.startswith("✓") for line in lines)
    assert "✓ Destination main: signed in as Sandbox" in lines


def test_doctor_says_when_the_database_takes_no_changes(
    destination: Destination, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(Destination, "test_connection", full)
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)
    assert "✗ Database: takes no changes (database or disk is full)" in out.getvalue()


def test_doctor_says_when_credentials_are_refused(destination: Destination, library: Path) -> None:
    destination.api_secret = "wrong"
    destination.save()
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)
    assert "✗ Destination main" in out.getvalue()
    assert "wrong" not in out.getvalue()
