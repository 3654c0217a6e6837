"""The frame of the staff pages: the sidebar, people, what is not shown at all, events and workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from unfold.admin import ModelAdmin

from jobs.events import Event, publish, record
from jobs.workers import Worker
from schedules.upload_schedules import ScheduledUpload, Status, UploadSchedule
from tests.admin_pages import act, address, root, staff_with
from uploader.catalog import Episode, Series
from uploader.destinations import Destination

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def client() -> Client:
    return root()


def given_up() -> ScheduledUpload:
    account = Destination.objects.create(name="main", credentials_from_environment=True)
    series = Series.objects.create(title="Harbour")
    episode = Episode.objects.create(series=series, index_sequence=1, path="1.mp4")
    schedule = UploadSchedule.objects.create(
        series=series, destination=account, position=1, paused_at=NOW, paused_by="policy"
    )
    more = {"series": series, "destination": account, "schedule": schedule}
    ScheduledUpload.objects.create(
        episode=Episode.objects.create(series=series, index_sequence=2, path="2.mp4"), position=2, **more
    )
    return ScheduledUpload.objects.create(episode=episode, position=1, status=Status.SKIPPED, **more)


# -------------------------------------------------------------------- the sidebar


def test_the_sidebar_leads_everywhere(client: Client) -> None:
    body = client.get("/admin/").content.decode()
    for title in (
        "Control room", "Uploads", "Catalog", "Series", "Episodes", "Films", "Delivery",
        "Destinations",
        "Upload jobs", "Ledger", "Upload schedules", "Scheduled uploads", "System", "Workers",
        "Events", "Users", "Groups", "API tokens", "API docs",
    ):  # fmt: skip
        assert f">{title}</span>" in body or f"{title}\n" in body, title
    for link in ('href="/"', 'href="/uploads/"', 'href="/api/docs"'):
        assert link in body


def test_the_sidebar_shows_only_what_somebody_may_open() -> None:
    body = staff_with("carl", apps=["uploader"], verbs=["view"]).get("/admin/").content.decode()
    assert "<span>Destinations</span>" in body
    assert "<span>Users</span>" not in body
    assert "<span>Scheduled uploads</span>" not in body


def test_uploads_carry_the_number_that_need_a_hand(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    badge = "bg-red-100 text-red-700"
    assert badge not in client.get("/admin/").content.decode()
    given_up()
    body = client.get("/admin/").content.decode()
    assert badge in body
    assert ">2</span>" in "".join(body.split())
    with django_assert_max_num_queries(9):
        client.get("/admin/")


def test_only_the_page_itself_is_marked_as_open(client: Client) -> None:
    body = client.get(address(Event, "changelist")).content.decode()
    links = [part.split('href="')[-1].split('"')[0] for part in body.split(' active">')[:-1]]
    assert links == [address(Event, "changelist")]


def test_the_sandbox_is_announced(client: Client, settings: Any) -> None:
    settings.SANDBOX_URL = ""
    assert "Sandbox" not in client.get("/admin/").content.decode()
    settings.SANDBOX_URL = "http://127.0.0.1:8100"
    assert "Sandbox" in client.get("/admin/").content.decode()


def test_pages_have_a_favicon_of_our_own(client: Client) -> None:
    assert "slotcast/favicon.svg" in client.get("/admin/").content.decode()
    assert "slotcast/favicon.svg" in Client().get("/admin/login/").content.decode()


# -------------------------------------------------------------------- what is registered


def test_every_admin_page_is_drawn_by_unfold() -> None:
    assert [model for model, page in admin.site._registry.items() if not isinstance(page, ModelAdmin)] == []


def test_the_queues_pickles_are_not_shown(client: Client) -> None:
    registered = {model._meta.app_label for model in admin.site._registry}
    assert not registered & {"django_q", "axes"}
    assert client.get("/admin/django_q/success/").status_code == 404


@pytest.mark.parametrize("model", ["auth.User", "auth.Group", "knox.AuthToken", "jobs.Event", "jobs.Worker"])
def test_lists_do_not_count_everything_twice(model: str) -> None:
    assert not admin.site.get_model_admin(apps.get_model(model)).show_full_result_count


def test_people_are_added_and_changed(client: Client) -> None:
    fields = {
        "username": "olga", "usable_password": "true",
        "password1": "a-Good-Passphrase-1", "password2": "a-Good-Passphrase-1",
    }  # fmt: skip
    assert client.post(address(User, "add"), fields).status_code == 302
    olga = User.objects.get(username="olga")
    for page in (address(olga, "change", olga.pk), address(User, "changelist"), address(Group, "add")):
        assert client.get(page).status_code == 200


def test_a_token_is_listed_without_its_secret_and_revoked(client: Client) -> None:
    row, token = AuthToken.objects.create(User.objects.get(username="root"))
    body = client.get(address(AuthToken, "changelist")).content.decode()
    assert row.token_key[:8] in body
    assert token not in body
    assert client.get(address(AuthToken, "changelist") + "add/").status_code in (302, 404)
    assert "1 revoked" in act(client, AuthToken, "revoke", [row])
    assert not AuthToken.objects.exists()


# -------------------------------------------------------------------- events and workers


def test_events_show_history_unless_asked_for_more(client: Client) -> None:
    record(given_up(), "skipped", now=NOW, old="uploading", new="skipped", why="<i>three faults</i>")
    publish("uploads", "upload_progress", {"progress": 7}, now=NOW)
    body = client.get(address(Event, "changelist")).content.decode()
    assert "&lt;i&gt;three faults" in body
    assert "Upload progress" not in body.split("<tbody")[1].split("</tbody")[0]
    assert "Upload progress" in client.get(address(Event, "changelist") + "?kind=live").content.decode()


def test_events_are_filtered_and_found(client: Client) -> None:
    row = given_up()
    record(row, "skipped", now=NOW, why="first")
    record(row.destination, "paused", now=NOW, who="olga", why="second")
    for query, shown in (
        ("?type=paused", "second"), ("?subject=schedules.scheduledupload", "first"), ("?q=olga", "second"),
        ("?days=7", "first"),
    ):  # fmt: skip
        assert shown in client.get(address(Event, "changelist") + query).content.decode(), query


def test_nobody_writes_history(client: Client) -> None:
    event = record(given_up(), "skipped", now=NOW)
    assert client.get(address(event, "change", event.pk)).status_code == 200
    assert client.get(address(Event, "add")).status_code == 403
    assert client.post(address(event, "change", event.pk), {"why": "x"}).status_code == 403
    assert client.post(address(event, "delete", event.pk), {"post": "yes"}).status_code == 403


def test_workers_say_whether_they_live(client: Client) -> None:
    for name, ago in (("alive", 1), ("gone", 300)):
        seen = timezone.now() - timedelta(seconds=ago)
        Worker.objects.create(id=name, lane="upload", host=name, pid=1, started_at=seen, seen_at=seen)
    body = client.get(address(Worker, "changelist")).content.decode()
    assert body.count("Alive") >= 1
    assert "Gone" in body
    assert client.get(address(Worker, "change", "gone")).status_code == 200
    assert client.get(address(Worker, "add")).status_code == 403


def test_lists_of_the_system_ask_few_questions(client: Client, django_assert_max_num_queries: Any) -> None:
    row = given_up()
    for number in range(60):
        record(row, "held", now=NOW)
        Worker.objects.create(id=str(number), lane="upload", host="h", pid=1, started_at=NOW, seen_at=NOW)
    for model in (Event, Worker):
        with django_assert_max_num_queries(16):
            client.get(address(model, "changelist"))
