"""What tests of admin pages share: people with exactly some permissions, actions, and what was reported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse

BACKEND = "django.contrib.auth.backends.ModelBackend"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


def root(name: str = "root") -> Client:
    return signed_in(User.objects.create_superuser(name))


def staff_with(name: str, *, apps: Iterable[str], verbs: Iterable[str]) -> Client:
    """Somebody of the staff with these permissions on every model of these apps."""
    user = User.objects.create_user(name, is_staff=True)
    allowed = Permission.objects.filter(content_type__app_label__in=list(apps))
    user.user_permissions.set([p for p in allowed if p.codename.split("_")[0] in verbs])
    return signed_in(user)


def address(model: type[Model] | Model, page: str, *arguments: object) -> str:
    opts = model._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=arguments)


def act(client: Client, model: type[Model], action: str, rows: Iterable[Model], **more: Any) -> str:
    """Run a list action on rows; what it reported."""
    chosen = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return said(client.post(address(model, "changelist"), chosen))


def press(client: Client, row: Model, button: str, **more: Any) -> str:
    """Press a button of the row's page and confirm; what it reported."""
    return said(client.post(address(row, button, row.pk), {"_form_submitted": "True", **more}))


def said(answer: Any) -> str:
    """What this one answer reported, not what earlier ones left unread."""
    return " ".join(str(message) for message in get_messages(answer.wsgi_request)._queued_messages)


def pages_of(model: type[Model], *rows: Model) -> list[str]:
    """Every page of a model and its rows that opens by GET."""
    found = [address(model, "changelist"), address(model, "add")]
    for row in rows:
        found += [address(row, name, row.pk) for name in ("change", "history", "delete")]
    return found
