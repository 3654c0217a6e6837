"""When a destination may be used, what holds it, and what lets it and its jobs go on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.db import connection

from jobs import events
from jobs.errors import ErrorKind, Hold
from jobs.events import Event, history_of
from jobs.running import new_token
from sandbox.server import Sandbox
from tests.conftest import NOW, make_destination
from uploader.default_destinations import ensure_default
from uploader.destinations import Destination
from uploader.platforms.dailymotion.tokens import CACHE
from uploader.platforms.errors import CredentialsRejected, QuotaReached, RateLimited, Unavailable
from uploader.upload_jobs import UploadJob

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_token_yet() -> None:
    CACHE.clear()


@pytest.fixture
def place(db: None) -> Destination:
    return Destination.objects.create(name="main", title="Main")


def waiting_job(destination: Destination, reason: Hold) -> UploadJob:
    UploadJob.objects.create(destination=destination, title="Harbour", not_before_at=NOW)
    (job,) = UploadJob.objects.claim(new_token("w"), now=NOW)
    job.hold(reason, now=NOW, until=NOW + HOUR)
    return job


def fresh(destination: Destination) -> Destination:
    return Destination.objects.get(pk=destination.pk)


def is_usable(at: Any) -> bool:
    return Destination.objects.usable(at).exists()


# -------------------------------------------------------------------- usable, and why not


def test_a_new_destination_may_be_used(place: Destination) -> None:
    assert is_usable(NOW)
    assert place.why_not_now(NOW) == ""


@pytest.mark.parametrize(
    ("columns", "now", "later", "sentence"),
    [
        ({"is_active": False}, False, False, "Main is switched off."),
        ({"paused_at": NOW}, False, False, "Main is paused."),
        ({"paused_at": NOW, "paused_reason": "Audit"}, False, False, "Main is paused: Audit."),
        ({"paused_at": NOW, "paused_until": NOW + HOUR}, False, True,
         "Main is paused until 2026-03-02 11:30 UTC."),
        ({"held_until": NOW + HOUR, "held_reason": "Full."}, False, True,
         "Full. Next look at 2026-03-02 11:30 UTC."),
        ({"held_until": NOW - HOUR, "held_reason": "Full."}, True, True, ""),
    ],
)  # fmt: skip
def test_why_nothing_starts_is_a_sentence(
    columns: dict[str, Any], now: bool, later: bool, sentence: str, place: Destination
) -> None:
    Destination.objects.update(**columns)
    assert (is_usable(NOW), is_usable(NOW + HOUR)) == (now, later)
    assert fresh(place).why_not_now(NOW) == sentence
    assert (fresh(place).why_not_now(NOW + HOUR) == "") is later


def test_a_pause_and_its_end_are_in_the_history(place: Destination) -> None:
    place.pause(who="olga", now=NOW, why="Audit")
    assert fresh(place).paused_by == "olga"
    place.resume(who="vera", now=NOW + HOUR)
    assert is_usable(NOW + HOUR)
    assert [(event.type, event.who) for event in history_of(place)] == [
        ("paused", "olga"),
        ("resumed", "vera"),
    ]
    assert Event.objects.filter(topic="queue", type="destination_changed").count() == 2


# -------------------------------------------------------------------- holds


@pytest.mark.parametrize(
    ("reason", "health"),
    [
        (CredentialsRejected("Bad key."), "failing"),
        (QuotaReached("Full."), "unknown"),
        (RateLimited("Slow.", retry_after=9), "unknown"),
    ],
)
def test_a_hold_says_until_when_and_why(reason: Hold, health: str, place: Destination) -> None:
    place.hold(reason, now=NOW, until=NOW + HOUR)
    row = fresh(place)
    assert (row.held_until, row.held_kind, row.held_reason) == (NOW + HOUR, reason.kind, str(reason))
    assert row.health == health
    assert not is_usable(NOW)
    assert history_of(place).get().why == str(reason)


def test_success_after_trouble_is_noted_once(place: Destination) -> None:
    place.hold(CredentialsRejected("Bad key."), now=NOW, until=NOW + HOUR)
    place.note_success(now=NOW)
    assert (fresh(place).health, fresh(place).held_until, fresh(place).held_reason) == ("ok", None, "")
    place.note_success(now=NOW)
    assert history_of(place).filter(type="healthy").count() == 1


@pytest.mark.parametrize("reason", [QuotaReached("Full."), RateLimited("Slow.", retry_after=9)])
def test_success_elsewhere_does_not_lift_what_the_platform_asked_for(
    reason: Hold, place: Destination
) -> None:
    copy = fresh(place)
    place.hold(reason, now=NOW, until=NOW + HOUR)
    copy.note_success(now=NOW)
    assert (fresh(place).held_until, fresh(place).health) == (NOW + HOUR, "ok")
    copy.note_success(now=NOW + HOUR)
    assert fresh(place).held_until is None


def test_success_is_seen_by_a_copy_that_knows_nothing_of_the_trouble(place: Destination) -> None:
    place.note_success(now=NOW)
    copy = fresh(place)
    place.hold(CredentialsRejected("Bad key."), now=NOW, until=NOW + HOUR)
    copy.note_success(now=NOW)
    assert (fresh(place).health, fresh(place).held_until) == ("ok", None)


@pytest.mark.parametrize(
    "reason",
    [
        CredentialsRejected("K."),
        QuotaReached("F."),
        RateLimited("S.", retry_after=9),
        Hold("Main is paused."),
    ],
)
def test_a_resumed_destinations_jobs_go_on_at_once(reason: Hold, place: Destination) -> None:
    job = waiting_job(place, reason)
    place.hold(reason, now=NOW, until=NOW + HOUR)
    place.resume(who="olga", now=NOW)
    job.refresh_from_db()
    assert job.not_before_at == NOW
    woken = history_of(job).last()
    assert woken
    assert (woken.type, woken.who, woken.why) == ("woken", "olga", "Main may be used again")


def test_a_resume_leaves_what_waits_for_its_own_time_and_other_destinations_alone(
    place: Destination,
) -> None:
    elsewhere = waiting_job(Destination.objects.create(name="other"), QuotaReached("Full."))
    encoding = UploadJob.objects.create(destination=place, title="Encoding", not_before_at=NOW + HOUR)
    place.resume(who="olga", now=NOW)
    for job in (elsewhere, encoding):
        job.refresh_from_db()
        assert job.not_before_at == NOW + HOUR


# -------------------------------------------------------------------- test connection


@pytest.mark.parametrize("dialect", ["v2", "partner", "public"])
def test_a_connection_that_works_names_the_account(dialect: str, db: None, platform: Sandbox) -> None:
    destination = make_destination(platform, dialect=dialect)
    identity = destination.test_connection(who="olga", now=NOW)
    assert identity.profile_id == "x1sandbox"
    assert (fresh(destination).health, fresh(destination).checked_at) == ("ok", NOW)
    assert fresh(destination).health_message.startswith("Signed in as ")


def test_a_connection_that_fails_says_why(destination: Destination, platform: Sandbox) -> None:
    platform.add_fault("token", status=401, times=None)
    with pytest.raises(CredentialsRejected):
        destination.test_connection(who="olga", now=NOW)
    row = fresh(destination)
    assert row.health == "failing"
    assert "Check the key, the secret and the dialect." in row.health_message
    assert history_of(destination).get().why == row.health_message
    platform.clear_faults()
    platform.add_fault("token", status=500)
    with pytest.raises(Unavailable):
        destination.test_connection(who="olga", now=NOW)


def test_a_connection_that_works_again_lets_the_jobs_go_on(
    destination: Destination, platform: Sandbox
) -> None:
    job = waiting_job(destination, CredentialsRejected("Bad key."))
    destination.hold(CredentialsRejected("Bad key."), now=NOW, until=NOW + HOUR)
    destination.test_connection(who="olga", now=NOW)
    assert fresh(destination).held_until is None
    job.refresh_from_db()
    assert job.not_before_at == NOW


def test_a_connection_that_works_lifts_no_quota(destination: Destination, platform: Sandbox) -> None:
    destination.hold(QuotaReached("Full."), now=NOW, until=NOW + HOUR)
    destination.test_connection(who="olga", now=NOW)
    assert fresh(destination).held_until == NOW + HOUR


# -------------------------------------------------------------------- credentials and settings


def test_secrets_are_encrypted_at_rest_and_hidden_in_words(place: Destination) -> None:
    Destination.objects.all().delete()
    destination = Destination.objects.create(
        name="main", api_key="the-key", api_secret="the-secret", password="the-password"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key, api_secret, password FROM uploader_destination")
        stored = str(cursor.fetchall())
    shown = f"{fresh(destination).credentials!r} {destination}"
    for secret in ("the-key", "the-secret", "the-password"):
        assert secret not in stored
        assert secret not in shown
    assert (fresh(destination).credentials.key, fresh(destination).credentials.secret) == (
        "the-key",
        "the-secret",
    )


@pytest.mark.parametrize("column", ["api_key", "api_secret", "password"])
def test_secrets_of_a_former_key_are_never_sent_and_the_way_out_is_named(
    destination: Destination, platform: Sandbox, column: str
) -> None:
    unreadable = Fernet(Fernet.generate_key()).encrypt(b"a secret").decode()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE uploader_destination SET {column} = %s", [unreadable])
    with pytest.raises(CredentialsRejected, match=r"SECRET_KEY has changed.*SECRET_KEY_FALLBACKS"):
        fresh(destination).test_connection(who="olga", now=NOW)
    assert fresh(destination).health == "failing"
    assert "SECRET_KEY has changed" in fresh(destination).health_message
    assert platform.requests() == []


def test_credentials_of_the_environment_are_taken_from_there(place: Destination, settings: Any) -> None:
    settings.DAILYMOTION = {**settings.DAILYMOTION, "key": "env-key", "secret": "env-secret"}
    place.credentials_from_environment = True
    place.api_key = "own"
    assert (place.credentials.key, place.credentials.secret) == ("env-key", "env-secret")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Give an API key and secret"),
        ({"api_key": "k"}, "Give an API key and secret"),
        (
            {"api_key": "k", "api_secret": "s", "dialect": "public"},
            "signs in with a user name and a password",
        ),
    ],
)
def test_a_destination_without_what_it_signs_in_with_is_refused(
    fields: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Destination(name="main", **fields).clean()


def test_a_destination_has_its_own_pace_or_that_of_the_settings(place: Destination, settings: Any) -> None:
    settings.UPLOAD_INTERVAL_SECONDS, settings.UPLOAD_MAX_RETRIES = 3600, 3
    assert (place.interval, place.attempts) == (HOUR, 3)
    place.interval_seconds, place.max_attempts = 60, 5
    assert (place.interval, place.attempts) == (timedelta(minutes=1), 5)


def test_the_default_destination_is_made_once_and_only_with_credentials(db: None, settings: Any) -> None:
    settings.DAILYMOTION = {**settings.DAILYMOTION, "key": ""}
    assert ensure_default(NOW) is None
    settings.DAILYMOTION = {**settings.DAILYMOTION, "key": "k"}
    first = ensure_default(NOW)
    assert first
    Destination.objects.update(title="Mine")
    again = ensure_default(NOW)
    assert again
    assert (again.pk, again.title, again.credentials_from_environment) == (first.pk, "Mine", True)


def test_saving_leaves_secrets_that_cannot_be_read_as_they_are(destination: Destination) -> None:
    unreadable = Fernet(Fernet.generate_key()).encrypt(b"a secret").decode()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE uploader_destination SET api_key = %s", [unreadable])
        found = fresh(destination)
        found.title, found.api_secret = "Renamed", "entered again"
        found.save()
        cursor.execute("SELECT api_key, title FROM uploader_destination")
        assert cursor.fetchone() == (unreadable, "Renamed")
    assert fresh(destination).api_secret == "entered again"


def test_a_shorter_hold_does_not_end_a_longer_one(place: Destination) -> None:
    other_worker = Destination.objects.get(pk=place.pk)
    place.hold(QuotaReached("15 videos a day."), now=NOW, until=NOW + 3 * HOUR)
    other_worker.hold(RateLimited("Too many calls.", retry_after=9), now=NOW, until=NOW + HOUR)
    place.refresh_from_db()
    assert (place.held_until, place.held_reason) == (NOW + 3 * HOUR, "15 videos a day.")
    assert other_worker.held_until == NOW + 3 * HOUR
    place.hold(RateLimited("Far too many calls.", retry_after=9), now=NOW + 4 * HOUR, until=NOW + 5 * HOUR)
    assert place.held_until == NOW + 5 * HOUR


def test_every_kind_of_hold_is_a_kind_a_destination_can_store() -> None:
    field = Destination._meta.get_field("held_kind")
    assert {value for value, _ in field.flatchoices} == set(ErrorKind.values)


def test_a_decision_and_its_history_are_written_together(
    place: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("the process died here")

    monkeypatch.setattr(events, "record", broken)
    with pytest.raises(RuntimeError):
        place.pause(who="olga", now=NOW)
    assert Destination.objects.get(pk=place.pk).paused_at is None
