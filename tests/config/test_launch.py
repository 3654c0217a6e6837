"""`make run`: what it decides before anything starts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from config import launch, together
from config.people import ELSEWHERE, ensure_first_login
from schedules import scheduling
from uploader.catalog import Series
from uploader.destinations import Destination

ROOT = Path(__file__).resolve().parent.parent.parent


NAMES = "DEMO, SANDBOX_URL, UPLOAD_INTERVAL_SECONDS, DAILYMOTION"


def settings_with(tmp_path: Path, *, names: str = NAMES, **environment: str) -> dict[str, object]:
    """The settings a fresh process reads in the given environment."""
    code = f"import json; from config.settings import {names}; print(json.dumps([{names}]))"
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**clean, "SLOTCAST_ENV_FILE": os.devnull, "SLOTCAST_VAR": str(tmp_path / "var"), **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return dict(zip(names.split(", "), json.loads(output), strict=True))


def test_without_anything_given_the_queue_is_hourly_and_no_account_is_known(tmp_path: Path) -> None:
    found = settings_with(tmp_path)
    assert (found["UPLOAD_INTERVAL_SECONDS"], found["SANDBOX_URL"]) == (3600, "")


def test_the_demo_speaks_to_the_stand_in_and_hurries(tmp_path: Path) -> None:
    found = settings_with(tmp_path, DEMO="1", SANDBOX_URL="http://127.0.0.1:9")
    assert found["DAILYMOTION"]["key"] == "sandbox-key"  # type: ignore[index]
    assert found["UPLOAD_INTERVAL_SECONDS"] == 12


def test_the_demo_never_mixes_with_an_account_of_one_s_own(tmp_path: Path) -> None:
    found = settings_with(tmp_path, DEMO="1", DAILYMOTION_API_KEY="mine", DAILYMOTION_API_SECRET="secret")
    assert (found["DEMO"], found["SANDBOX_URL"], found["UPLOAD_INTERVAL_SECONDS"]) == (False, "", 3600)
    assert found["DAILYMOTION"]["key"] == "mine"  # type: ignore[index]


def test_a_variable_that_is_given_wins_over_the_demo_s_default(tmp_path: Path) -> None:
    assert settings_with(tmp_path, DEMO="1", UPLOAD_INTERVAL_SECONDS="3")["UPLOAD_INTERVAL_SECONDS"] == 3


def test_commands_beside_a_running_demo_are_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO", "1")
    monkeypatch.setenv("SANDBOX_URL", "http://127.0.0.1:9")
    held = together.share(tmp_path / "var")
    assert held is not None
    try:
        assert together.share(tmp_path / "var") is None
        beside = settings_with(tmp_path)
        assert (beside["UPLOAD_INTERVAL_SECONDS"], beside["SANDBOX_URL"]) == (12, "http://127.0.0.1:9")
        assert settings_with(tmp_path, DEMO="0")["UPLOAD_INTERVAL_SECONDS"] == 3600
    finally:
        os.close(held)
    afterwards = settings_with(tmp_path)
    assert (afterwards["UPLOAD_INTERVAL_SECONDS"], afterwards["SANDBOX_URL"]) == (3600, "")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "abc", "PORT is “abc”, but it must be a whole number from 1 to 65535."),
        ("PORT", "99999", "PORT is “99999”, but it must be a whole number from 1 to 65535."),
        ("DATABASE_URL", "sqlite:////dev/null/none", "The database refused: unable to open database file."),
    ],
)
def test_what_cannot_start_ends_with_one_sentence(tmp_path: Path, name: str, value: str, says: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    clean = {variable: os.environ[variable] for variable in ("PATH", "HOME") if variable in os.environ}
    own = {"SLOTCAST_ENV_FILE": os.devnull, "SLOTCAST_VAR": str(tmp_path / "var"), "DEMO": "0", "PORT": free}
    ended = subprocess.run(
        [sys.executable, "-m", "config.launch"],
        cwd=ROOT,
        env={**clean, **own, name: value},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    [sentence] = ended.stderr.splitlines()
    assert sentence.startswith(says)


def test_a_taken_port_is_refused_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"Port {port} is in use.*PORT={port + 1} make run"):
            launch.refuse_taken_port(port)
        assert port not in launch.free_ports(port, 2)


def test_the_first_login_is_made_once_and_can_be_read_again(db: None) -> None:
    username, password = ensure_first_login()
    assert ensure_first_login() == (username, password)


def test_a_changed_password_is_not_shown_any_more(db: None) -> None:
    ensure_first_login()
    user = User.objects.get(is_superuser=True)
    user.set_password("another one")
    user.save()
    assert ensure_first_login() == ("admin", ELSEWHERE)


def test_what_the_demo_left_never_goes_to_an_account_of_one_s_own(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    now = timezone.now()
    scheduling.schedule_series(make_series("Mine", 2), destination, who="olga", now=now)
    launch.refuse_what_the_demo_left()
    scheduling.schedule_series(make_series("Harbour", 3), destination, who="demo", now=now)
    with pytest.raises(
        SystemExit, match=r"^3 videos and posts of the demo wait.*SLOTCAST_VAR=var/mine make run"
    ):
        launch.refuse_what_the_demo_left()


def test_a_person_called_demo_is_no_demo(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    User.objects.create_user("demo")
    scheduling.schedule_series(make_series("Harbour", 1), destination, who="demo", now=timezone.now())
    launch.refuse_what_the_demo_left()
