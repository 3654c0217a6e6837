"""Workers die, freeze, come twice, lose the database: one post on the platform at most, and its true state here."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from jobs.events import history_of
from sandbox.server import Sandbox
from schedules.posts import deciding, explaining
from schedules.posts.models import PostStatus, ScheduledPost
from tests.jobs.worker_process import until
from tests.schedules.conftest import MakePost, fresh
from tests.uploader.test_upload_survival import database_url
from uploader.upload_jobs import UploadJob

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

LEASE_SECONDS = 2.0

# What `manage.py worker` does, in one process that can be killed; its clock is wrong by what the file says.
WORKER = """
import os, time, django
from datetime import UTC, datetime
true_time = time.time
def wrong_by():
    try:
        with open(os.environ["CLOCK_FILE"]) as file:
            return float(file.read() or 0)
    except FileNotFoundError:
        return 0.0
time.time = lambda: true_time() + wrong_by()
from django.utils import timezone
timezone.now = lambda: datetime.fromtimestamp(time.time(), UTC)
django.setup()
from django import db
from jobs import runner, ticker
ticked_at = 0.0
print("ready", flush=True)
while True:
    try:
        if time.monotonic() - ticked_at > 0.3:
            ticked_at = time.monotonic()
            ticker.tick(timezone.now())
        if not runner.drain("upload") + runner.drain("publish"):
            time.sleep(0.05)
    except db.Error:
        db.connection.close()
"""


class Worker:
    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORKER],
                cwd=django_settings.BASE_DIR,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n", log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


Start = Callable[[], Worker]


@pytest.fixture
def start(tmp_path: Path, library: Path, settings: Any) -> Iterator[Start]:
    """Another worker on the test's own database."""
    started: list[Worker] = []
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SLOTCAST_PROCESS": "worker",
        "SLOTCAST_VAR": str(tmp_path),
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "LIBRARY_ROOT": str(library),
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "RECONCILE_WAIT_SECONDS": "0.2",
        "UPLOAD_RETRY_DELAYS_SECONDS": "0.2",
        "PRE_UPLOAD_LEAD_SECONDS": "3600",
        "CLOCK_FILE": str(tmp_path / "clock"),
        "PYTHONWARNINGS": "ignore",
    }

    def begin() -> Worker:
        started.append(Worker(environment, tmp_path / f"worker-{len(started)}.log"))
        return started[-1]

    yield begin
    for worker in started:
        worker.kill()


def await_published(post: ScheduledPost, worker: Worker, *, seconds: float = 40) -> ScheduledPost:
    until(
        lambda: not fresh(post).is_open,
        seconds=seconds,
        what=f"the post ends; {list(history_of(post).values_list('type', 'why'))} {worker.log.read_text()}",
    )
    return fresh(post)


def come_in(seconds: float, *posts: ScheduledPost) -> datetime:
    """The posts' moment, from now: how long the workers took to start is none of it."""
    at = timezone.now() + timedelta(seconds=seconds)
    rows = ScheduledPost.objects.filter(pk__in=[post.pk for post in posts])
    rows.update(scheduled_for=at, take_at=ScheduledPost.first_take(at))
    return at


def assert_once(post: ScheduledPost, social: Sandbox) -> None:
    done = fresh(post)
    assert (done.status, done.error_message) == (PostStatus.PUBLISHED, "")
    (remote,) = social.posts()
    assert (remote["uuid"], remote["status"]) == (done.remote_uuid, "published")
    assert done.scheduled_for
    assert min(remote["publish_received_at"]) >= done.scheduled_for.timestamp()


# -------------------------------------------------------------------- kill -9 around each of the three calls


def test_a_worker_killed_before_create_is_applied(
    uploaded_post: MakePost, social: Sandbox, start: Start
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=5))
    social.add_fault("create_post", delay=60)
    first = start()
    until(lambda: social.requests("create_post"))
    first.kill()
    await_published(post, start())
    assert_once(post, social)


