"""Mistakes of a deployment, found by `manage.py check --deploy`."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connection


@register(Tags.security, deploy=True)
def check_secret_key_is_shared(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """With PostgreSQL several machines may share secrets: all must encrypt them under one key."""
    if connection.vendor == "sqlite" or os.environ.get("SECRET_KEY"):
        return []
    return [
        Warning(
            "SECRET_KEY is kept in a file of this machine.",
            hint="Set SECRET_KEY in the environment of every machine; else another one cannot read the "
            "destinations' secrets.",
            id="slotcast.W001",
        )
    ]


@register(Tags.security, deploy=True)
def check_demo_is_off(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """The demo hurries and speaks to a stand-in."""
    if not settings.DEMO:
        return []
    return [Warning("DEMO is on.", hint="Set DEMO=0.", id="slotcast.W002")]


@register(Tags.security, deploy=True)
def check_policy_is_sent(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Pages carry a Content-Security-Policy that lets in nothing from elsewhere."""
    directives = getattr(settings, "CONTENT_SECURITY_POLICY", {}).get("DIRECTIVES", {})
    has_middleware = "csp.middleware.CSPMiddleware" in settings.MIDDLEWARE
    if has_middleware and directives.get("default-src") == ["'self'"]:
        return []
    return [
        Warning(
            "Pages are sent without the Content-Security-Policy.",
            hint="Keep csp.middleware.CSPMiddleware and default-src 'self'.",
            id="slotcast.W003",
        )
    ]
