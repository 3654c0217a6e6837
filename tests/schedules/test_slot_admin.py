"""The admin pages of weekly windows and of the videos that wait for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from jobs.events import history_of
from schedules import slot_clock
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import UploadSlot
from tests.admin_pages import act, address, pages_of, press, root, staff_with
from tests.schedules.slot_rows import MORNING, account, in_line, make_slot, person, states
from tests.schedules.test_slot_exchange import SEED
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return root()


@pytest.fixture
def main(db: None) -> Destination:
    return account("dailymotion")


@pytest.fixture
def morning(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """It is Monday, 10:30 in Kolkata."""
    monkeypatch.setattr(timezone, "now", lambda: MORNING)
    return MORNING


def form_of(user: User, destination: Destination, **columns: Any) -> dict[str, Any]:
    return {
        "user": user.pk, "destination": destination.pk, "slot_name": "morning", "is_active": "on", "day": "monday",
        "start_time": "09:00:00", "end_time": "11:59:59", "time_zone": "Asia/Kolkata", "max_uploads": 2, **columns,
    }  # fmt: skip


# -------------------------------------------------------------------- windows


def test_a_window_is_saved_from_the_form_and_open_at_once(
    client: Client, main: Destination, morning: datetime
) -> None:
    client.post(address(UploadSlot, "add"), form_of(person(), main))
    slot = UploadSlot.objects.get()
    assert slot.opens_at <= MORNING < slot.closes_at
    body = client.get(address(UploadSlot, "changelist")).content.decode()
    assert "Monday 09:00–11:59 morning" in body
    assert "0 of 2" in body
    assert [event.who for event in history_of(slot)] == ["root"]


def test_the_form_says_what_makes_no_window(client: Client, main: Destination) -> None:
    make_slot(main, max_uploads=2)

    def answer(**columns: Any) -> str:
        page = client.post(address(UploadSlot, "add"), form_of(person(), main, **columns))
        return page.content.decode()

    assert "Start and end are the same time" in answer(end_time="09:00:00")
    assert "There is no time zone “Mars”" in answer(time_zone="Mars")
    assert "greater than or equal to 1" in answer(max_uploads=0)
    assert "This window is there already. Change its limit instead." in answer()
    assert UploadSlot.objects.count() == 1


def test_a_new_limit_keeps_the_count(client: Client, main: Destination, morning: datetime) -> None:
    slot = make_slot(main)
    in_line(3, main)
    slot_clock.tick(MORNING)
    wish = form_of(person(), main, max_uploads=3)
    answer = client.post(address(slot, "change", slot.pk), wish)
    assert "Nothing is saved yet: press Save once more to do it." in answer.content.decode()
    seen = answer.context["adminform"].form["seen"].value()
    client.post(address(slot, "change", slot.pk), {**wish, "seen": seen})
    slot.refresh_from_db()
    assert (slot.taken, slot.max_uploads) == (1, 3)
    assert len(slot_clock.tick(MORNING)) == 2


def test_windows_are_switched_off_and_on(client: Client, main: Destination, morning: datetime) -> None:
    slot = make_slot(main)
    assert act(client, UploadSlot, "switch_off", [slot]) == "1 switched off."
    assert act(client, UploadSlot, "switch_off", [slot]) == "1 refused: already switched off."
    assert "Switched off" in client.get(address(UploadSlot, "changelist")).content.decode()
    assert act(client, UploadSlot, "switch_on", [slot]) == "1 switched on."


def test_a_deleted_window_leaves_what_it_took(client: Client, main: Destination) -> None:
    slot = make_slot(main)
    [video] = in_line(1, main)
    slot_clock.tick(MORNING)
    client.post(address(slot, "delete", slot.pk), {"post": "yes"})
    video.refresh_from_db()
    assert (video.status, video.slot_id) == ("pending", None)
    assert not UploadSlot.objects.exists()


def test_lists_search_and_filter(client: Client, main: Destination) -> None:
    make_slot(main, slot_name="early")
    make_slot(account("other"), slot_name="late", day="friday", user=person("bob"))
    for query, shown, hidden in (("q=early", "early", "late"), ("day__exact=friday", "late", "early")):
        body = client.get(f"{address(UploadSlot, 'changelist')}?{query}").content.decode()
        assert f"11:59 {shown}" in body, query
        assert f"11:59 {hidden}" not in body, query
    in_line(2, main)
    body = client.get(
        f"{address(SlotVideo, 'changelist')}?q=%22Film+2%22&status__exact=initiate"
    ).content.decode()
    assert "Film 2" in body
    assert "Film 1" not in body


def test_the_json_of_the_requirement_goes_in_and_out_by_the_admin(client: Client, main: Destination) -> None:
    person("user-123")
    file = SimpleUploadedFile("slots.json", json.dumps(SEED).encode(), "application/json")
    page = client.post(address(UploadSlot, "import"), {"import_file": file, "format": "0", "resource": "0"})
    form = page.context["confirm_form"]
    client.post(address(UploadSlot, "process_import"), form.initial, follow=True)
    assert UploadSlot.objects.count() == 2
    assert history_of(UploadSlot.objects.all()[0]).get().who == "root"
    fields = {f"slotresource_{name}": "on" for name in (*SEED[0], "destination", "time_zone")}
    answer = client.post(
        address(UploadSlot, "export"), {"format": "0", "resource": "0", "slotresource_id": "", **fields}
    )
    assert json.loads(answer.content) == SEED
    table = client.post(
        address(UploadSlot, "export"), {"format": "1", "resource": "0", "slotresource_id": "", **fields}
    )
    assert table.content.decode().splitlines()[1].startswith("user-123,monday,09:00:00,11:59:59,1,morning")


def test_an_import_that_cannot_be_read_says_why(client: Client, main: Destination) -> None:
    for content, why in (
        (b"{", "This is no JSON"),
        (json.dumps(SEED).encode(), "There is no user “user-123”"),
    ):
        file = SimpleUploadedFile("slots.json", content, "application/json")
        page = client.post(
            address(UploadSlot, "import"), {"import_file": file, "format": "0", "resource": "0"}
        )
        assert why in page.content.decode()
    assert not UploadSlot.objects.exists()


# -------------------------------------------------------------------- the line


def test_an_episode_is_put_in_line_from_the_form(
    client: Client, make_series: Callable[..., Series], destination: Destination
) -> None:
    episode = make_series("Harbour", 1).episodes.get()
    wish = {"user": person().pk, "destination": destination.pk, "episode": episode.pk, "priority": 0}
    client.post(address(SlotVideo, "add"), wish)
    row = SlotVideo.objects.get()
    assert (row.episode, row.added_by) == (episode, "root")
    body = client.post(address(SlotVideo, "add"), wish).content.decode()
    assert "It stands in the line of user-123 for Main already (waiting)." in body
    assert (
        "Choose either a film or an episode."
        in client.post(address(SlotVideo, "add"), {**wish, "episode": ""}).content.decode()
    )


def test_videos_are_retried_cancelled_sent_and_taken_out(
    client: Client, main: Destination, morning: datetime
) -> None:
    make_slot(main)
    first, second, third = in_line(3, main)
    slot_clock.tick(MORNING)
    assert press(client, first, "cancel") == "1 cancelled."
    assert press(client, first, "retry") == "1 queued again."
    assert press(client, second, "upload_now") == "1 begun."
    assert press(client, third, "remove") == "1 taken out."
    assert states(first, second) == ["initiate", "pending"]
    assert act(client, SlotVideo, "cancel_chosen", [first, second]) == (
        "1 cancelled, 1 refused: Film 1 only waits. Take it out of the line instead."
    )
    assert act(client, SlotVideo, "retry_chosen", [second]) == "1 queued again."
    assert act(client, SlotVideo, "upload_chosen_now", [first]) == "1 begun."
    assert act(client, SlotVideo, "remove_chosen", [first, second]) == (
        "1 taken out, 1 refused: Film 1 is taken; what waits or failed can be taken out."
    )
    assert UploadJob.objects.count() == 2


def test_only_fitting_buttons_are_shown(client: Client, main: Destination) -> None:
    [row] = in_line(1, main)

    def buttons() -> set[str]:
        body = client.get(address(row, "change", row.pk)).content.decode()
        names = ("retry", "upload_now", "cancel", "remove")
        return {name for name in names if address(row, name, row.pk) in body}

    assert buttons() == {"upload_now", "remove"}
    SlotVideo.objects.update(status="failed")
    assert buttons() == {"retry", "upload_now", "remove"}
    SlotVideo.objects.update(status="uploading")
    assert buttons() == {"cancel"}


# -------------------------------------------------------------------- who may


def test_who_may_only_view_changes_nothing(main: Destination) -> None:
    slot = make_slot(main)
    [row] = in_line(1, main)
    looking = staff_with("vera", apps=["schedules"], verbs=["view"])
    for model, one in ((UploadSlot, slot), (SlotVideo, row)):
        answers = {page: looking.get(page).status_code for page in pages_of(model, one)}
        assert [code for page, code in answers.items() if page.endswith(("add/", "delete/"))] == [403, 403]
        assert set(answers.values()) <= {200, 403}
    assert looking.get(address(UploadSlot, "import")).status_code == 403
    assert looking.post(address(row, "remove", row.pk), {"_form_submitted": "True"}).status_code in (302, 403)
    looking.post(address(slot, "change", slot.pk), form_of(person(), main, max_uploads=9))
    assert SlotVideo.objects.exists()
    assert UploadSlot.objects.get().max_uploads == 1


def test_operators_and_viewers_hold_the_permissions_of_the_windows(operator: User, viewer: User) -> None:
    for model in ("uploadslot", "slotvideo"):
        assert all(
            operator.has_perm(f"schedules.{verb}_{model}") for verb in ("view", "add", "change", "delete")
        )
        assert viewer.has_perm(f"schedules.view_{model}")
        assert not viewer.has_perm(f"schedules.change_{model}")


def test_a_list_of_many_windows_costs_no_query_each(
    client: Client, main: Destination, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make_slot(main, user=person(f"user-{number}"), now=timezone.now())
    in_line(12, main)
    slot_clock.tick(MORNING)
    with django_assert_max_num_queries(14):
        client.get(address(UploadSlot, "changelist"))
    with django_assert_max_num_queries(14):
        client.get(address(SlotVideo, "changelist"))
