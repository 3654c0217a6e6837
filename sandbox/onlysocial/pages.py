"""Lists, twenty to a page, as Laravel pages them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from aiohttp import web

PER_PAGE = 20

T = TypeVar("T")


def page_of(request: web.Request, rows: Sequence[T], answer: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    asked = request.query.get("page", "1")
    page = max(int(asked), 1) if asked.isdecimal() else 1
    first = (page - 1) * PER_PAGE
    shown = rows[first : first + PER_PAGE]
    last = max(-(-len(rows) // PER_PAGE), 1)

    def link(number: int) -> str | None:
        return f"{request.path}?page={number}" if 1 <= number <= last else None

    return {
        "data": [answer(row) for row in shown],
        "links": {"first": link(1), "last": link(last), "prev": link(page - 1), "next": link(page + 1)},
        "meta": {
            "current_page": page,
            "from": first + 1 if shown else None,
            "last_page": last,
            "per_page": PER_PAGE,
            "to": first + len(shown) if shown else None,
            "total": len(rows),
        },
    }
