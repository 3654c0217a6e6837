"""How many jobs of a model are in which state, now and at each hour of the last weeks, without counting them.

The database keeps the count itself: triggers append a change (+1, -1) for whatever writes the table, in the same
transaction, so that the sum is exact and nobody waits for anybody's row. Changes of one hour are merged.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.apps import AppConfig
from django.db import connection, models, transaction

from jobs import throughput
from jobs.lifecycle import TrackedJob

# Of older hours only the sum is kept.
KEPT = timedelta(days=35)


class Tally(models.Model):
    """So many jobs more, or fewer, in a state since an hour."""

    id = models.BigAutoField(primary_key=True)
    model = models.CharField(max_length=40)
    status = models.CharField(max_length=16)
    hour = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        indexes = (
            # The sum of a model, read from the index alone.
            models.Index(fields=["model", "hour", "status"], include=["count"], name="tally_model"),
        )

    def __str__(self) -> str:
        return f"{self.model} {self.status} {self.count:+} in {self.hour:%Y-%m-%d %H}"


def tallied_models(app: AppConfig) -> list[type[TrackedJob]]:
    return [model for model in app.get_models() if issubclass(model, TrackedJob) and model.is_tallied]


def counts(model: type[TrackedJob]) -> dict[str, int]:
    """Jobs by state, and their `total`."""
    rows = Tally.objects.filter(model=model._meta.label_lower).values_list("status")
    found = dict(rows.order_by().annotate(models.Sum("count")))
    by_state = {state: max(found.get(state, 0), 0) for state in model.states}
    return {"total": sum(by_state.values()), **by_state}


def unfinished_by_stretch(
    model: type[TrackedJob], first: datetime, *, hours: int = 1, count: int
) -> list[int]:
    """How many jobs waited or ran at the end of each of `count` stretches of so many hours, from `first` on."""
    rows = Tally.objects.filter(
        model=model._meta.label_lower, status__in=(model.states.waiting, model.states.active)
    ).order_by()
    total = rows.filter(hour__lt=first).aggregate(all=models.Sum("count"))["all"] or 0
    inside = rows.filter(hour__gte=first).annotate(place=throughput.PlaceOf("hour", first, hours))
    changes = dict(inside.values_list("place").annotate(models.Sum("count")))
    found = []
    for place in range(count):
        total += changes.get(place, 0)
        found.append(max(total, 0))
    return found


# ---------------------------------------------------------------- keeping them


def install(sender: AppConfig, **_: Any) -> None:
    """After the tables were made or changed (SQLite loses triggers then): triggers, and a fresh count."""
    tables = set(connection.introspection.table_names())
    if Tally._meta.db_table not in tables:
        return
    for model in tallied_models(sender):
        if model._meta.db_table in tables and _columns_are_there(model):
            with transaction.atomic(), connection.cursor() as cursor:
                for statement in _triggers(model):
                    cursor.execute(statement)
            recount(model)
            throughput.fill(model)


def recount(model: type[TrackedJob]) -> None:
    """Count the table anew; nobody writes it meanwhile."""
    table = connection.ops.quote_name(model._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
        Tally.objects.filter(model=model._meta.label_lower).delete()
        listed = model._base_manager.filter(**({"cleared_at": None} if _is_clearable(model) else {}))
        rows = listed.order_by().values_list("status").annotate(models.Count("pk"))
        long_ago = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
        Tally.objects.bulk_create(
            [
                Tally(model=model._meta.label_lower, status=status, hour=long_ago, count=count)
                for status, count in rows
            ]
        )


def merge(now: datetime) -> None:
    """One row per state and hour; what is older than `KEPT` becomes one row per state.

    Two that merge at once take different rows: what one has deleted the other does not see.
    """
    oldest, lately = [
        (now - age).replace(minute=0, second=0, microsecond=0) for age in (KEPT, timedelta(hours=48))
    ]
    open_ = models.Q(hour__lt=oldest) | models.Q(hour__gte=lately)
    keys = Tally.objects.filter(hour__gte=lately).order_by().values("model", "status", "hour")
    is_doubled = keys.annotate(rows=models.Count("pk")).filter(rows__gt=1).exists()
    if not is_doubled and not Tally.objects.filter(hour__lt=oldest).exists():
        return
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "WITH gone AS (DELETE FROM jobs_tally WHERE hour < %s OR hour >= %s "
                "RETURNING model, status, hour, count) "
                "INSERT INTO jobs_tally (model, status, hour, count) "
                "SELECT model, status, greatest(hour, %s), sum(count) FROM gone GROUP BY 1, 2, 3 "
                "HAVING sum(count) <> 0",
                [oldest, lately, oldest],
            )
            return
        sums: defaultdict[tuple[str, str, datetime], int] = defaultdict(int)
        for model, status, hour, count in Tally.objects.filter(open_).values_list(
            "model", "status", "hour", "count"
        ):
            sums[model, status, max(hour, oldest)] += count
        Tally.objects.filter(open_).delete()
        Tally.objects.bulk_create(
            [
                Tally(model=model, status=status, hour=hour, count=count)
                for (model, status, hour), count in sums.items()
                if count
            ]
        )


def _is_clearable(model: type[TrackedJob]) -> bool:
    return any(field.name == "cleared_at" for field in model._meta.concrete_fields)


def _columns_are_there(model: type[TrackedJob]) -> bool:
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, model._meta.db_table)
    return not _is_clearable(model) or any(column.name == "cleared_at" for column in described)


def _triggers(model: type[TrackedJob]) -> list[str]:
    """The statements that make the database count; names and labels are our own."""
    table, label = model._meta.db_table, model._meta.label_lower
    is_clearable = _is_clearable(model)
    if connection.vendor == "postgresql":
        return _postgres_triggers(table, label, is_clearable=is_clearable)
    return _sqlite_triggers(table, label, is_clearable=is_clearable)


def _postgres_triggers(table: str, label: str, *, is_clearable: bool) -> list[str]:
    # Whole statements at once, but for updates: their condition keeps the many writes of progress out of it.
    listed = "WHERE cleared_at IS NULL" if is_clearable else ""
    hour = "date_trunc('hour', statement_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
    into = "INSERT INTO jobs_tally (model, status, hour, count)"
    old, new = ("OLD.cleared_at IS NULL", "NEW.cleared_at IS NULL") if is_clearable else ("true", "true")
    changed = "OLD.status IS DISTINCT FROM NEW.status" + (
        " OR (OLD.cleared_at IS NULL) <> (NEW.cleared_at IS NULL)" if is_clearable else ""
    )
    return [
        f"""CREATE OR REPLACE FUNCTION {table}_tally() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP = 'INSERT' THEN
            {into} SELECT '{label}', status, {hour}, count(*) FROM changed {listed} GROUP BY status;
          ELSIF TG_OP = 'DELETE' THEN
            {into} SELECT '{label}', status, {hour}, -count(*) FROM changed {listed} GROUP BY status;
          ELSE
            {into} SELECT '{label}', OLD.status, {hour}, -1 WHERE {old};
            {into} SELECT '{label}', NEW.status, {hour}, 1 WHERE {new};
          END IF;
          RETURN NULL;
        END $$""",  # noqa: S608 - names and labels of our own
        f"""CREATE OR REPLACE TRIGGER {table}_tally_insert AFTER INSERT ON {table}
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {table}_tally()""",
        f"""CREATE OR REPLACE TRIGGER {table}_tally_delete AFTER DELETE ON {table}
        REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {table}_tally()""",
        f"""CREATE OR REPLACE TRIGGER {table}_tally_update AFTER UPDATE ON {table}
        FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {table}_tally()""",
    ]  # fmt: skip


def _sqlite_triggers(table: str, label: str, *, is_clearable: bool) -> list[str]:
    hour = "strftime('%Y-%m-%d %H:00:00', 'now')"

    def change(row: str, by: int) -> str:
        where = f"WHERE {row}.cleared_at IS NULL" if is_clearable else ""
        return (
            "INSERT INTO jobs_tally (model, status, hour, count) "
            f"SELECT '{label}', {row}.status, {hour}, {by} {where};"
        )

    changed = "OLD.status IS NOT NEW.status" + (
        " OR (OLD.cleared_at IS NULL) <> (NEW.cleared_at IS NULL)" if is_clearable else ""
    )
    columns = "status, cleared_at" if is_clearable else "status"
    bodies = {
        "insert": ("INSERT", "", change("NEW", 1)),
        "delete": ("DELETE", "", change("OLD", -1)),
        "update": (f"UPDATE OF {columns}", f"WHEN {changed}", change("OLD", -1) + change("NEW", 1)),
    }
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_tally_{name} AFTER {event} ON {table} "
        f"FOR EACH ROW {when} BEGIN {body} END"
        for name, (event, when, body) in bodies.items()
    ]
