"""A variable nobody can work with is refused by its name, in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.environment import BadVariable, database_url, flag, folder, given, list_of_seconds, seconds

ROOT = Path(__file__).resolve().parent.parent.parent


def start(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh process that reads the settings in the given environment."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**clean, "SLOTCAST_ENV_FILE": os.devnull, "SLOTCAST_VAR": str(tmp_path / "var"), **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UPLOAD_INTERVAL_SECONDS", "abc"),
        ("UPLOAD_RETRY_DELAYS_SECONDS", "60,,300"),
        ("UPLOAD_WORKERS", "0"),
        ("UPLOAD_MAX_RETRIES", "none"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("LOG_LEVEL", "LOUD"),
        ("DAILYMOTION_API_DIALECT", "v9"),
        ("DATABASE_URL", "mysql://root@host/name"),
        ("SLOTCAST_VAR", "/dev/null/var"),
    ],
)
def test_a_program_with_a_bad_variable_ends_with_one_sentence_that_names_it(
    tmp_path: Path, name: str, value: str
) -> None:
    ended = start(tmp_path, **{name: value})
    assert ended.returncode != 0
    [sentence] = ended.stderr.splitlines()
    assert sentence.startswith(f"{name} is “")


@pytest.mark.parametrize("value", ["abc", "0", "-5", "nan", "inf", "1h"])
def test_an_interval_is_a_length_of_time(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("UPLOAD_INTERVAL_SECONDS", value)
    with pytest.raises(BadVariable, match=f"UPLOAD_INTERVAL_SECONDS is “{value}”.*seconds above 0"):
        seconds("UPLOAD_INTERVAL_SECONDS", 3600)


def test_a_wait_may_be_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_WAIT_SECONDS", "0")
    assert seconds("RECONCILE_WAIT_SECONDS", 60, may_be_zero=True) == 0
    monkeypatch.setenv("UPLOAD_RETRY_DELAYS_SECONDS", " 0, 2.5 ")
    assert list_of_seconds("UPLOAD_RETRY_DELAYS_SECONDS", "60,300") == [0, 2.5]


def test_a_variable_that_is_empty_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_ROOT", " ")
    assert given("LIBRARY_ROOT", "here") == "here"
    assert flag("LIBRARY_ROOT", True)


def test_a_refused_database_address_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("mysql://me:hunter2@host/name", "postgres://me:hunter2@host:port/name"):
        monkeypatch.setenv("DATABASE_URL", url)
        with pytest.raises(BadVariable) as refused:
            database_url("DATABASE_URL")
        assert "hunter2" not in str(refused.value)


def test_a_folder_is_made_with_those_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOTCAST_VAR", str(tmp_path / "a" / "b"))
    assert folder("SLOTCAST_VAR", tmp_path).is_dir()
