"""Refusals as Laravel and the proxy in front of it word them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

HTML = "<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
PROXY_TITLES = {413: "413 Request Entity Too Large", 502: "502 Bad Gateway", 504: "504 Gateway Time-out"}
MESSAGES = {
    401: "Unauthenticated.",
    403: "Access forbidden.",
    404: "Not found.",
    405: "The method is not supported for this route.",
    429: "Too Many Attempts.",
    503: "Service Unavailable",
}


class Refusal(Exception):
    """A request the platform does not serve."""

    status = 400

    def __init__(self, message: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message or MESSAGES.get(self.status, "Server Error")
        self.headers = dict(headers or {})

    def body(self) -> object:
        return {"message": self.message}

    def response(self) -> web.Response:
        return web.json_response(self.body(), status=self.status, headers=self.headers)


class Unauthenticated(Refusal):
    status = 401


class NotFound(Refusal):
    status = 404


class WrongMethod(Refusal):
    status = 405


class TooMany(Refusal):
    status = 429


class Invalid(Refusal):
    """What validation found: a field, dotted, and its messages."""

    status = 422

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {name: list(messages) for name, messages in errors.items()}
        sentences = [sentence for messages in self.errors.values() for sentence in messages]
        more = len(sentences) - 1
        rest = f" (and {more} more error{'s' if more > 1 else ''})" if more else ""
        super().__init__(sentences[0] + rest)

    def body(self) -> object:
        return {"message": self.message, "errors": self.errors}


class TooLarge(Refusal):
    """Said by the proxy: a page, no JSON."""

    status = 413

    def response(self) -> web.Response:
        return page(413)


class Redirected(Refusal):
    """Somewhere else, over plain http, as a server behind a proxy believes it is spoken to."""

    def __init__(self, status: int, location: str) -> None:
        super().__init__(location)
        self.status = status

    def response(self) -> web.Response:
        text = f'<html><body>Redirecting to <a href="{self.message}">{self.message}</a>.</body></html>'
        headers = {"Location": self.message}
        return web.Response(status=self.status, text=text, content_type="text/html", headers=headers)


def page(status: int) -> web.Response:
    title = PROXY_TITLES.get(status, f"{status} Error")
    return web.Response(status=status, text=HTML.format(title=title), content_type="text/html")


def default_body(status: int) -> Any:
    """What a fault of this status answers when its rule gives no body."""
    if status in PROXY_TITLES:
        return HTML.format(title=PROXY_TITLES[status])
    return {"message": MESSAGES.get(status, "Server Error")}
