"""The page of the weekly windows as the server gives it: the week, the line, who may touch, what a change would do."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from schedules import slot_clock, slot_line
from schedules.blackouts import Blackout
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import UploadSlot
from tests.schedules.slot_rows import MORNING, account, in_line, make_films, make_slot, person
from uploader.catalog import Episode, Film, Series
from uploader.destinations import Destination

pytestmark = pytest.mark.django_db

ALL = "alert,bar,week,line,blackouts"
LIVE = {"HX-Request": "true", "HX-Current-URL": "http://testserver/slots/"}


@pytest.fixture(autouse=True)
def _monday_morning() -> Any:
    """Half past ten on Monday 2 March 2026 in Kolkata."""
    with time_machine.travel(MORNING, tick=False):
        yield


@pytest.fixture
def main() -> Destination:
    return account()


def text_of(response: HttpResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def shown(client: Client, **query: Any) -> HttpResponse:
    answer = client.get("/slots/", query)
    assert answer.status_code == 200
    return answer


def part(client: Client, name: str, **query: Any) -> str:
    return text_of(client.get("/slots/", {"parts": name, **query}, headers=LIVE))


def press(client: Client, path: str, /, **fields: Any) -> HttpResponse:
    return client.post(path, {"parts": ALL, **fields}, headers=LIVE)


def toast_of(response: HttpResponse) -> str:
    return json.loads(response.headers["HX-Trigger"])["toast"]["text"]


def fields(slot: UploadSlot, **changed: Any) -> dict[str, Any]:
    """What the form of a window sends."""
    saved = {
        "user": slot.user_id, "destination": slot.destination_id, "day": slot.day,
        "start_time": slot.start_time.isoformat(), "end_time": slot.end_time.isoformat(),
        "max_uploads": slot.max_uploads, "slot_name": slot.slot_name, "time_zone": slot.time_zone,
        "is_active": "on", "previewing": "1",
    }  # fmt: skip
    return {name: value for name, value in {**saved, **changed}.items() if value is not None}


# -------------------------------------------------------------------- who may look and touch


@pytest.mark.parametrize(
    "path", ["/slots/", "/slots/windows/new/", "/slots/videos/add/", "/slots/blackouts/new/"]
)
def test_only_the_staff_gets_in(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/?next=")


def test_a_viewer_sees_everything_and_may_touch_nothing(viewer_client: Client, main: Destination) -> None:
    slot = make_slot(main)
    [row] = in_line(1, main)
    answer = shown(viewer_client)
    assert "morning" in text_of(answer) and "Film 1" in text_of(answer)
    html = answer.content.decode()
    assert not re.search(
        r"Add videos|Add window|Add blackout|data-free|data-handle|data-window|data-chip", html
    )
    for path, sent in (
        (f"/slots/windows/{slot.pk}/", fields(slot, max_uploads=9)),
        (f"/slots/windows/{slot.pk}/delete/", {}),
        ("/slots/windows/new/", fields(slot, day="tuesday")),
        ("/slots/blackouts/new/", {"name": "x", "first_on": "2026-03-03", "last_on": "2026-03-03"}),
        ("/slots/videos/add/", {"film": row.film_id}),
        (f"/slots/videos/{row.pk}/move/", {"direction": "up"}),
        (f"/slots/videos/{row.pk}/remove/", {}),
        (f"/slots/videos/{row.pk}/priority/", {"priority": "1"}),
    ):
        assert press(viewer_client, path, **sent).status_code == 403, path
    assert UploadSlot.objects.get().max_uploads == 1 and SlotVideo.objects.count() == 1
    form = viewer_client.get(f"/slots/windows/{slot.pk}/", headers=LIVE).content.decode()
    assert "disabled" in form and "Save" not in form


# -------------------------------------------------------------------- the week


def test_without_a_destination_or_a_window_it_says_what_to_do(operator_client: Client) -> None:
    assert "No destination is set up" in text_of(shown(operator_client))
    account()
    assert "olga has no windows at Main" in text_of(shown(operator_client))
    assert "Nothing waits" in text_of(shown(operator_client))


def test_the_week_shows_what_went_what_is_planned_and_what_is_free(
    operator_client: Client, main: Destination
) -> None:
    make_slot(main, max_uploads=2)
    make_slot(main, day="wednesday", max_uploads=4)
    in_line(4, main)
    slot_clock.tick(MORNING)
    week = part(operator_client, "week", user=person().pk)
    assert re.search(r"morning 2\s*/2 09:00–12:00", week)
    assert re.search(r"Taken: Film 1 .*Taken: Film 2", week)
    assert re.search(r"morning 0 \+2 /4 .*Planned: Film 3 .*Planned: Film 4 .*2 free", week)


def test_the_grid_can_be_drawn_by_another_clock_and_names_the_windows_own(
    operator_client: Client, main: Destination
) -> None:
    make_slot(main)
    week = part(operator_client, "week", user=person().pk, zone="Europe/Berlin")
    assert "04:30–07:30" in week and "09:00–12:00 Asia/Kolkata" in week
    assert part(operator_client, "week", user=person().pk, zone="Mars/Olympus") == part(
        operator_client, "week", user=person().pk
    )


def test_the_week_of_a_clock_change_says_what_it_does(operator_client: Client, main: Destination) -> None:
    make_slot(main, day="sunday", start_time=time(2, 30), end_time=time(3, 29, 59), time_zone="Europe/Berlin")
    week = part(operator_client, "week", user=person().pk, week="2026-03-24")
    assert "Clocks +1 h" in week
    assert "02:30:00 on 29 March 2026 does not exist in Europe/Berlin: read as 03:30:00." in week
    assert "03:30–04:30" in week


def test_a_window_across_midnight_stands_on_both_days(operator_client: Client, main: Destination) -> None:
    slot = make_slot(main, start_time=time(22), end_time=time(1, 59, 59))
    html = shown(operator_client, user=person().pk).content.decode()
    name = f"block-{slot.pk.hex[:12]}-20260302"
    assert f'id="{name}-2026-03-02"' in html and f'id="{name}-2026-03-03"' in html
    assert "since Mon" in re.sub(r"\s+", " ", html)


def test_overlapping_windows_stand_side_by_side(operator_client: Client, main: Destination) -> None:
    make_slot(main)
    make_slot(main, start_time=time(11), end_time=time(13), slot_name="noon")
    make_slot(main, start_time=time(15), end_time=time(16), slot_name="late")
    html = shown(operator_client, user=person().pk).content.decode()
    lanes = re.findall(r"--lane: (\d); --lanes: (\d)", html)
    assert lanes == [("0", "2"), ("1", "2"), ("0", "1")]


def test_a_blackout_shows_on_its_day_and_on_what_it_skips(operator_client: Client, main: Destination) -> None:
    make_slot(main, day="tuesday")
    Blackout.objects.create(name="Holi", first_on=date(2026, 3, 3), last_on=date(2026, 3, 3))
    week = part(operator_client, "week", user=person().pk)
    assert "Skipped: Holi" in week
    assert re.search(r"Tue 3 .*Holi", week)
    assert "3 March 2026 · every destination" in part(operator_client, "blackouts")


def test_a_day_on_which_the_limit_is_reached_is_marked(operator_client: Client) -> None:
    main = account(max_videos_per_day=1)
    make_slot(main, day="tuesday", max_uploads=3)
    in_line(3, main)
    assert "Full: 1 video in 24 hours" in part(operator_client, "week", user=person().pk)
    assert "limit of 1 video in 24 hours is reached on 2 days" in part(
        operator_client, "line", user=person().pk
    )


def test_a_window_whose_zone_is_gone_is_told_and_spoils_no_page(
    operator_client: Client, main: Destination
) -> None:
    make_slot(main)
    UploadSlot.objects.update(time_zone="Mars/Olympus", is_active=False)
    page = operator_client.get("/slots/")
    assert page.status_code == 200
    assert "There is no time zone “Mars/Olympus”" in page.content.decode()


def test_each_person_and_destination_has_a_week_of_their_own(
    operator_client: Client, main: Destination
) -> None:
    make_slot(main, slot_name="mine")
    make_slot(main, user=person("yours"), slot_name="theirs")
    make_slot(account("other"), slot_name="elsewhere")
    week = part(operator_client, "week", user=person("yours").pk, destination="main")
    assert "theirs" in week and "mine" not in week and "elsewhere" not in week
    assert "elsewhere" in part(operator_client, "week", user=person().pk, destination="other")


@pytest.mark.parametrize(
    "query",
    [
        {"week": "0001-01-01"}, {"week": "9999-12-31"}, {"week": "x"}, {"user": "9" * 30}, {"zone": "\0"},
        {"destination": "\0nobody"}, {"rows": "-1"},
    ],
)  # fmt: skip
def test_what_is_not_understood_counts_as_not_given(
    operator_client: Client, main: Destination, query: dict[str, str]
) -> None:
    make_slot(main)
    assert "2–8 March 2026" in text_of(shown(operator_client, **query))


def test_the_page_costs_the_same_however_much_there_is(operator_client: Client, main: Destination) -> None:
    make_slot(main)
    in_line(2, main)
    shown(operator_client, user=person().pk)
    with CaptureQueriesContext(connection) as few:
        shown(operator_client, user=person().pk)
    for day in ("tuesday", "wednesday", "thursday"):
        make_slot(main, day=day, max_uploads=5)
    in_line(60, main, first=100)
    with CaptureQueriesContext(connection) as many:
        shown(operator_client, user=person().pk)
    # One more for a longer line: what stands behind the rows that are shown.
    assert len(many) <= len(few) + 2


# -------------------------------------------------------------------- windows


def test_the_form_says_what_saving_would_do_and_saves_nothing(
    operator_client: Client, main: Destination
) -> None:
    slot = make_slot(main, day="tuesday", max_uploads=2)
    in_line(2, main)
    form = text_of(operator_client.get(f"/slots/windows/{slot.pk}/", headers=LIVE))
    assert "Change window" in form and "No video moves." in form
    asked = operator_client.get(f"/slots/windows/{slot.pk}/", fields(slot, max_uploads=1), headers=LIVE)
    assert "One video moves." in text_of(asked)
    asked = operator_client.get(f"/slots/windows/{slot.pk}/", fields(slot, is_active=None), headers=LIVE)
    assert "2 videos have no window." in text_of(asked)
    assert UploadSlot.objects.get().max_uploads == 2


def test_a_window_is_saved_and_the_answer_says_what_moved(operator_client: Client, main: Destination) -> None:
    slot = make_slot(main, day="tuesday")
    in_line(1, main)
    answer = press(operator_client, f"/slots/windows/{slot.pk}/", **fields(slot, day="wednesday"))
    assert toast_of(answer) == "Wednesday 09:00–11:59 morning → Main is saved. One video moves."
    assert UploadSlot.objects.get().day == "wednesday"
    assert 'id="part-week"' in answer.content.decode()


def test_a_new_window_is_open_at_once(operator_client: Client, main: Destination, operator: User) -> None:
    form = operator_client.get(
        "/slots/windows/new/", {"day": "friday", "start_time": "14:00:00"}, headers=LIVE
    )
    assert re.search(r'value="friday"\s+selected', form.content.decode())
    slot = UploadSlot(
        user=operator, destination=main, day="monday", start_time=time(9), end_time=time(11, 59, 59),
        time_zone="Asia/Kolkata",
    )  # fmt: skip
    answer = press(operator_client, "/slots/windows/new/", **fields(slot))
    assert answer.status_code == 200, toast_of(answer)
    assert UploadSlot.objects.open(MORNING).count() == 1


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"end_time": "09:00:00"}, "Start and end are the same time."),
        ({"time_zone": "Mars/Olympus"}, "There is no time zone “Mars/Olympus”."),
        ({"max_uploads": "0"}, "greater than or equal to 1"),
        ({"day": "noday"}, "noday"),
        ({"start_time": "25:00"}, "Enter a valid time."),
    ],
)
def test_a_window_that_is_none_is_refused_with_the_reason(
    operator_client: Client, main: Destination, wrong: dict[str, str], why: str
) -> None:
    slot = make_slot(main)
    sent = fields(slot, **wrong)
    assert why in text_of(operator_client.get(f"/slots/windows/{slot.pk}/", sent, headers=LIVE))
    answer = press(operator_client, f"/slots/windows/{slot.pk}/", **sent)
    assert answer.status_code == 409 and why in toast_of(answer)
    assert UploadSlot.objects.get().end_time == time(11, 59, 59)


def test_the_same_window_twice_is_refused(operator_client: Client, main: Destination) -> None:
    slot = make_slot(main)
    answer = press(operator_client, "/slots/windows/new/", **fields(slot))
    assert answer.status_code == 409 and "This window is there already" in toast_of(answer)


def test_a_window_is_deleted_after_saying_what_that_does(operator_client: Client, main: Destination) -> None:
    slot = make_slot(main, day="tuesday")
    in_line(1, main)
    assert "One video has no window." in text_of(
        operator_client.get(f"/slots/windows/{slot.pk}/", headers=LIVE)
    )
    answer = press(operator_client, f"/slots/windows/{slot.pk}/delete/")
    assert toast_of(answer).endswith("is deleted. One video has no window.")
    assert not UploadSlot.objects.exists()


# -------------------------------------------------------------------- blackouts


def test_a_blackout_is_made_changed_and_deleted(operator_client: Client, main: Destination) -> None:
    make_slot(main, day="tuesday")
    in_line(1, main)
    holi = {"name": "Holi", "first_on": "2026-03-03", "last_on": "2026-03-04"}
    asked = operator_client.get("/slots/blackouts/new/", {**holi, "previewing": "1"}, headers=LIVE)
    assert "One video moves." in text_of(asked)
    answer = press(operator_client, "/slots/blackouts/new/", **holi)
    assert toast_of(answer) == "Holi (3–4 March 2026) is saved. One video moves."
    row = Blackout.objects.get()
    answer = press(operator_client, f"/slots/blackouts/{row.pk}/", **{**holi, "first_on": "2026-03-04"})
    assert toast_of(answer) == "Holi (4 March 2026) is saved. One video moves."
    answer = press(operator_client, f"/slots/blackouts/{row.pk}/", **{**holi, "last_on": "2026-03-01"})
    assert answer.status_code == 409 and "before the first" in toast_of(answer)
    answer = press(operator_client, f"/slots/blackouts/{row.pk}/delete/")
    assert "is deleted. No video moves." in toast_of(answer)
    assert not Blackout.objects.exists()


# -------------------------------------------------------------------- the line


def test_the_line_shows_when_each_video_goes_and_which_has_no_window(
    operator_client: Client, main: Destination
) -> None:
    make_slot(main, day="tuesday")
    in_line(2, main)
    line = part(operator_client, "line", user=person().pk)
    assert re.search(r"Line 2 .*Film 1 .*Film 2", line)
    html = shown(operator_client, user=person().pk).content.decode()
    assert '<time datetime="2026-03-03T03:30:00+00:00" data-time="at">' in html
    UploadSlot.objects.all().delete()
    assert "2 have no window" in part(operator_client, "line", user=person().pk)


def test_films_and_episodes_are_added_after_a_look_at_what_that_does(
    operator_client: Client, main: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    for model in (Film, Episode):
        monkeypatch.setattr(model, "readiness", lambda video, now: "")
    make_slot(main, day="tuesday")
    series = Series.objects.create(title="Harbour")
    Episode.objects.bulk_create(
        Episode(series=series, index_sequence=number, path=f"harbour/{number}.mp4") for number in range(1, 5)
    )
    make_films(1)
    found = text_of(operator_client.get("/slots/videos/add/", {"q": "harb"}, headers=LIVE))
    assert "Series · 4 episodes" in found
    assert "Film 1" in text_of(operator_client.get("/slots/videos/add/", {"q": "film"}, headers=LIVE))
    chosen = {"series": series.pk, "episodes": "1-2, 4", "user": person().pk, "destination": "main"}
    preview = text_of(operator_client.get("/slots/videos/add/", chosen, headers=LIVE))
    assert "3 videos to the line of user-123 for Main" in preview and "No video moves." in preview
    assert not SlotVideo.objects.exists()
    answer = press(operator_client, "/slots/videos/add/", **chosen)
    assert toast_of(answer) == "3 videos added to the line of user-123 for Main."
    assert [row.episode.index_sequence for row in SlotVideo.objects.order_by("position") if row.episode] == [
        1,
        2,
        4,
    ]
    preview = text_of(operator_client.get("/slots/videos/add/", chosen, headers=LIVE))
    assert "3 of 3 cannot be added." in preview
    assert press(operator_client, "/slots/videos/add/", **chosen).status_code == 409


def test_videos_move_up_down_to_a_place_and_to_the_end(operator_client: Client, main: Destination) -> None:
    rows = in_line(3, main)

    def order() -> list[int]:
        line = SlotVideo.objects.line(person().pk, main.pk)
        return [[row.pk for row in rows].index(row.pk) + 1 for row in line]

    for sent, expected in (
        ({"direction": "up"}, [1, 3, 2]),
        ({"direction": "down"}, [1, 2, 3]),
        ({"direction": "first"}, [3, 1, 2]),
        ({"before": rows[1].pk}, [1, 3, 2]),
        ({"before": ""}, [1, 2, 3]),
    ):
        answer = press(operator_client, f"/slots/videos/{rows[2].pk}/move/", **sent)
        assert answer.status_code == 200
        assert order() == expected, sent


def test_a_video_is_put_into_a_window_by_name(operator_client: Client, main: Destination) -> None:
    tuesday, thursday = make_slot(main, day="tuesday"), make_slot(main, day="thursday")
    rows = in_line(3, main)
    answer = press(operator_client, f"/slots/videos/{rows[2].pk}/move/", onto=f"{tuesday.pk}:2026-03-03")
    assert toast_of(answer) == (
        "Film 3 goes in Tuesday 09:00–11:59 morning → Main on 2026-03-03. 3 videos move."
    )
    answer = press(operator_client, f"/slots/videos/{rows[2].pk}/move/", onto=f"{thursday.pk}:2026-03-05")
    assert "on 2026-03-05" in toast_of(answer)
    details = operator_client.get(f"/slots/videos/{rows[0].pk}/", headers=LIVE).content.decode()
    assert f'value="{thursday.pk}:2026-03-05"' in details
    for wrong in ("x", f"{tuesday.pk}:2026-02-24", f"{tuesday.pk}:2026-03-04", f"{rows[0].pk}:2026-03-03"):
        assert press(operator_client, f"/slots/videos/{rows[2].pk}/move/", onto=wrong).status_code == 409


def test_a_free_place_takes_the_video_that_is_chosen_for_it(
    operator_client: Client, main: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Film, "readiness", lambda video, now: "")
    tuesday, thursday = make_slot(main, day="tuesday"), make_slot(main, day="thursday", max_uploads=2)
    in_line(2, main)
    html = shown(operator_client, user=person().pk).content.decode()
    assert f"onto={thursday.pk}:2026-03-05" in html, "one of its two places is free"
    [film] = make_films(1, first=9)
    chosen = {
        "film": film.pk, "user": person().pk, "destination": "main", "onto": f"{thursday.pk}:2026-03-05",
    }  # fmt: skip
    preview = text_of(operator_client.get("/slots/videos/add/", chosen, headers=LIVE))
    assert "A video for morning, Thursday 5 March 2026" in preview
    assert "It goes in morning, Thursday 5 March 2026." in preview
    answer = press(operator_client, "/slots/videos/add/", **chosen)
    assert "It goes in morning, Thursday 5 March 2026." in toast_of(answer)
    week = operator_client.get("/slots/", {"user": person().pk}).context["board"]
    planned = {block.slot: [str(row.video) for row in block.planned] for block in week.blocks}
    assert planned == {tuesday: ["Film 1"], thursday: ["Film 9", "Film 2"]}


def test_a_free_place_behind_others_says_that_the_first_one_takes_the_video(
    operator_client: Client, main: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Film, "readiness", lambda video, now: "")
    make_slot(main, day="tuesday")
    thursday = make_slot(main, day="thursday")
    [film] = make_films(1, first=9)
    chosen = {
        "film": film.pk, "user": person().pk, "destination": "main", "onto": f"{thursday.pk}:2026-03-05",
    }  # fmt: skip
    told = "It goes earlier, in morning on 3 March 2026: the first window with a free place takes it."
    assert told in text_of(operator_client.get("/slots/videos/add/", chosen, headers=LIVE))
    assert told in toast_of(press(operator_client, "/slots/videos/add/", **chosen))
    over = text_of(operator_client.get("/slots/videos/add/", {**chosen, "onto": "x"}, headers=LIVE))
    assert "Add videos to a line" in over, "an addition like any other"


def test_priority_removal_and_upload_now(operator_client: Client, main: Destination) -> None:
    rows = in_line(2, main)
    assert (
        toast_of(press(operator_client, f"/slots/videos/{rows[1].pk}/priority/", priority="-1"))
        == "Film 2: sooner."
    )
    assert SlotVideo.objects.line(person().pk, main.pk)[0].pk == rows[1].pk
    assert press(operator_client, f"/slots/videos/{rows[1].pk}/priority/", priority="99").status_code == 409
    assert (
        toast_of(press(operator_client, f"/slots/videos/{rows[1].pk}/remove/"))
        == "Film 2 is out of the line."
    )
    answer = press(operator_client, f"/slots/videos/{rows[0].pk}/now/")
    assert "no window counts it" in toast_of(answer)
    assert press(operator_client, f"/slots/videos/{rows[0].pk}/move/", direction="up").status_code == 409


def test_what_is_under_way_is_cancelled_and_what_failed_retried(
    operator_client: Client, main: Destination
) -> None:
    make_slot(main)
    [row] = in_line(1, main)
    slot_clock.tick(MORNING)
    assert "Being uploaded" in part(operator_client, "line", user=person().pk)
    assert toast_of(press(operator_client, f"/slots/videos/{row.pk}/cancel/")) == "Film 1 is being stopped."
    line = part(operator_client, "line", user=person().pk)
    assert "Needs a hand" in line and "Cancelled by olga" in line
    assert toast_of(press(operator_client, f"/slots/videos/{row.pk}/retry/")) == "Film 1 is tried again."
    history = text_of(operator_client.get(f"/slots/videos/{row.pk}/", headers=LIVE))
    assert "Put in the line by olga" in history and "Taken by a window" in history


def test_dialogs_are_pages_too(operator_client: Client, main: Destination) -> None:
    slot = make_slot(main)
    [row] = in_line(1, main)
    for path in (
        f"/slots/windows/{slot.pk}/", "/slots/windows/new/", "/slots/blackouts/new/", "/slots/videos/add/",
        f"/slots/videos/{row.pk}/",
    ):  # fmt: skip
        assert "← Weekly windows" in text_of(operator_client.get(path)), path


def test_without_scripts_a_button_leads_back_with_its_sentence(
    operator_client: Client, main: Destination
) -> None:
    slot = make_slot(main)
    answer = operator_client.post(
        f"/slots/windows/{slot.pk}/", {**fields(slot, max_uploads=3), "next": "/slots/"}
    )
    assert answer.status_code == 302 and answer["Location"] == "/slots/"
    assert UploadSlot.objects.get().max_uploads == 3


def test_a_title_cannot_write_markup(operator_client: Client, main: Destination) -> None:
    make_slot(main, day="tuesday", slot_name="<script>alert(1)</script>")
    rows = in_line(1, main)
    Film.objects.filter(pk=rows[0].film_id).update(title="<img src=x onerror=alert(1)>")
    html = shown(operator_client, user=person().pk).content.decode()
    assert "<img src=x" not in html and "<script>alert" not in html


def test_a_week_long_gone_shows_what_went(client: Client, operator: User, main: Destination) -> None:
    make_slot(main)
    UploadSlot.objects.update(created_at=MORNING - timedelta(days=30))
    in_line(1, main)
    slot_clock.tick(MORNING)
    later = datetime(2026, 3, 20, tzinfo=UTC)
    with time_machine.travel(later, tick=False):
        slot_clock.roll_on(later)
        client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
        week = part(client, "week", user=person().pk, week="2026-03-02")
    assert re.search(r"morning 1\s*/1 .*Film 1", week)


def test_moving_asks_the_line_itself(operator_client: Client, main: Destination) -> None:
    rows = in_line(2, main)
    slot_line.remove_videos([rows[0]], who="nina", now=MORNING)
    assert press(operator_client, f"/slots/videos/{rows[0].pk}/move/", direction="up").status_code == 404


# -------------------------------------------------------------------- in the admin


def test_the_admin_shows_what_a_change_moves_before_it_saves_it(
    operator_client: Client, main: Destination
) -> None:
    slot = make_slot(main, day="tuesday", max_uploads=2)
    in_line(2, main)
    path = f"/admin/schedules/uploadslot/{slot.pk}/change/"
    sent = fields(slot, max_uploads=1)
    first = operator_client.post(path, sent)
    assert first.status_code == 200
    assert "One video moves." in text_of(first) and "press Save once more" in text_of(first)
    assert UploadSlot.objects.get().max_uploads == 2
    [told] = re.findall(r'name="seen" value="([^"]+)"', first.content.decode())
    assert operator_client.post(path, {**sent, "seen": "What it moved a while ago."}).status_code == 200
    assert UploadSlot.objects.get().max_uploads == 2
    assert operator_client.post(path, {**sent, "seen": told}).status_code == 302
    assert UploadSlot.objects.get().max_uploads == 1


def test_the_admin_saves_what_moves_nothing_at_once(operator_client: Client, main: Destination) -> None:
    slot = make_slot(main)
    path = f"/admin/schedules/uploadslot/{slot.pk}/change/"
    assert operator_client.post(path, fields(slot, slot_name="early")).status_code == 302
    assert UploadSlot.objects.get().slot_name == "early"
    holi = {"name": "Holi", "first_on": "2026-03-03", "last_on": "2026-03-04"}
    assert operator_client.post("/admin/schedules/blackout/add/", holi).status_code == 302
    assert (
        operator_client.post(f"/admin/schedules/uploadslot/{slot.pk}/delete/", {"post": "yes"}).status_code
        == 302
    )
    assert not UploadSlot.objects.exists()


@pytest.mark.parametrize("model", ["uploadslot", "slotvideo", "blackout"])
def test_the_admin_lists_open(operator_client: Client, main: Destination, model: str) -> None:
    make_slot(main)
    in_line(2, main)
    slot_clock.tick(MORNING)
    Blackout.objects.create(name="Holi", first_on=date(2026, 3, 3), last_on=date(2026, 3, 3))
    assert operator_client.get(f"/admin/schedules/{model}/").status_code == 200
