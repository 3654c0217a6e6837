"""The first login of an installation."""

from __future__ import annotations

import os
import secrets

from django.conf import settings
from django.contrib.auth import get_user_model

USERNAME = "admin"
ELSEWHERE = "(the one you chose)"


def ensure_first_login() -> tuple[str, str]:
    """Make a superuser when there is none, and keep its first password in var/first_login for the owner to read.

    Returns (user name, password); the password is not known any more once it was changed or the file removed.
    """
    kept = settings.VAR_DIR / "first_login"
    users = get_user_model().objects.filter(is_superuser=True, is_active=True)
    if not users.exists():
        password = secrets.token_urlsafe(9)
        get_user_model().objects.create_superuser(USERNAME, password=password)
        with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(password)
        return USERNAME, password
    user = users.order_by("pk")[0]
    if kept.exists() and user.check_password(kept.read_text()):
        return user.get_username(), kept.read_text()
    kept.unlink(missing_ok=True)
    return user.get_username(), ELSEWHERE
