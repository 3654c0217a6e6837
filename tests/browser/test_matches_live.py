"""The review of matches in a real browser: live, by keyboard, at once for the likely ones, on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from jobs.pipeline.subjects import Work
from uploader.catalog import Series
from uploader.pipeline.matches import Match

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SignIn = Callable[..., BrowserContext]


def proposal(title: str, score: float) -> Match:
    return Match.objects.create(
        work=Work.objects.create(title=title),
        series=Series.objects.create(title=f"The {title}"),
        score=score,
        reasons=[f"titles {score:.0f} % alike"],
    )


def open_live(page: Page) -> None:
    page.goto("/pipeline/matches/")
    expect(page.locator("#sc-live")).to_have_attribute("data-state", "live", timeout=30_000)


def test_a_decision_is_seen_live_by_somebody_else(
    server: str, signed_in: SignIn, operator: User, viewer: User
) -> None:
    match = proposal("Harbour", 95)
    watching = signed_in(viewer).new_page()
    open_live(watching)
    expect(watching.locator(f"#match-{match.pk}")).to_contain_text("Harbour → The Harbour")
    expect(watching.get_by_role("button", name="Accept")).to_have_count(0)
    page = signed_in(operator).new_page()
    open_live(page)
    page.locator(f"#accept-{match.pk}").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".sc-toast")).to_contain_text("accepted", timeout=30_000)
    expect(watching.locator(f"#match-{match.pk}")).to_have_count(0, timeout=30_000)
    expect(watching.locator("#part-matches")).to_contain_text("All decided")
    assert Match.objects.get(pk=match.pk).decided_by == operator.username


def test_the_likely_ones_are_accepted_after_a_question(
    server: str, signed_in: SignIn, operator: User
) -> None:
    likely, doubtful = proposal("Harbour", 95), proposal("Tide", 70)
    page = signed_in(operator).new_page()
    open_live(page)
    page.locator("#accept-sure").click()
    expect(page.locator("#mt-sure")).to_be_visible()
    assert Match.objects.get(pk=likely.pk).status == "proposed", "nothing without the answer"
    page.locator("#accept-sure-yes").click()
    expect(page.locator(f"#match-{likely.pk}")).to_have_count(0, timeout=30_000)
    expect(page.locator(f"#match-{doubtful.pk}")).to_be_visible()


def test_on_a_phone_nothing_is_wider_than_it(server: str, signed_in: SignIn, operator: User) -> None:
    match = proposal("A very long title of a work that goes on and on and does not end for quite a while", 88)
    match.accept(who="somebody with a name", now=timezone.now())
    proposal("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung", 75)
    page = signed_in(operator, width=390, height=844).new_page()
    for query in ("", "?status=accepted", "?status=rejected", "?q=nothing"):
        page.goto(f"/pipeline/matches/{query}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
