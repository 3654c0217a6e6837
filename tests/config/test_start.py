"""What a process loads when it starts: no more than it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = """
import sys, django
django.setup()
print(*sorted(name for name in ("uploader.admin", "openpyxl", "daphne.server") if name in sys.modules))
from django.urls import reverse
print(reverse("admin:uploader_episode_changelist"))
"""


def loaded_by(process: str, folder: Path) -> list[str]:
    environment = {
        **os.environ,
        "SLOTCAST_PROCESS": process,
        "SLOTCAST_VAR": str(folder),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("process", ["supervisor", "worker", "ticker"])
def test_a_process_without_pages_loads_no_admin_until_it_needs_an_address(
    process: str, tmp_path: Path
) -> None:
    assert loaded_by(process, tmp_path) == ["", "/admin/uploader/episode/"]


@pytest.mark.parametrize("process", ["web", ""])
def test_a_process_with_pages_loads_the_admin_at_its_start(process: str, tmp_path: Path) -> None:
    assert loaded_by(process, tmp_path)[0].split() == ["openpyxl", "uploader.admin"]
