from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib import admin
from django.db.models.signals import post_migrate

# They serve no pages: without the admin they start in half the time and hold a third less memory.
WITHOUT_PAGES = {"supervisor", "worker", "ticker"}


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Slotcast"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - they register themselves

        # Sent per app with tables, in order: after the last of ours all permissions are there.
        post_migrate.connect(prepare_installation, sender=apps.get_app_config("schedules"))
        if settings.PROCESS not in WITHOUT_PAGES:
            admin.autodiscover()


def prepare_installation(sender: AppConfig, **_: Any) -> None:
    """After the tables: the groups of people, and the destinations that the environment describes."""
    from django.conf import settings
    from django.utils import timezone

    from config.roles import ensure_groups
    from uploader.default_destinations import ensure_default, ensure_onlysocial, ensure_storage

    ensure_groups()
    ensure_default(timezone.now())
    ensure_onlysocial(timezone.now())
    if settings.STORAGE["is_chosen"]:
        ensure_storage(timezone.now())
