"""The accounts of the form that makes posts, each with its caption and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from schedules.boards import whole
from schedules.posts.page.cards import AccountCard
from schedules.posts.page.form_typed import Typed
from uploader.social_accounts import SocialAccount


@dataclass(frozen=True)
class AccountRow:
    card: AccountCard
    is_chosen: bool
    caption: str
    why_not: str
    # What its destination says against any post now, which may be over by the post's moment.
    held: str = ""


class Accounts(Typed):
    """The accounts among what was typed."""

    @cached_property
    def accounts(self) -> list[AccountRow]:
        chosen = {whole(value) for value in self.data.getlist("account")}
        rows = SocialAccount.objects.filter(gone_at=None).select_related("destination")
        return [
            AccountRow(
                AccountCard(each), each.pk in chosen, self.text(f"caption-{each.pk}"), each.why_not,
                each.destination.why_not_now(self.now),
            )
            for each in rows.order_by("name", "provider", "pk")
        ]  # fmt: skip

    @property
    def account_rows(self) -> list[tuple[AccountRow, list[str], list[str]]]:
        """(account, what is wrong with it, what is wrong with its caption)"""
        wrong = self.errors
        return [
            (
                row,
                wrong.get(f"account-{row.card.account.pk}", []),
                wrong.get(f"caption-{row.card.account.pk}", []),
            )
            for row in self.accounts
        ]

    @property
    def chosen(self) -> list[AccountRow]:
        return [row for row in self.accounts if row.is_chosen]

    def caption_of(self, row: AccountRow) -> str:
        return row.caption if row.caption.strip() else self.caption
