"""Planted secrets never come out again: not in logs, errors, events, queue, pages, answers, exports."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from jobs import runner
from jobs.events import Event
from schedules import decisions, hourly, scheduling
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

SECRETS = ["canary-key-5f1e", "canary-secret-77aa", "canary-password-91bc"]
PAGES = [
    "/",
    "/uploads/",
    "/admin/uploader/destination/",
    "/admin/uploader/destination/{pk}/change/",
    "/admin/uploader/destination/{pk}/history/",
    "/admin/uploader/uploadjob/",
    "/admin/jobs/event/",
    "/api/upload/schedule",
    "/api/openapi.json",
]


def fail_an_upload(destination: Destination, series: Series) -> None:
    now = timezone.now()
    [row] = scheduling.schedule_series(series, destination, who="olga", now=now)
    decisions.upload_now(row, who="olga", now=now)
    hourly.tick(now)
    runner.drain("upload", seconds=20)


@pytest.mark.django_db(transaction=True)
def test_secrets_stay_where_they_were_put(
    make_series: Callable[..., Series],
    destination: Destination,
    platform: Any,
    client: Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    key, secret, password = SECRETS
    # The platform itself is indiscreet: it repeats what it was sent.
    platform.add_fault("token", times=None, status=500, body=f"no good: {key} {secret} {password}")
    destination.api_key, destination.api_secret, destination.password = key, secret, password
    destination.save()
    fail_an_upload(destination, make_series("Harbour", 1))
    job = UploadJob.objects.get()
    assert job.error_message, "the upload failed, so there is something to leak"

    said = [caplog.text, job.error_message]
    said += [f"{event.why} {event.data}" for event in Event.objects.all()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT payload FROM django_q_ormq")
        said += [str(row) for row in cursor.fetchall()]
        cursor.execute("SELECT * FROM uploader_destination")
        said += [str(row) for row in cursor.fetchall()]
    root = User.objects.create_superuser("root", password="a-Good-Passphrase-1")
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    for page in PAGES:
        answer = client.get(page.format(pk=destination.pk))
        assert answer.status_code == 200, page
        said.append(answer.content.decode())
    for text in said:
        for planted in SECRETS:
            assert planted not in text
