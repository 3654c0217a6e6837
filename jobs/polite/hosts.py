"""What all workers know of a site they ask: when it may be asked again, and its robots.txt."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models


class FetchHost(models.Model):
    """A site, `https://example.com:443`, and the next moment at which anybody here may ask it for something."""

    origin = models.CharField(primary_key=True, max_length=300)
    next_at = models.DateTimeField()
    robots = models.TextField(blank=True)
    robots_at = models.DateTimeField(null=True)  # none: not asked for yet

    class Meta:
        ordering = ("origin",)

    def __str__(self) -> str:
        return self.origin


def reserve(origin: str, *, delay: timedelta, now: datetime, most: timedelta) -> datetime:
    """The moment at which the caller may ask `origin`; whoever comes next gets one at least `delay` later.

    Moments more than `most` ahead are told and not reserved. One row for all processes and machines, moved by
    compare-and-set.
    """
    while True:
        row, _ = FetchHost.objects.get_or_create(origin=origin, defaults={"next_at": now})
        moment = max(row.next_at, now)
        if moment - now > most:
            return moment
        mine = FetchHost.objects.filter(origin=origin, next_at=row.next_at)
        if mine.update(next_at=moment + delay) == 1:
            return moment


def push_back(origin: str, *, until: datetime) -> None:
    """Let nobody here ask `origin` before `until`."""
    FetchHost.objects.filter(origin=origin, next_at__lt=until).update(next_at=until)


def robots_of(origin: str, *, now: datetime, fresh_for: timedelta) -> str | None:
    """The site's robots.txt as it was read within `fresh_for`; None: it has to be asked for."""
    found = FetchHost.objects.filter(origin=origin, robots_at__gt=now - fresh_for)
    return found.values_list("robots", flat=True).first()


def keep_robots(origin: str, text: str, *, now: datetime) -> None:
    FetchHost.objects.filter(origin=origin).update(robots=text.replace("\0", ""), robots_at=now)