def test_a_worker_killed_after_create_was_applied(
    uploaded_post: MakePost, social: Sandbox, start: Start
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=5))
    social.settings(onlysocial_delay_ms=60_000)
    first = start()
    until(social.posts)
    first.kill()
    social.settings(onlysocial_delay_ms=0)
    await_published(post, start())
    assert_once(post, social)
    assert len(social.requests("create_post")) == 1


def test_a_worker_killed_before_publish_is_applied(
    uploaded_post: MakePost, social: Sandbox, start: Start
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=4))
    social.add_fault("publish_post", delay=60)
    first = start()
    until(lambda: social.requests("publish_post"))
    first.kill()
    await_published(post, start())
    assert_once(post, social)


def test_a_worker_killed_after_publish_was_applied(
    uploaded_post: MakePost, social: Sandbox, start: Start
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=5))
    first = start()
    until(lambda: fresh(post).remote_uuid)
    social.settings(onlysocial_delay_ms=60_000)
    until(lambda: social.posts()[0]["publish_received_at"])
    first.kill()
    social.settings(onlysocial_delay_ms=0)
    await_published(post, start())
    assert_once(post, social)
    assert len(social.requests("publish_post")) == 1


def test_a_worker_killed_before_the_media_have_arrived(
    make_post: MakePost, social: Sandbox, start: Start
) -> None:
    post = make_post(at=timezone.now() + timedelta(seconds=6))
    social.add_fault("upload_media", stall_after_bytes=1000, seconds=60)
    first = start()
    until(lambda: social.requests("upload_media"))
    first.kill()
    await_published(post, start())
    assert_once(post, social)
    assert len(social.media()) == 1


def test_a_worker_killed_after_the_media_have_arrived(
    make_post: MakePost, social: Sandbox, start: Start
) -> None:
    post = make_post(at=timezone.now() + timedelta(seconds=6))
    social.settings(onlysocial_delay_ms=60_000)
    first = start()
    until(social.media)
    first.kill()
    social.settings(onlysocial_delay_ms=0)
    await_published(post, start())
    assert_once(post, social)
    assert len(social.media()) == 1


# -------------------------------------------------------------------- restarts, several at once


@pytest.mark.parametrize("before_seconds", [1.0, -1.0], ids=["T-1s", "T+1s"])
def test_a_restart_of_everything_around_the_moment(
    uploaded_post: MakePost, social: Sandbox, start: Start, before_seconds: float
) -> None:
    social.settings(onlysocial_delay_ms=1500)
    post = uploaded_post(at=timezone.now() + timedelta(hours=1))
    workers = [start(), start()]
    at = come_in(4, post)
    until(lambda: timezone.now() >= at - timedelta(seconds=before_seconds))
    for worker in workers:
        worker.kill()
    social.settings(onlysocial_delay_ms=0)
    await_published(post, start())
    assert_once(post, social)


def test_two_clusters_publish_each_post_once(uploaded_post: MakePost, social: Sandbox, start: Start) -> None:
    later = timezone.now() + timedelta(hours=1)
    posts = [uploaded_post(at=later) for _ in range(20)]
    workers = [start(), start()]
    come_in(4, *posts)
    for post in posts:
        await_published(post, workers[0])
    assert {fresh(post).status for post in posts} == {PostStatus.PUBLISHED}
    remotes = social.posts()
    assert {remote["uuid"] for remote in remotes} == {fresh(post).remote_uuid for post in posts}
    assert len(remotes) == len(social.requests("publish_post")) == 20


# -------------------------------------------------------------------- the token is taken away


def test_a_token_revoked_in_mid_way_publishes_nothing_until_it_is_renewed(
    uploaded_post: MakePost, social: Sandbox, start: Start
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(hours=1))
    worker = start()
    come_in(6, post)
    until(lambda: fresh(post).remote_uuid, what="its draft is made")
    social.settings(onlysocial_token_revoked=True)
    until(lambda: fresh(post).error_kind == "credentials", what="the refusal is shown")
    waiting = fresh(post)
    assert (waiting.status, waiting.publish_intended_at) == (PostStatus.MEDIA_UPLOADED, None)
    assert "access token" in explaining.why_not_published(waiting, timezone.now())
    social.settings(onlysocial_token_revoked=False)
    waiting.account.destination.test_connection(who="olga", now=timezone.now())
    await_published(post, worker)
    assert_once(post, social)
    assert fresh(post).remote_uuid == waiting.remote_uuid


