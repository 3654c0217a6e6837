"""What people decide about a row on its page, and about many chosen in the list: one offer serves both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant

from jobs.errors import LostRace, Refusal
from jobs.reports import Report
from jobs.staff_pages import ReadOnlyAdmin, go_to, page_of

# More rows than this are not decided about in one request.
MOST_AT_ONCE = 1000

# Takes the row, who decides and when; says in a word or two what was done, or raises Refusal or LostRace.
Decision = Callable[[Any, str, datetime], str]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One decision: its button on the page of a row it fits, and its action in the list."""

    # Stands in the button's address.
    name: str
    # The name of the list's action; empty: decided one by one only.
    chosen: str = ""
    label: str
    chosen_label: str = ""
    icon: str
    # What is asked before it is done.
    question: str
    meaning: str
    answer: str
    decision: Decision
    fits: Callable[[Any], bool]
    variant: ActionVariant = ActionVariant.DEFAULT
    permission: str = "act"

    def on_its_page(self) -> Callable[..., HttpResponse]:
        def button(page: DecidingAdmin, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
            row = page.found(request, object_id)
            decide(request, [row], self.decision)
            return go_to(request, page.after_deciding(row))

        button.__name__ = self.name
        return action(
            description=self.label,
            permissions=[self.permission],
            icon=self.icon,
            variant=self.variant,
            dialog={"title": self.question, "description": self.meaning, "form_submit_text": self.answer},
        )(button)

    def in_the_list(self) -> Callable[..., None]:
        def choice(page: DecidingAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> None:
            decide(request, page.in_order(queryset), self.decision)

        choice.__name__ = self.chosen
        return admin.action(description=self.chosen_label or self.label, permissions=[self.permission])(
            choice
        )


# What the offers of most rows have in common.
retrying = partial(
    Offer,
    chosen="retry_chosen",
    label="Retry",
    answer="Retry",
    icon="replay",
    variant=ActionVariant.PRIMARY,
    fits=attrgetter("can_retry"),
)
cancelling = partial(
    Offer,
    chosen="cancel_chosen",
    label="Cancel",
    icon="cancel",
    variant=ActionVariant.DANGER,
    fits=attrgetter("can_cancel"),
)


class DecidingAdmin(ReadOnlyAdmin):
    """Rows that the product writes and people decide about, by the `offers` of the page."""

    offers: tuple[Offer, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        in_list = [offer for offer in cls.offers if offer.chosen]
        for offer in cls.offers:
            setattr(cls, offer.name, offer.on_its_page())
        for offer in in_list:
            setattr(cls, offer.chosen, offer.in_the_list())
        cls.actions_detail = tuple(offer.name for offer in cls.offers)
        cls.actions = tuple(offer.chosen for offer in in_list)

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        row = self.get_object(request, str(object_id))
        return self.offered(
            request, object_id, {offer.name for offer in self.offers if row is None or not offer.fits(row)}
        )

    def in_order(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The chosen rows in the order they are decided about, with what a decision needs of them."""
        return queryset.order_by("pk")

    def after_deciding(self, row: Model) -> str:
        """Where to go from a row's page: a decision may have taken the row away."""
        if self.model._base_manager.filter(pk=row.pk).exists():
            return page_of(row)
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


def decide(request: HttpRequest, rows: Iterable[Any], decision: Decision) -> None:
    """Decide the same about each row; report for how many it was done, and why not for the others."""
    report = Report()
    if isinstance(rows, QuerySet):
        report.leave(max(rows.count() - MOST_AT_ONCE, 0))
        rows = list(rows[:MOST_AT_ONCE])
    for row in rows:
        try:
            report.count(decision(row, request.user.get_username(), timezone.now()))
        except (Refusal, LostRace) as refusal:
            report.refuse(refusal)
    report.tell(request)
