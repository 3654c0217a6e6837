"""Health, metrics, media, and the answers when something is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from jobs import ticker, workers
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob


def test_healthz_says_that_the_process_lives(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_readyz_names_what_is_missing(client: Client, db: None) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["workers"], answer.json()["tickAgeSeconds"]) == (503, 0, None)
    now = timezone.now()
    workers.beat(ticker.LANE, now)
    workers.Worker.objects.create(id="w", lane="upload", host="h", pid=1, started_at=now, seen_at=now)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


def test_metrics_count_jobs_for_whoever_has_a_token(
    client: Client, operator: User, destination: Destination
) -> None:
    UploadJob.objects.create(destination=destination, title="A film")
    assert client.get("/metrics").status_code == 401
    _, token = AuthToken.objects.create(operator)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/openmetrics-text;version=1.0.0"}
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert 'slotcast_jobs{model="uploader.uploadjob",status="waiting"} 1.0' in answer.content.decode()


@pytest.mark.parametrize(
    "path", ["../secret.txt", "..%2fsecret.txt", "/etc/passwd", "a\0b", "nothing.jpg", ""]
)
def test_media_never_leaves_its_folder(viewer_client: Client, library: Path, path: str) -> None:
    (library.parent / "secret.txt").write_text("secret")
    assert viewer_client.get(f"/media/{path}").status_code == 404


def test_media_is_for_the_staff(client: Client, viewer_client: Client, library: Path, settings: Any) -> None:
    Path(settings.MEDIA_ROOT).mkdir()
    (Path(settings.MEDIA_ROOT) / "poster.jpg").write_bytes(b"picture")
    assert client.get("/media/poster.jpg").status_code == 302
    answer = viewer_client.get("/media/poster.jpg")
    assert b"".join(answer.streaming_content) == b"picture"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_pages_carry_the_content_policy(client: Client) -> None:
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


def test_repeated_wrong_passwords_are_locked_out(client: Client, operator: User, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    for _ in range(3):
        answer = client.post("/admin/login/", {"username": "olga", "password": "wrong"})
    assert answer.status_code == 429
    right = client.post("/admin/login/", {"username": "olga", "password": "a-Good-Passphrase-1"})
    assert right.status_code == 429


def test_a_form_that_waited_too_long_is_refused_in_our_own_frame() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "olga"})
    assert answer.status_code == 403
    assert "Reload it, then try again." in answer.content.decode()
    assert "Not allowed | Slotcast" in answer.content.decode()
