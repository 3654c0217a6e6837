"""What is missing or misconfigured, each with its fix."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from jobs import health
from jobs.errors import JobError
from uploader.destinations import Destination
from uploader.transcoding.ffmpeg import program
from uploader.transfer import openness, places
from uploader.transfer.storage import Storage

LITTLE_SPACE_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `fix` is empty when it is in order."""

    what: str
    found: str
    fix: str = ""


class Command(BaseCommand):
    help = "Say what is missing or misconfigured, each with its fix. Exit code 1 when something is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--offline", action="store_true", help="Do not call the platforms")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = [*database(), *queue(), *library(), *transcoding(), *storage(offline=options["offline"])]
        if not findings[0].fix:
            # The rest is written in the database.
            findings += [*people(), *processes()]
            try:
                findings += destinations(offline=options["offline"])
            except DatabaseError as error:
                # The answer of a platform is remembered.
                findings.append(Finding("Database", f"takes no changes ({error})", "Make room on its disk."))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            for finding in findings:
                mark = "✗" if finding.fix else "✓"
                self.stdout.write(f"{mark} {finding.what}: {finding.found}")
                if finding.fix:
                    self.stdout.write(f"    → {finding.fix}")
        if any(finding.fix for finding in findings):
            raise SystemExit(1)


def database() -> Iterator[Finding]:
    try:
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        answer = str(error).strip().partition("\n")[0]
        yield Finding("Database", f"does not answer ({answer})", "Start it, or correct DATABASE_URL in .env.")
        return
    fix = "Run: make setup" if behind else ""
    yield Finding("Database", f"{connection.vendor}, {len(behind)} migrations to apply", fix)


def queue() -> Iterator[Finding]:
    """Work is handed out through Redis where there is one: without it everything waits."""
    if not settings.REDIS_URL:
        return
    try:
        with redis.from_url(settings.REDIS_URL, socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        fix = "Start it, or correct REDIS_URL in .env; without REDIS_URL the database carries the queue."
        yield Finding("Redis", f"does not answer ({error})", fix)
    else:
        yield Finding("Redis", "answers")


def library() -> Iterator[Finding]:
    root = settings.LIBRARY_ROOT
    if not root.is_dir():
        yield Finding("Library", f"{root} is not there", "Make the folder, or set LIBRARY_ROOT in .env.")
    elif not os.access(root, os.R_OK | os.X_OK):
        yield Finding(
            "Library", f"{root} cannot be read", "Give the user of the worker permission to read it."
        )
    else:
        yield Finding("Library", str(root))
    free = shutil.disk_usage(settings.VAR_DIR).free
    fix = "Make room: the database and posters are written there." if free < LITTLE_SPACE_BYTES else ""
    yield Finding("Disk", f"{free / 1e9:.1f} GB free under {settings.VAR_DIR}", fix)


def transcoding() -> Iterator[Finding]:
    """Films are encoded by ffmpeg into a folder that all workers share."""
    name = program()
    found = subprocess.run(  # noqa: S603 - the ffmpeg that films are encoded with
        [name, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False
    ).stdout
    fix = "" if " libx264 " in found else "Install an ffmpeg with libx264, or remove it for the bundled one."
    yield Finding("ffmpeg", f"{name}{'' if not fix else ' has no encoder for H.264'}", fix)
    root = settings.TRANSCODE_ROOT
    try:
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
    except OSError as error:
        yield Finding(
            "Transcoding", f"{root} cannot be used ({error.strerror})", "Correct TRANSCODE_ROOT in .env."
        )
        return
    writable = os.access(root, os.W_OK)
    fix = "" if writable else f"Give this user the right to write to {root}."
    if writable and free < LITTLE_SPACE_BYTES:
        fix = f"Make room on the disk of {root}: films need their own size and more."
    yield Finding("Transcoding", f"{root}, {free / 1e9:.0f} GB free", fix)


def storage(*, offline: bool) -> Iterator[Finding]:
    """Where packages of HLS go: can it be written, read and cleared?"""
    players: list[Finding] = []
    try:
        place = places.of_environment()
        found = str(place)
        if isinstance(place, places.Folder) or not offline:
            with Storage(place) as opened:
                opened.identify()
                found = f"{place}, takes and gives files"
                players = list(players_elsewhere(opened))
    except JobError as error:
        fix = "Correct STORAGE_URL and the SPACES_ variables in .env, then run doctor again."
        yield Finding("Storage", str(error), fix)
        return
    if isinstance(place, places.Bucket) and not place.checks_certificate:
        yield Finding(
            "Storage",
            f"{found}; its certificate is not checked",
            "Take SPACES_TLS_VERIFY=0 out of .env; name the file of its authority in SPACES_CA_FILE.",
        )
    else:
        yield Finding("Storage", found)
    yield from players


def players_elsewhere(storage: Storage) -> Iterator[Finding]:
    """Can the players of PLAYER_ORIGINS read packages? Slotcast's own gets them through the web process."""
    for origin in settings.PLAYER_ORIGINS:
        name = f"Players of {origin}"
        if not isinstance(storage.place, places.Bucket):
            yield Finding(name, "cannot read a folder of this machine", "Choose a bucket by STORAGE_URL.")
            continue
        reading = openness.read_for(storage, origin)
        if not reading.is_public:
            found = f"get nothing from the bucket, which answers {reading.status} to who has no keys"
            yield Finding(name, found, "Let everybody read it: docs/deploy/bucket-policy.json.")
        elif not reading.is_shared:
            found = (
                "get nothing: the bucket has no CORS rule for them, so their browsers keep the answer back"
            )
            yield Finding(name, found, "Give the bucket a rule: docs/deploy/bucket-cors.json.")
        else:
            yield Finding(name, "can read the bucket")


def people() -> Iterator[Finding]:
    staff = get_user_model().objects.filter(is_staff=True, is_active=True).count()
    yield Finding(
        "Staff", f"{staff} logins", "" if staff else "Run: .venv/bin/python manage.py createsuperuser"
    )


def processes() -> Iterator[Finding]:
    ready, found = health.readiness(timezone.now())
    words = ", ".join(f"{name} {value}" for name, value in found.items())
    fix = "" if ready else "Start the worker: make run, or .venv/bin/python manage.py worker"
    yield Finding("Worker", words, fix)


def destinations(*, offline: bool) -> Iterator[Finding]:
    if not Destination.objects.exists():
        yield Finding(
            "Destinations",
            "none",
            "Put DAILYMOTION_API_KEY and DAILYMOTION_API_SECRET into .env and run make setup, "
            "or add one in the admin.",
        )
    for destination in Destination.objects.filter(is_active=True):
        name = f"Destination {destination.name}"
        if offline:
            yield Finding(name, destination.get_health_display())
            continue
        try:
            destination.test_connection(who="doctor", now=timezone.now())
        except JobError as error:
            yield Finding(name, str(error), "Check its credentials and the network, then run doctor again.")
        else:
            said = destination.health_message
            yield Finding(name, said[:1].lower() + said[1:])
