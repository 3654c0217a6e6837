"""The copy of the workspace's social accounts: taken by a button, by a command, by the ticker each hour."""

from __future__ import annotations

import io
import json
import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.events import Event, history_of
from sandbox.server import Sandbox
from tests.admin_pages import address, pages_of, press, said, staff_with
from tests.conftest import NOW, make_social
from tests.jobs.worker_process import until
from uploader.destinations import Destination
from uploader.models import SocialAccount
from uploader.platforms.errors import CredentialsRejected
from uploader.platforms.onlysocial import Account
from uploader.social_accounts import claim_due, sync, sync_due, take

SEA = Account(1, "uuid-1", "Sea", "instagram", True, "sea")
SKY = Account(2, "uuid-2", "Sky", "youtube", True, "sky")


def test_accounts_are_taken_from_the_platform(social: Destination) -> None:
    synced = sync(social, who="olga", now=NOW)
    assert str(synced) == "5 accounts: 5 new, 0 changed, 0 gone"
    account = SocialAccount.objects.get(remote_id=42174)
    assert (account.name, account.provider, account.is_authorized) == ("Harbour Films", "instagram", True)
    assert account.uuid and account.seen_at == NOW
    assert SocialAccount.objects.usable().count() == 4
    social.refresh_from_db()
    assert (social.health, social.accounts_asked_at) == ("ok", NOW)
    assert str(sync(social, who="olga", now=NOW)) == "5 accounts: 0 new, 0 changed, 0 gone"
    assert history_of(account).count() == 1


def test_what_changed_is_in_the_history(social: Destination) -> None:
    take(social, [SEA], who="olga", now=NOW)
    row = SocialAccount.objects.get()
    lost = Account(1, "uuid-1", "Sea", "instagram", False, "sea")
    renamed = Account(1, "uuid-1", "Ocean", "instagram", True, "sea")
    for step in ([lost], [SEA], [renamed], [], [renamed]):
        take(social, step, who="olga", now=NOW)
    types = list(history_of(row).order_by("pk").values_list("type", flat=True))
    assert types == ["added", "unauthorized", "authorized", "changed", "gone", "authorized"]
    assert SocialAccount.objects.get().name == "Ocean"


def test_one_the_platform_names_no_more_stays_and_cannot_be_used(social: Destination) -> None:
    take(social, [SEA, SKY], who="olga", now=NOW)
    later = NOW + timedelta(hours=1)
    assert take(social, [SKY], who="olga", now=later).gone == 1
    gone = SocialAccount.objects.get(remote_id=1)
    assert (gone.gone_at, gone.is_authorized, gone.seen_at) == (later, False, NOW)
    assert "no longer in" in gone.why_not
    assert [each.remote_id for each in SocialAccount.objects.listed()] == [2]
    assert take(social, [SEA, SKY], who="olga", now=later).changed == 1
    assert SocialAccount.objects.get(remote_id=1).why_not == ""


def test_two_workspaces_keep_their_accounts_apart(platform: Sandbox, social: Destination) -> None:
    other = make_social(platform, "other")
    for destination in (social, other):
        take(destination, [SEA], who="olga", now=NOW)
    take(other, [], who="olga", now=NOW)
    assert [row.destination for row in SocialAccount.objects.listed()] == [social]


def test_a_token_taken_away_holds_the_destination_and_keeps_the_accounts(
    social: Destination, platform: Sandbox
) -> None:
    sync(social, who="olga", now=timezone.now())
    platform.settings(onlysocial_token_revoked=True)
    with pytest.raises(CredentialsRejected):
        sync(social, who="olga", now=timezone.now())
    social.refresh_from_db()
    assert (social.health, social.held_kind) == ("failing", "credentials")
    assert SocialAccount.objects.usable().count() == 4


# -------------------------------------------------------------------- each hour


def test_each_hour_one_of_the_tickers_asks(social: Destination, destination: Destination) -> None:
    assert claim_due(NOW) == [social]
    assert claim_due(NOW) == []
    assert claim_due(NOW + timedelta(minutes=59)) == []
    assert claim_due(NOW + timedelta(minutes=60)) == [social]


def test_a_paused_destination_is_not_asked(social: Destination) -> None:
    social.pause(who="olga", now=NOW)
    assert claim_due(NOW) == []


