"""The times of the form that makes posts: its moment on the wall clock of a zone, and its windows."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from schedules.posts import scheduling
from schedules.posts.page import zones
from schedules.posts.page.form_typed import Typed
from schedules.posts.scheduling import Spread
from schedules.posts.spreading import BadWindow, Window


class Times(Typed):
    """The times among what was typed."""

    @cached_property
    def zone(self) -> ZoneInfo:
        try:
            return zones.named(self.zone_name)
        except zones.BadTime as error:
            self.wrong("in", str(error))
            return self.viewer

    @cached_property
    def wall(self) -> zones.Wall | None:
        """The moment of the form; None: there is none, or none that can be read."""
        return self.wall_of(self.at, "at")

    def wall_of(self, text: str, name: str) -> zones.Wall | None:
        zone = self.zone
        if not text.strip() or "in" in self.errors:
            return None
        try:
            return zones.resolve(text, zone, is_second=self.is_second)
        except zones.BadTime as error:
            self.wrong(name, str(error))
            return None

    @property
    def moment_shown(self) -> list[tuple[str, str]]:
        """The moment in UTC and on the viewer's clock."""
        if self.wall is None:
            return []
        found = {"UTC": zones.spoken(self.wall.at, zones.named("UTC"))}
        if self.viewer.key not in ("UTC", self.zone.key):
            found[zones.shown(self.viewer)] = zones.spoken(self.wall.at, self.viewer)
        return list(found.items())

    def check_moment(self, wall: zones.Wall, name: str) -> None:
        if wall.at < self.now - scheduling.JUST_NOW:
            self.wrong(name, f"{zones.spoken(wall.at, self.viewer)} is in the past. Choose a later time.")
        elif wall.at > self.now + scheduling.FARTHEST:
            self.wrong(name, f"{zones.spoken(wall.at, self.viewer)} is more than two years ahead.")

    def parsed_windows(self) -> tuple[Window, ...]:
        try:
            found = tuple(
                Window.parse(each) for each in self.windows.replace(";", ",").split(",") if each.strip()
            )
        except BadWindow as error:
            self.wrong("windows", str(error))
            return ()
        if not found:
            self.wrong("windows", "Give at least one window of the day, such as 09:00-12:00.")
        return found

    def window_spread(self) -> Spread | None:
        windows, gap = self.parsed_windows(), self.number("gap", self.gap, least=1, most=24 * 60)
        zone = self.zone
        if not windows or gap is None or "in" in self.errors:
            return None
        return Spread(
            mode="windows", windows=windows, gap=timedelta(minutes=gap), zone=zone,
            start=self.wall.at if self.wall else None,
        )  # fmt: skip
