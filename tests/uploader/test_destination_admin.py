"""The admin page of destinations: secrets stay inside, what is entered is checked, buttons report."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone

from jobs.events import Event
from tests.admin_pages import act, address, pages_of, press, root, said, staff_with
from tests.conftest import make_destination
from uploader.catalog import Episode, Series
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db

SECRETS = {
    "api_key": "KEY-canary-5f1c",
    "api_secret": "SECRET-canary-9a2e",
    "password": "PASSWORD-canary-77d0",
}
AUTOCOMPLETE = (
    "/admin/autocomplete/?app_label=schedules&model_name=uploadschedule&field_name=destination&term="
)
ENVIRONMENT = {
    "key": "ENV-KEY-canary-1",
    "secret": "ENV-SECRET-canary-2",
    "password": "ENV-PASSWORD-canary-3",
}


@pytest.fixture
def client() -> Client:
    return root()


@pytest.fixture
def account() -> Destination:
    return Destination.objects.create(name="main", title="Main channel", username="someone", **SECRETS)


@pytest.fixture
def harbour() -> Episode:
    series = Series.objects.create(title="Harbour", intro="Boats & tides")
    return Episode.objects.create(series=series, index_sequence=7, path="harbour/07.mp4")


def filled(row: Destination | None = None, **changes: Any) -> dict[str, Any]:
    """The fields of the form as the browser would send them."""
    row = row or Destination()
    names = (
        "name", "title", "platform", "dialect", "profile_id", "username", "api_url", "token_url", "category",
        "language", "visibility", "title_template", "description_template", "tags", "interval_seconds",
        "max_videos_per_day", "max_seconds_per_day", "max_bytes_per_day", "max_video_bytes",
        "max_video_seconds", "max_attempts", "workspace", "post_format", "bucket", "prefix", "region",
        "cdn_endpoint",
    )  # fmt: skip
    fields = {name: getattr(row, name) for name in names}
    flags = {name: "on" for name in ("is_active", "credentials_from_environment") if getattr(row, name)}
    sent = {**fields, **flags, "is_for_kids": "", **changes}
    return {name: "" if value is None else value for name, value in sent.items()}


def save(client: Client, row: Destination, **changes: Any) -> str:
    answer = client.post(address(row, "change", row.pk), filled(row, **changes))
    return "" if answer.status_code == 302 else answer.content.decode()


# -------------------------------------------------------------------- secrets


def test_no_page_ever_renders_a_secret(client: Client, account: Destination, settings: Any) -> None:
    settings.DAILYMOTION = {**settings.DAILYMOTION, **ENVIRONMENT}
    outside = Destination.objects.create(name="outside", credentials_from_environment=True)
    save(client, account, new_api_key="NEW-canary-0b", title="Renamed")
    press(client, account, "pause", reason="holidays")
    wrong = client.post(
        address(account, "change", account.pk),
        filled(account, new_api_secret="NEW-canary-0c", name="not a slug"),
    )
    account.refresh_from_db()
    viewer = staff_with("vera", apps=["uploader", "jobs"], verbs=["view"])
    pages = [
        *pages_of(Destination, account, outside),
        address(Destination, "changelist") + "?q=main",
        *(address(account, name, account.pk) for name in ("test_connection", "pause", "resume")),
        address(Event, "changelist") + "?kind=all",
        *(address(event, "change", event.pk) for event in Event.objects.all()),
        "/admin/", "/admin/search/?s=main", AUTOCOMPLETE,
    ]  # fmt: skip
    bodies = [wrong.content.decode()]
    for person in (client, viewer):
        bodies += [person.get(page, follow=True).content.decode() for page in pages]
    bodies += [f"{entry} {entry.change_message} {entry.object_repr}" for entry in LogEntry.objects.all()]
    bodies += [f"{event.why} {event.data}" for event in Event.objects.all()]
    planted = [*SECRETS.values(), *ENVIRONMENT.values(), "NEW-canary-0b", "NEW-canary-0c", account.api_key]
    assert account.api_key == "NEW-canary-0b"
    assert not [secret for secret in planted for body in bodies if str(secret) in body]


def test_destinations_have_no_export(client: Client, account: Destination) -> None:
    assert client.get(address(Destination, "changelist") + "export/", follow=True).status_code in (200, 404)
    assert b"Export" not in client.get(address(Destination, "changelist")).content


def test_an_empty_secret_keeps_the_stored_one(client: Client, account: Destination) -> None:
    assert not save(client, account, title="Other")
    account.refresh_from_db()
    assert (account.title, account.api_key, account.password) == (
        "Other",
        *(SECRETS[n] for n in ("api_key", "password")),
    )


def test_a_new_secret_replaces_the_stored_one(client: Client, account: Destination) -> None:
    assert not save(client, account, new_api_secret="another")
    account.refresh_from_db()
    assert (account.api_key, account.api_secret) == (SECRETS["api_key"], "another")


def test_a_secret_is_cleared_on_request(client: Client, account: Destination) -> None:
    assert not save(client, account, clear_password="on")
    account.refresh_from_db()
    assert account.password is None
    assert "Not set" in client.get(address(account, "change", account.pk)).content.decode()


def test_clearing_what_is_needed_is_refused(client: Client, account: Destination) -> None:
    assert "Give an API key and secret" in save(client, account, clear_api_key="on")
    account.refresh_from_db()
    assert account.api_key == SECRETS["api_key"]


def test_a_secret_is_not_given_and_cleared_at_once(client: Client, account: Destination) -> None:
    assert "not both" in save(client, account, new_password="x", clear_password="on")


def test_the_log_names_the_changed_secret_without_its_value(client: Client, account: Destination) -> None:
    save(client, account, new_api_key="fresh")
    entry = LogEntry.objects.get()
    assert "API key" in entry.get_change_message()
    assert "fresh" not in entry.change_message


def test_with_the_environment_the_page_names_the_variables(client: Client, settings: Any) -> None:
    settings.DAILYMOTION = {**settings.DAILYMOTION, **ENVIRONMENT}
    row = Destination.objects.create(name="outside", credentials_from_environment=True)
    body = client.get(address(row, "change", row.pk)).content.decode()
    assert "<code>DAILYMOTION_API_KEY</code> – set" in body
    assert "<code>DAILYMOTION_PROFILE_ID</code> – not set" in body


# -------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://evil.example/api", "Use https"),
        ("http://10.0.0.7/api", "Use https"),
        ("http://127.0.0.1.evil.example/", "Use https"),
        ("https://user:pass@api.example/", "Leave user names and passwords out"),
        ("https://api.example/?key=1", "without"),
        ("ftp://api.example/", "Use https"),
        ("nonsense", "Enter a valid URL"),
    ],
)
def test_an_address_keys_must_not_be_sent_to_is_refused(
    client: Client, account: Destination, url: str, sentence: str
) -> None:
    again = {"new_api_key": "a", "new_api_secret": "b", "new_password": "c"}
    assert sentence in save(client, account, api_url=url, **again)
    assert sentence in save(client, account, token_url=url, **again)


@pytest.mark.parametrize(
    "url", ["https://api.example/v2", "http://127.0.0.1:8100/v2", "http://[::1]:8100/x", ""]
)
def test_https_and_this_machine_are_allowed(client: Client, account: Destination, url: str) -> None:
    assert not save(client, account, api_url=url, new_api_key="a", new_api_secret="b", new_password="c")


def test_stored_secrets_do_not_follow_to_another_address(client: Client, account: Destination) -> None:
    assert "enter API key and API secret and Password again" in save(
        client, account, api_url="https://other.example/"
    )
    account.refresh_from_db()
    assert account.api_url == ""


# -------------------------------------------------------------------- templates


def test_the_page_shows_the_templates_on_a_real_episode(
    client: Client, account: Destination, harbour: Episode
) -> None:
    body = client.get(address(account, "change", account.pk)).content.decode()
    assert "Harbour - Episode 7" in body
    assert "Boats &amp; tides" in body


def test_the_preview_follows_what_is_typed(client: Client, harbour: Episode) -> None:
    body = client.post(
        address(Destination, "preview"),
        {"title_template": "{number}: {series} <b>", "description_template": ""},
    ).content.decode()
    assert "7: Harbour &lt;b&gt;" in body


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{titel}", "Unknown placeholder {titel}"),
        ("{series", "braces do not match"),
        ("{series.title.__class__}", "Unknown placeholder"),
        ("{series!r}", "without a format"),
    ],
)
def test_a_wrong_template_is_explained_before_and_on_saving(
    client: Client, account: Destination, harbour: Episode, template: str, sentence: str
) -> None:
    body = client.post(address(Destination, "preview"), {"title_template": template}).content.decode()
    assert sentence in body
    assert sentence in save(client, account, title_template=template)


def test_the_preview_needs_permission_and_a_post(client: Client) -> None:
    stranger = staff_with("sten", apps=["auth"], verbs=["view"])
    assert stranger.post(address(Destination, "preview"), {"title_template": "x"}).status_code == 403
    assert client.get(address(Destination, "preview")).status_code == 405


# -------------------------------------------------------------------- buttons


def test_testing_the_connection_tells_whose_account_it_is(client: Client, destination: Destination) -> None:
    assert "Signed in as" in press(client, destination, "test_connection")
    destination.refresh_from_db()
    assert destination.health == "ok"


def test_testing_the_connection_tells_what_is_wrong(client: Client, platform: Any) -> None:
    good = make_destination(platform)
    bad = make_destination(platform, name="bad")
    Destination.objects.filter(pk=bad.pk).update(api_secret=None)
    bad.api_secret = "wrong"
    bad.save()
    report = act(client, Destination, "test_chosen", [good, bad])
    bad.refresh_from_db()
    assert "Main: Signed in as" in report
    assert f"Bad: {bad.health_message}" in report
    assert bad.health == "failing"


def test_opening_a_button_changes_nothing(client: Client, destination: Destination) -> None:
    for name in ("test_connection", "pause", "resume"):
        assert b"<form" in client.get(address(destination, name, destination.pk)).content
    destination.refresh_from_db()
    assert (destination.health, destination.paused_at) == ("unknown", None)


def test_a_destination_is_paused_until_a_moment_with_a_reason(client: Client, account: Destination) -> None:
    until = timezone.localtime(timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    assert press(client, account, "pause", until=f"{until:%Y-%m-%dT%H:%M}", reason="Holidays") == "1 paused."
    account.refresh_from_db()
    assert (account.paused_until, account.paused_reason, account.paused_by) == (until, "Holidays", "root")
    body = client.get(address(account, "change", account.pk)).content.decode()
    assert "Holidays" in body
    assert press(client, account, "resume") == "1 resumed."
    account.refresh_from_db()
    assert account.paused_at is None


def test_a_pause_that_ended_already_is_refused(client: Client, account: Destination) -> None:
    body = client.post(
        address(account, "pause", account.pk), {"_form_submitted": "True", "until": "2020-01-01T00:00"}
    ).content.decode()
    assert "has passed" in body
    account.refresh_from_db()
    assert account.paused_at is None


def test_several_are_paused_after_one_question(client: Client, account: Destination) -> None:
    other = Destination.objects.create(name="other", credentials_from_environment=True)
    question = client.post(
        address(Destination, "changelist"),
        {"action": "pause_chosen", "_selected_action": [account.pk, other.pk]},
    ).content.decode()
    assert "Pause destinations" in question
    more = {"decided": "yes", "_form_submitted": "True", "reason": "Works", "until": ""}
    assert act(client, Destination, "pause_chosen", [account, other], **more) == "2 paused."
    assert act(client, Destination, "resume_chosen", [account]) == "1 resumed."
    report = act(client, Destination, "resume_chosen", [account, other])
    assert report == "1 resumed, 1 refused: Main channel is not paused."


def test_a_destination_with_jobs_stays_and_the_page_says_why(client: Client, account: Destination) -> None:
    UploadJob.objects.create(destination=account, title="Harbour 7")
    for method in (client.get, client.post):
        answer = method(address(account, "delete", account.pk), {"post": "yes"})
        assert said(answer) == (
            "Main channel cannot be deleted: it is the destination of 1 upload job. Make it inactive instead."
        )
    assert Destination.objects.filter(pk=account.pk).exists()


def test_an_unused_destination_is_deleted_with_its_ledger(client: Client, account: Destination) -> None:
    LedgerEntry.objects.create(destination=account, at=timezone.now())
    client.post(address(account, "delete", account.pk), {"post": "yes"})
    assert not Destination.objects.exists()


# -------------------------------------------------------------------- what is shown


def test_the_page_shows_what_the_day_has_left(client: Client, account: Destination) -> None:
    Destination.objects.filter(pk=account.pk).update(max_videos_per_day=4)
    for _ in range(3):
        LedgerEntry.objects.create(
            destination=account, at=timezone.now(), duration_seconds=1800, size_bytes=10**9
        )
    LedgerEntry.objects.create(destination=account, at=timezone.now() - timedelta(hours=25))
    body = client.get(address(account, "change", account.pk)).content.decode()
    assert "3 of 4" in body
    assert "1.5 h of 10.0 h" in body
    assert "3 of 4" in client.get(address(Destination, "changelist")).content.decode()


def test_a_viewer_sees_states_and_no_button(account: Destination, harbour: Episode) -> None:
    viewer = staff_with("vera", apps=["uploader"], verbs=["view"])
    body = viewer.get(address(account, "change", account.pk)).content.decode()
    assert "Harbour - Episode 7" in body
    assert 'name="new_api_key"' not in body
    assert "Test connection" not in body
    assert 'name="action"' not in viewer.get(address(Destination, "changelist")).content.decode()
    for name in ("test_connection", "pause", "resume"):
        assert viewer.post(address(account, name, account.pk), {"_form_submitted": "True"}).status_code == 403
    assert viewer.post(address(account, "change", account.pk), filled(account)).status_code == 403


def test_the_list_asks_few_questions_however_many_rows(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        Destination.objects.create(name=f"d{number}", credentials_from_environment=True)
    with django_assert_max_num_queries(12):
        client.get(address(Destination, "changelist"))


def test_a_new_destination_is_added(client: Client) -> None:
    fields = filled(name="second", new_api_key="k", new_api_secret="s", is_active="on")
    assert client.post(address(Destination, "add"), fields).status_code == 302
    assert Destination.objects.get().api_secret == "s"


# -------------------------------------------------------------------- storages


STORAGE = {
    "name": "films", "title": "Films", "platform": "spaces", "bucket": "my-space", "prefix": "films", "region": "fra1",
    "cdn_endpoint": "0000-1111", "new_api_key": "KEY-canary-1", "new_api_secret": "SECRET-canary-2",
    "new_cdn_token": "TOKEN-canary-3",
}  # fmt: skip


def test_a_storage_is_added_with_its_secrets_encrypted_and_never_shown(client: Client) -> None:
    assert client.post(address(Destination, "add"), filled(None, **STORAGE)).status_code == 302
    row = Destination.objects.get(name="films")
    assert (row.api_secret, row.cdn_token) == ("SECRET-canary-2", "TOKEN-canary-3")
    assert str(row.place) == "Bucket my-space/films at fra1.digitaloceanspaces.com"
    assert [
        getattr(row, name) for name in ("max_videos_per_day", "max_video_bytes", "max_video_seconds")
    ] == [None] * 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_secret, cdn_token FROM uploader_destination WHERE id = %s", [row.pk])
        assert not [column for column in cursor.fetchone() if "canary" in column]
    page = client.get(address(row, "change", row.pk)).content.decode()
    assert "my-space" in page and "canary" not in page
    assert "Title template" not in page and "Workspace" not in page


def test_a_storage_without_its_place_is_refused_with_the_reason(client: Client) -> None:
    answer = client.post(address(Destination, "add"), filled(None, **{**STORAGE, "region": ""}))
    assert "Say where the bucket is" in answer.content.decode()
    answer = client.post(address(Destination, "add"), filled(None, **{**STORAGE, "bucket": "No_Bucket"}))
    assert "is no name of a bucket" in answer.content.decode()


def test_the_keys_of_a_storage_are_not_sent_to_another_address(client: Client) -> None:
    client.post(address(Destination, "add"), filled(None, **STORAGE))
    row = Destination.objects.get(name="films")
    sent = {name: value for name, value in STORAGE.items() if not name.startswith("new_")}
    page = save(client, row, **sent, api_url="https://s3.example.com")
    assert "enter API key and API secret again" in page
