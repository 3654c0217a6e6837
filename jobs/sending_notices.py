"""The door to apprise: addresses of a hundred services, checked, sent to, and never told to anybody."""

from __future__ import annotations

import logging
import re
from typing import Literal
from urllib.parse import unquote

import apprise

Tone = Literal["info", "success", "warning", "failure"]
TONES = {
    "info": apprise.NotifyType.INFO,
    "success": apprise.NotifyType.SUCCESS,
    "warning": apprise.NotifyType.WARNING,
    "failure": apprise.NotifyType.FAILURE,
}
# Services that do something on this machine instead of telling somebody elsewhere.
LOCAL = {"syslog", "dbus", "kde", "qt", "glib", "gnome", "macosx", "windows", "growl"}
# A whole message may take so long.
SECONDS = 60


class NotAnAddress(ValueError):
    """The address is none that messages can be sent to."""


class NotSent(Exception):
    """The message could not be sent; the reason names no secret."""


def checked(address: str) -> apprise.NotifyBase:
    """The service of an address. Raises NotAnAddress."""
    scheme = address.strip().partition("://")[0].lower()
    if scheme in LOCAL:
        raise NotAnAddress("This would stay on the server itself. Give the address of a service elsewhere.")
    service = apprise.Apprise.instantiate(address.strip(), suppress_exceptions=True)
    if not isinstance(service, apprise.NotifyBase):
        raise NotAnAddress(
            "No service is known by this address. Examples: mailto://user:password@example.org, "
            "slack://TokenA/TokenB/TokenC/#channel, discord://id/token."
        )
    return service


def service_of(address: str) -> str:
    """What stands behind an address: “Slack”, “E-Mail”; nothing of the address itself."""
    try:
        return str(checked(address).service_name)
    except NotAnAddress:
        return "unreadable"


def send(address: str, *, title: str, body: str, tone: Tone = "info") -> None:
    """Send one message. Raises NotSent."""
    try:
        service = checked(address)
    except NotAnAddress as error:
        raise NotSent("Its address cannot be read, or is none. Enter it again.") from error
    messenger = apprise.Apprise()
    messenger.add(service)
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:
        is_sent = messenger.notify(
            body=body,
            title=title,
            notify_type=TONES[tone],
            body_format=apprise.NotifyFormat.TEXT,
            timeout=SECONDS,
        )
        told = said.getvalue()
    if not is_sent:
        raise NotSent(without_secrets(told, address) or "The service did not take the message.")


def without_secrets(text: str, address: str) -> str:
    """The last line of `text` without any part of the address that could be a secret."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    parts = {*re.split(r"[/:@?&=#,]+", address), *re.split(r"[/:@?&=#,]+", unquote(address))}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) > 4:
            line = line.replace(part, "…")
    return line[:400]