@pytest.mark.django_db(transaction=True)
def test_the_ticker_does_not_wait_for_the_platform(social: Destination, platform: Sandbox) -> None:
    platform.add_fault("accounts", delay=1)
    sync_due(timezone.now())
    (asking,) = [thread for thread in threading.enumerate() if thread.name == "social-accounts"]
    assert not SocialAccount.objects.exists()
    asking.join()
    assert SocialAccount.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_a_platform_that_does_not_answer_is_asked_again_next_time(
    social: Destination, platform: Sandbox
) -> None:
    platform.add_fault("accounts", status=503)
    sync_due(timezone.now())
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "social-accounts"])
    assert not SocialAccount.objects.exists()
    sync_due(timezone.now() + timedelta(hours=2))
    until(lambda: SocialAccount.objects.count() == 5)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "social-accounts"])


# -------------------------------------------------------------------- by command


def test_the_command_prints_how_many_there_are(social: Destination) -> None:
    out = io.StringIO()
    call_command("sync_accounts", stdout=out)
    assert out.getvalue().splitlines() == ["social: 5 accounts: 5 new, 0 changed, 0 gone", "5"]
    out = io.StringIO()
    call_command("sync_accounts", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"social": {"accounts": 5, "added": 0, "changed": 0, "gone": 0}}


def test_the_command_says_what_is_missing(social: Destination, platform: Sandbox) -> None:
    with pytest.raises(CommandError, match="no active OnlySocial destination “other”"):
        call_command("sync_accounts", "--destination", "other")
    platform.settings(onlysocial_token_revoked=True)
    with pytest.raises(CommandError, match="access token"):
        call_command("sync_accounts", stdout=io.StringIO())


# -------------------------------------------------------------------- by button


def test_the_button_updates_the_accounts_and_the_page_names_them(
    admin_client: Client, social: Destination
) -> None:
    page = address(social, "change", social.pk)
    assert "None yet" in admin_client.get(page).content.decode()
    answer = press(admin_client, social, "update_accounts")
    assert "5 accounts: 5 new" in answer
    body = admin_client.get(page).content.decode()
    assert "Harbour Films" in body and "to be reconnected" in body


def test_only_who_may_change_sees_the_button(social: Destination, destination: Destination) -> None:
    viewer = staff_with("vera", apps=["uploader", "jobs"], verbs=["view"])
    operator = staff_with("olga", apps=["uploader", "jobs"], verbs=["view", "change"])

    def is_offered(person: Client, row: Destination) -> bool:
        button = address(row, "update_accounts", row.pk)
        return button in person.get(address(row, "change", row.pk)).content.decode()

    assert [is_offered(person, social) for person in (viewer, operator)] == [False, True]
    assert not is_offered(operator, destination)


def test_the_list_shows_the_state_of_each(admin_client: Client, social: Destination) -> None:
    sync(social, who="olga", now=timezone.now())
    body = admin_client.get(address(SocialAccount, "changelist")).content.decode()
    assert body.count("To be reconnected") >= 1 and "Connected" in body
    lost = SocialAccount.objects.get(is_authorized=False)
    assert "Reconnect it at OnlySocial" in admin_client.get(address(lost, "change", lost.pk)).content.decode()
    for page in pages_of(SocialAccount, lost):
        assert admin_client.get(page).status_code in (200, 302, 403)


def test_a_platform_that_refuses_is_told(
    admin_client: Client, social: Destination, platform: Sandbox
) -> None:
    platform.settings(onlysocial_token_revoked=True)
    assert "does not accept the access token" in press(admin_client, social, "update_accounts")
    assert Event.objects.filter(type="held").exists()


def test_accounts_go_with_their_destination(admin_client: Client, social: Destination) -> None:
    sync(social, who="olga", now=timezone.now())
    answer = admin_client.post(address(social, "delete", social.pk), {"post": "yes"}, follow=True)
    assert answer.status_code == 200
    assert not Destination.objects.exists() and not SocialAccount.objects.exists()


def test_the_update_button_of_the_list(admin_client: Client, social: Destination) -> None:
    viewer = staff_with("vera", apps=["uploader", "jobs"], verbs=["view"])
    button = reverse("admin:uploader_socialaccount_update_every")
    assert viewer.post(button, {"_form_submitted": "True"}).status_code == 403
    assert not SocialAccount.objects.exists()
    assert "5 accounts: 5 new" in said(admin_client.post(button, {"_form_submitted": "True"}))
    assert SocialAccount.objects.count() == 5
