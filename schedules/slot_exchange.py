"""Weekly windows in and out, as the JSON of seed 002 or as a table.

A line has `user_id` (user name or primary key), `day`, `start_time`, `end_time`, `max_uploads`, `slot_name`,
`is_active`; where it has no `destination` and no `time_zone`, the defaults are meant, and an export leaves those out
again. A window is found by person, destination, day, times and zone: what is imported twice changes nothing.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

import tablib
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone
from import_export import fields, resources, widgets
from import_export.formats.base_formats import JSON

from jobs import events
from schedules.refusals import Refused
from schedules.scheduling import choose_destination
from schedules.upload_slots import UploadSlot
from uploader.destinations import Destination

SEED_COLUMNS = ("user_id", "day", "start_time", "end_time", "max_uploads", "slot_name", "is_active")
COLUMNS = (*SEED_COLUMNS, "destination", "time_zone")
# A whole number of uploads that fits into the column.
MOST_UPLOADS = 2**31 - 1
YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class BadSlots(Refused):
    """The file as a whole is not a list of windows."""


def dataset_of(text: str) -> tablib.Dataset:
    """The lines of a JSON list; a key that a line does not have is left to its default. Raises BadSlots."""
    try:
        lines = json.loads(text)
    except ValueError as error:
        raise BadSlots(
            f"This is no JSON: {error}. Give a list of windows as in the documentation."
        ) from error
    if not isinstance(lines, list):
        raise BadSlots("Give a JSON list of windows: [{…}, {…}].")
    dataset = tablib.Dataset(headers=COLUMNS)
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, dict):
            raise BadSlots(f"Line {number} is no window: write it as an object, {{“user_id”: …, “day”: …}}.")
        if unknown := sorted(line.keys() - set(COLUMNS) - {"id"}):
            raise BadSlots(
                f"Line {number} has unknown keys: {', '.join(unknown)}. Known are {', '.join(COLUMNS)}."
            )
        dataset.append([line.get(name) for name in COLUMNS])
    return dataset


class SlotJSON(JSON):
    """The JSON of seed 002, in and out."""

    def get_title(self) -> str:
        return "json"

    def create_dataset(self, in_stream: str | bytes, **kwargs: Any) -> tablib.Dataset:
        return dataset_of(in_stream.decode() if isinstance(in_stream, bytes) else in_stream)

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> str:
        return as_json(dataset)


def as_json(dataset: tablib.Dataset) -> str:
    """The lines as the seed writes them: without what is the default anyway."""
    lines = [
        {name: value for name, value in line.items() if value != "" or name in SEED_COLUMNS}
        for line in dataset.dict
    ]
    return json.dumps(lines, indent=2, ensure_ascii=False)


# -------------------------------------------------------------------- cells


class Cell(widgets.Widget):
    """One column: `clean` takes what a line has, `shown` gives what an export has."""

    def shown(self, value: Any) -> Any:
        return value

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        # Of a row that is new nothing is set yet when it is compared with what it was.
        return "" if value is None else self.shown(value)


class Person(Cell):
    """A user by name, or by primary key."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        text = str(value if value is not None else "").strip()
        users = get_user_model()._default_manager
        found = users.filter(**{users.model.USERNAME_FIELD: text}).first()
        if found is None and text.isdecimal() and len(text) < 19:
            found = users.filter(pk=int(text)).first()
        if found is None:
            raise ValueError(f"There is no user “{text}”. Add the user first, or correct user_id.")
        return found

    def shown(self, value: Any) -> str:
        return str(value.get_username())


class Place(Cell):
    """A destination by its name; empty: the default one."""

    def __init__(self) -> None:
        super().__init__()
        self.default_name = ""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Destination:
        try:
            return choose_destination(str(value or "").strip())
        except Refused as error:
            raise ValueError(str(error)) from error

    def shown(self, value: Any) -> str:
        return "" if value.name == self.default_name else str(value.name)


