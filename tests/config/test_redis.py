"""Redis is a faster carrier of hints: what people and programs ask for is answered without it, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CALL = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from knox.models import AuthToken
from django.test import Client
user = User.objects.create_superuser("olga", password="x")
_, token = AuthToken.objects.create(user)
answer = Client().get("/api/upload/scheduler/status", headers={"authorization": f"Bearer {token}"})
print(answer.status_code)
"""


def test_the_api_answers_while_redis_is_away(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "DATABASE_URL": "",
        "SLOTCAST_VAR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ALLOWED_HOSTS": "testserver",
    }
    done = subprocess.run(
        [sys.executable, "-c", CALL], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.stdout.split()[-1:] == ["200"], done.stderr
