"""Weekly windows in and out as the JSON of seed 002."""

from __future__ import annotations

import contextlib
import io
import json
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jobs.events import history_of
from schedules.upload_slots import UploadSlot
from tests.schedules.slot_rows import account, person
from uploader.destinations import Destination

pytestmark = pytest.mark.django_db

SEED: list[dict[str, Any]] = [
    {
        "user_id": "user-123",
        "day": "monday",
        "start_time": "09:00:00",
        "end_time": "11:59:59",
        "max_uploads": 1,
        "slot_name": "morning",
        "is_active": True,
    },
    {
        "user_id": "user-123",
        "day": "monday",
        "start_time": "12:00:00",
        "end_time": "17:59:59",
        "max_uploads": 1,
        "slot_name": "afternoon",
        "is_active": True,
    },
]


@pytest.fixture(autouse=True)
def main(db: None) -> Destination:
    person("user-123")
    return account("dailymotion")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "slots.json", SEED)


def written(path: Path, lines: object) -> Path:
    path.write_text(json.dumps(lines))
    return path


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def report_of(*arguments: object) -> dict[str, Any]:
    """What `--json` printed, also when the command then failed."""
    out = io.StringIO()
    with contextlib.suppress(CommandError):
        call_command(*map(str, arguments), "--json", stdout=out)
    return dict(json.loads(out.getvalue()))


def test_the_sample_of_the_requirement_is_imported_as_it_stands(file: Path) -> None:
    assert run("import_slots", file).splitlines()[-1] == "2"
    morning, afternoon = UploadSlot.objects.order_by("start_time")
    assert (morning.user.username, morning.day, morning.slot_name) == ("user-123", "monday", "morning")
    assert (afternoon.start_time, afternoon.end_time) == (time(12), time(17, 59, 59))
    assert (afternoon.max_uploads, afternoon.is_active, afternoon.time_zone) == (1, True, "Asia/Kolkata")
    assert history_of(morning).get().who == "command"


def test_the_export_is_the_same_json(file: Path) -> None:
    run("import_slots", file)
    assert json.loads(run("export_slots")) == SEED


def test_other_places_and_zones_go_out_and_come_in_too(tmp_path: Path) -> None:
    account("other")
    lines = [{**SEED[0], "destination": "other", "time_zone": "Europe/Rome", "is_active": False}]
    run("import_slots", written(tmp_path / "slots.json", lines))
    assert json.loads(run("export_slots")) == lines


def test_a_user_is_found_by_primary_key_too(tmp_path: Path) -> None:
    ada = person("ada")
    run("import_slots", written(tmp_path / "slots.json", [{**SEED[0], "user_id": str(ada.pk)}]))
    assert UploadSlot.objects.get().user == ada


def test_importing_again_changes_nothing_and_a_new_limit_updates(file: Path, tmp_path: Path) -> None:
    assert report_of("import_slots", file)["created"] == 2
    assert report_of("import_slots", file) == {
        "created": 0,
        "updated": 0,
        "unchanged": 2,
        "errors": [],
        "dryRun": False,
    }
    changed = written(tmp_path / "more.json", [{**SEED[0], "max_uploads": 5}, SEED[1]])
    assert report_of("import_slots", changed)["updated"] == 1
    assert sorted(UploadSlot.objects.values_list("max_uploads", flat=True)) == [1, 5]


def test_each_bad_line_is_told_with_its_cause_and_nothing_is_written(tmp_path: Path) -> None:
    lines = [
        SEED[0],
        {**SEED[0], "user_id": "nobody"},
        {**SEED[0], "day": "someday"},
        {**SEED[0], "start_time": "9 o'clock"},
        {**SEED[0], "end_time": "09:00:00"},
        {**SEED[0], "max_uploads": 0},
        {**SEED[0], "is_active": "perhaps"},
        {**SEED[0], "destination": "nowhere"},
        {**SEED[0], "time_zone": "Mars/Olympus"},
        {**SEED[0], "slot_name": "x" * 51},
    ]
    path = written(tmp_path / "slots.json", lines)
    told = {error["line"]: error["error"] for error in report_of("import_slots", path)["errors"]}
    assert sorted(told) == list(range(2, 11))
    assert told[2] == "There is no user “nobody”. Add the user first, or correct user_id."
    assert "someday" in told[3]
    assert told[4] == "“9 o'clock” is no start_time: write HH:MM:SS, for instance 09:00:00."
    assert "Start and end are the same time" in told[5]
    assert told[6] == "max_uploads is “0”: write a whole number from 1 on."
    assert told[7] == "is_active is “perhaps”: write true or false."
    assert told[8] == "There is no destination “nowhere”."
    assert "There is no time zone “Mars/Olympus”" in told[9]
    assert "50" in told[10]
    assert not UploadSlot.objects.exists()
    with pytest.raises(CommandError, match=r"Nothing was written:\n  line 2: There is no user “nobody”"):
        run("import_slots", path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "This is no JSON"),
        ("{}", "Give a JSON list"),
        ("[1]", "Line 1 is no window"),
        ('[{"user": "x"}]', "unknown keys: user"),
    ],
)
def test_a_file_that_is_no_list_of_windows_is_refused(content: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "slots.json"
    path.write_text(content)
    with pytest.raises(CommandError, match=why):
        run("import_slots", path)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run("import_slots", tmp_path / "none.json")
    (tmp_path / "latin").write_bytes(b"\xff\xfe\xe9")
    with pytest.raises(CommandError, match="not in UTF-8"):
        run("import_slots", tmp_path / "latin")


def test_a_dry_run_tells_and_writes_nothing(file: Path) -> None:
    assert "2 created" in run("import_slots", file, "--dry-run")
    assert not UploadSlot.objects.exists()
    assert report_of("import_slots", file, "--dry-run")["dryRun"] is True


def test_lines_without_a_destination_go_where_the_command_says(file: Path) -> None:
    other = account("other")
    run("import_slots", file, "--destination", "other")
    assert {slot.destination for slot in UploadSlot.objects.all()} == {other}
    with pytest.raises(CommandError, match="no destination"):
        run("import_slots", file, "--destination", "nowhere")