class Zone(Cell):
    """A time zone; empty: SLOT_TIME_ZONE."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return str(value or "").strip() or settings.SLOT_TIME_ZONE

    def shown(self, value: Any) -> str:
        return "" if value == settings.SLOT_TIME_ZONE else str(value)


class Weekday(Cell):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return str(value or "").strip().lower()


class Clock(Cell):
    """A time of the day as HH:MM:SS; the seconds may be left out."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> time:
        text = str(value if value is not None else "").strip()
        for pattern in ("%H:%M:%S", "%H:%M"):
            try:
                return datetime.strptime(text, pattern).time()
            except ValueError:
                continue
        raise ValueError(f"“{text}” is no {self.name}: write HH:MM:SS, for instance 09:00:00.")

    def shown(self, value: Any) -> str:
        return f"{value:%H:%M:%S}"


class Limit(Cell):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> int:
        text = str(value if value is not None else 1).strip() or "1"
        if not text.isdecimal() or len(text) > 10 or not 1 <= int(text) <= MOST_UPLOADS:
            raise ValueError(f"max_uploads is “{text}”: write a whole number from 1 on.")
        return int(text)


class YesNo(Cell):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> bool:
        text = str(value if value is not None else True).strip().lower() or "true"
        if text not in (*YES, *NO):
            raise ValueError(f"is_active is “{text}”: write true or false.")
        return text in YES


class Text(Cell):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return str(value if value is not None else "").strip()


# -------------------------------------------------------------------- lines


class SlotResource(resources.ModelResource):
    """Each line is checked as a person's input is; `who` imports, `destination` is where lines without one go."""

    user_id = fields.Field("user", "user_id", widget=Person())
    day = fields.Field("day", "day", widget=Weekday())
    start_time = fields.Field("start_time", "start_time", widget=Clock("start_time"))
    end_time = fields.Field("end_time", "end_time", widget=Clock("end_time"))
    max_uploads = fields.Field("max_uploads", "max_uploads", widget=Limit())
    slot_name = fields.Field("slot_name", "slot_name", widget=Text())
    is_active = fields.Field("is_active", "is_active", widget=YesNo())
    destination = fields.Field("destination", "destination", widget=Place())
    time_zone = fields.Field("time_zone", "time_zone", widget=Zone())

    class Meta:
        model = UploadSlot
        fields = COLUMNS
        export_order = COLUMNS
        import_id_fields = ("user_id", "destination", "day", "start_time", "end_time", "time_zone")
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True
        rollback_on_validation_errors = True

    def __init__(self, *, who: str = "import", destination: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.who, self.default_destination = who, destination

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("user", "destination")

    def before_export(self, queryset: Any, **kwargs: Any) -> None:
        with contextlib.suppress(Refused):
            self.fields["destination"].widget.default_name = choose_destination().name

    def before_import(self, dataset: tablib.Dataset, **kwargs: Any) -> None:
        # A table needs the columns of the seed only.
        for name in COLUMNS:
            if dataset.headers and name not in dataset.headers:
                dataset.append_col([None] * len(dataset), header=name)

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        row["destination"] = row["destination"] or self.default_destination

    def after_save_instance(self, instance: UploadSlot, row: Any, **kwargs: Any) -> None:
        if not kwargs.get("dry_run"):
            events.record(instance, "imported", now=timezone.now(), who=self.who, why=instance.times)


@dataclass
class SlotReport:
    """What an import did, or what is wrong with each bad line, by its number in the list."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    is_dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "errors": [{"line": line, "error": reason} for line, reason in self.errors],
            "dryRun": self.is_dry_run,
        }


def import_slots(
    dataset: tablib.Dataset, *, who: str, destination: str = "", dry_run: bool = False
) -> SlotReport:
    """Write the windows of `dataset`, all or, when a line is wrong, none; with `dry_run` only tell."""
    result = SlotResource(who=who, destination=destination).import_data(
        dataset, dry_run=dry_run, use_transactions=True, rollback_on_validation_errors=True
    )
    report = SlotReport(is_dry_run=dry_run)
    wrong = [(number, str(found[0].error)) for number, found in result.row_errors()]
    wrong += [(row.number, " ".join(row.error.messages)) for row in result.invalid_rows]
    if wrong or result.base_errors:
        report.errors = sorted(wrong) + [(0, str(found.error)) for found in result.base_errors]
        return report
    report.created, report.updated = result.totals["new"], result.totals["update"]
    report.unchanged = result.totals["skip"]
    return report
