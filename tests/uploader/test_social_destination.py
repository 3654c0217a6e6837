"""A destination for posts: its form, its credentials from the environment, and where it must not be chosen."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from sandbox.server import Sandbox
from schedules import hourly, scheduling
from schedules.refusals import NoDestination
from tests.admin_pages import address, press
from tests.config.test_launch import settings_with
from tests.conftest import NOW, SOCIAL_WORKSPACE, make_social
from tests.uploader.test_delivering import assert_failed, attempt
from tests.uploader.test_destination_admin import filled
from uploader.default_destinations import ensure_onlysocial
from uploader.destinations import Destination
from uploader.platforms.errors import CredentialsRejected, Rejected
from uploader.platforms.onlysocial import OnlySocial, PostFormat
from uploader.upload_jobs import create_upload

GIVEN = {"key": "the-token", "workspace": "w-1", "api_url": "", "post_format": "legacy"}
SECRET = "canary-9d1c"


def sent(row: Destination | None = None, **changes: Any) -> dict[str, Any]:
    """The form as a browser would send it: what does not show is sent all the same."""
    shown = {"platform": "onlysocial", "workspace": SOCIAL_WORKSPACE, "post_format": "current"}
    return filled(row, **{**({} if row else shown), **changes})


# -------------------------------------------------------------------- the environment


def test_the_environment_makes_the_destination_onlysocial(settings: Any, db: None) -> None:
    settings.ONLYSOCIAL = GIVEN
    destination = ensure_onlysocial(NOW)
    assert destination is not None
    assert (destination.name, destination.platform, destination.max_video_bytes) == (
        "onlysocial",
        "onlysocial",
        100_000_000,
    )
    assert destination.max_videos_per_day is None
    credentials: Any = destination.credentials
    assert (credentials.key, credentials.workspace) == ("the-token", "w-1")
    assert credentials.post_format is PostFormat.LEGACY
    assert destination.api_key is None, "the environment's secrets are not copied into the database"
    assert "the-token" not in repr(destination) + repr(credentials)
    Destination.objects.update(title="Our posts")
    again = ensure_onlysocial(NOW)
    assert again is not None and again.title == "Our posts"


def test_without_a_key_there_is_none(settings: Any, db: None) -> None:
    settings.ONLYSOCIAL = {**GIVEN, "key": ""}
    assert ensure_onlysocial(NOW) is None


def test_the_demo_speaks_to_the_stand_in_and_never_to_an_account_of_one_s_own(tmp_path: Path) -> None:
    names = "DEMO, SANDBOX_URL, ONLYSOCIAL"
    demo = settings_with(tmp_path, names=names, DEMO="1", SANDBOX_URL="http://127.0.0.1:9")
    assert demo["ONLYSOCIAL"] == {
        "key": "sandbox-token",
        "api_url": "http://127.0.0.1:9/onlysocial/os/api",
        "workspace": SOCIAL_WORKSPACE,
        "post_format": "current",
    }
    own = settings_with(tmp_path, names=names, DEMO="1", ONLYSOCIAL_API_KEY="mine", ONLYSOCIAL_WORKSPACE="w")
    assert (own["DEMO"], own["SANDBOX_URL"], own["ONLYSOCIAL"]["key"]) == (False, "", "mine")  # type: ignore[index]


# -------------------------------------------------------------------- the form


def test_a_destination_for_posts_is_added(admin_client: Client, platform: Sandbox) -> None:
    body = sent(name="posts", new_api_key=SECRET, api_url=platform.onlysocial_url)
    answer = admin_client.post(address(Destination, "add"), body)
    assert answer.status_code == 302, answer.content.decode()
    row = Destination.objects.get()
    assert (row.platform, row.workspace, row.api_key) == ("onlysocial", SOCIAL_WORKSPACE, SECRET)
    assert (row.max_videos_per_day, row.max_seconds_per_day, row.max_video_bytes) == (None, None, 100_000_000)
    assert isinstance(row.open_client(), OnlySocial)


def test_its_page_shows_what_it_needs_and_no_secret(admin_client: Client, social: Destination) -> None:
    Destination.objects.update(api_key=None)
    social.api_key = SECRET
    social.save()
    body = admin_client.get(address(social, "change", social.pk)).content.decode()
    assert SECRET not in body
    for name in ("workspace", "post_format", "new_api_key", "max_video_bytes", "api_url"):
        assert f'name="{name}"' in body
    for name in (
        "dialect",
        "profile_id",
        "new_password",
        "title_template",
        "max_videos_per_day",
        "interval_seconds",
    ):
        assert f'name="{name}"' not in body


def test_a_page_of_a_destination_for_videos_asks_for_no_workspace(
    admin_client: Client, destination: Destination
) -> None:
    body = admin_client.get(address(destination, "change", destination.pk)).content.decode()
    assert 'name="workspace"' not in body and 'name="dialect"' in body


def test_a_change_of_it_keeps_the_secret_and_the_platform(admin_client: Client, social: Destination) -> None:
    answer = admin_client.post(
        address(social, "change", social.pk), sent(social, title="Renamed", platform="dailymotion")
    )
    assert answer.status_code == 302, answer.content.decode()
    social.refresh_from_db()
    assert (social.title, social.platform, social.api_key) == ("Renamed", "onlysocial", "sandbox-token")


def test_the_stored_token_does_not_follow_to_another_address(
    admin_client: Client, social: Destination
) -> None:
    answer = admin_client.post(
        address(social, "change", social.pk), sent(social, api_url="https://other.example/os/api")
    )
    assert "enter API key again" in answer.content.decode()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"new_api_key": ""}, "Give an API key and a workspace"),
        ({"workspace": ""}, "Give an API key and a workspace"),
        ({"workspace": "https://app.onlysocial.io/os/abc"}, "Give the identifier alone"),
        ({"api_url": "http://evil.example/os/api"}, "Use https"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(
    changes: dict[str, Any], sentence: str, admin_client: Client, platform: Sandbox
) -> None:
    body = sent(name="posts", **{"new_api_key": SECRET, **changes})
    assert sentence in admin_client.post(address(Destination, "add"), body).content.decode()
    assert not Destination.objects.exists()


def test_the_model_refuses_it_too(db: None) -> None:
    with pytest.raises(ValidationError):
        Destination(name="posts", platform="onlysocial", api_key="x").clean()
    Destination(name="posts", platform="onlysocial", credentials_from_environment=True).clean()


def test_with_the_environment_the_page_names_its_variables(
    admin_client: Client, settings: Any, platform: Sandbox
) -> None:
    settings.ONLYSOCIAL = GIVEN
    row = make_social(platform, api_key=None, credentials_from_environment=True)
    body = admin_client.get(address(row, "change", row.pk)).content.decode()
    assert "<code>ONLYSOCIAL_API_KEY</code> – set" in body
    assert "<code>ONLYSOCIAL_API_URL</code> – not set" in body
    assert "DAILYMOTION_API_KEY" not in body


# -------------------------------------------------------------------- test connection


def test_testing_the_connection_says_what_is_reached(
    admin_client: Client, social: Destination, platform: Sandbox
) -> None:
    said = press(admin_client, social, "test_connection")
    assert "Reached the workspace, 5 social accounts, 1 to be reconnected" in said
    social.refresh_from_db()
    assert social.health == "ok"
    platform.settings(onlysocial_token_revoked=True)
    assert "does not accept the access token" in press(admin_client, social, "test_connection")
    social.refresh_from_db()
    assert social.health == "failing"


def test_doctor_tests_it_too(social: Destination) -> None:
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--json", stdout=out)
    found = {each["what"]: each["found"] for each in json.loads(out.getvalue())}
    assert found["Destination social"].startswith("reached the workspace, 5 social accounts")


def test_the_token_is_encrypted_and_one_of_a_former_key_is_never_sent(
    social: Destination, platform: Sandbox
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key FROM uploader_destination")
        (stored,) = cursor.fetchone()
    assert "sandbox-token" not in stored
    unreadable = Fernet(Fernet.generate_key()).encrypt(b"a secret").decode()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE uploader_destination SET api_key = %s", [unreadable])
    with pytest.raises(CredentialsRejected, match="SECRET_KEY has changed"):
        Destination.objects.get().test_connection(who="olga", now=NOW)
    assert platform.requests() == []


# -------------------------------------------------------------------- where it has no place


def test_no_series_is_scheduled_to_it(social: Destination, make_series: Any) -> None:
    with pytest.raises(NoDestination, match="takes posts on social accounts"):
        scheduling.schedule_series(make_series("Harbour", 1), social, who="olga", now=NOW)
    with pytest.raises(NoDestination, match="takes posts on social accounts"):
        scheduling.choose_destination("social")
    with pytest.raises(NoDestination, match="No destination is set up"):
        scheduling.choose_destination()
    with pytest.raises(CommandError, match="takes posts"):
        call_command("schedule_series", make_series("Sky", 1).pk, "--destination", "social")


def test_the_default_destination_of_a_series_is_one_for_videos(
    social: Destination, destination: Destination
) -> None:
    assert scheduling.choose_destination() == destination


def test_the_api_refuses_it_with_the_reason(social: Destination, make_series: Any, db: None) -> None:
    client = Client()
    client.force_login(
        User.objects.create_superuser("root"), backend="django.contrib.auth.backends.ModelBackend"
    )
    answer = client.post(
        "/api/upload/schedule",
        {"seriesId": make_series("Harbour", 1).pk, "destination": "social"},
        content_type="application/json",
    )
    assert answer.status_code == 400
    assert "takes posts on social accounts" in answer.json()["error"]


def test_the_uploads_page_leaves_it_out(
    admin_client: Client, social: Destination, destination: Destination
) -> None:
    body = admin_client.get("/uploads/").content.decode()
    assert "destination-main" in body and "destination-social" not in body
    assert [*hourly.due_destinations(NOW)] == []


def test_a_video_job_on_it_fails_with_the_reason(
    social: Destination, make_series: Any, platform: Sandbox
) -> None:
    job = attempt(create_upload(make_series("Harbour", 1).episodes.get(), social, now=timezone.now()))
    assert_failed(job, "takes posts, no whole videos")
    assert platform.requests() == []


def test_each_platform_has_its_own_client(social: Destination, destination: Destination) -> None:
    with pytest.raises(Rejected, match="takes whole videos, no posts"):
        destination.open_onlysocial()
    with pytest.raises(Rejected, match="takes posts, no whole videos"):
        social.open_dailymotion()