# -------------------------------------------------------------------- the clock is set


def set_clock(folder: Path, hours: int) -> None:
    """Of every worker's machine, from now on."""
    new = folder / "clock.new"
    new.write_text(str(hours * 3600))
    new.rename(folder / "clock")


def test_a_clock_set_back_an_hour_and_right_again_publishes_once_and_not_early(
    uploaded_post: MakePost, social: Sandbox, start: Start, tmp_path: Path
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(hours=1))
    workers = [start(), start()]
    at = come_in(6, post)
    until(lambda: fresh(post).remote_uuid, what="its draft is made")
    set_clock(tmp_path, -1)
    until(lambda: timezone.now() > at + timedelta(seconds=1))
    assert social.requests("publish_post") == []
    assert fresh(post).is_open
    set_clock(tmp_path, 0)
    await_published(post, workers[0])
    assert_once(post, social)


def test_a_clock_set_forward_an_hour_and_right_again_leaves_the_truth(
    uploaded_post: MakePost, social: Sandbox, start: Start, tmp_path: Path
) -> None:
    """By the workers' clock its grace is over: missed, never sent, and published once when somebody says so."""
    post = uploaded_post(at=timezone.now() + timedelta(hours=1))
    workers = [start(), start()]
    come_in(6, post)
    until(lambda: fresh(post).remote_uuid, what="its draft is made")
    set_clock(tmp_path, 1)
    missed = await_published(post, workers[0])
    assert (missed.status, missed.error_kind) == (PostStatus.FAILED, "missed")
    assert social.requests("publish_post") == []
    set_clock(tmp_path, 0)
    now = timezone.now()
    deciding.publish_now(fresh(post), who="olga", now=now)
    await_published(post, workers[0])
    (remote,) = social.posts()
    assert (fresh(post).status, remote["status"]) == (PostStatus.PUBLISHED, "published")
    assert fresh(post).remote_uuid == remote["uuid"]


# -------------------------------------------------------------------- the database


@pytest.mark.postgres
@pytest.mark.parametrize("offset_seconds", [-2.0, 0.2], ids=["before", "after"])
def test_connections_to_the_database_cut_in_mid_flight(
    uploaded_post: MakePost, social: Sandbox, start: Start, offset_seconds: float
) -> None:
    social.settings(onlysocial_delay_ms=300)
    at = timezone.now() + timedelta(seconds=7)
    posts = [uploaded_post(at=at) for _ in range(5)]
    worker = start()
    until(lambda: timezone.now() >= at + timedelta(seconds=offset_seconds))
    with psycopg.connect(database_url(), autocommit=True) as server:
        for _ in range(3):
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    connection.close()
    for post in posts:
        await_published(post, worker)
    assert {fresh(post).status for post in posts} == {PostStatus.PUBLISHED}
    assert len(social.posts()) == 5
    assert all(remote["status"] == "published" for remote in social.posts())


def test_several_upload_jobs_of_one_post_go_one_after_the_other(
    make_post: MakePost, social: Sandbox, start: Start
) -> None:
    post = make_post(videos=3, at=timezone.now() + timedelta(seconds=8))
    workers = [start(), start()]
    done = await_published(post, workers[0])
    assert done.status == PostStatus.PUBLISHED
    jobs = list(UploadJob.objects.filter(post_video__post=post).order_by("post_video__position"))
    ended = [job.finished_at for job in jobs]
    with contextlib.suppress(IndexError):
        assert all(earlier <= later.started_at for earlier, later in zip(ended, jobs[1:], strict=False))
    (remote,) = social.posts()
    assert remote["media_ids"] == [int(job.remote_id) for job in jobs]
