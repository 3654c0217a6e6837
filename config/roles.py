"""The groups of people: who may look, who may touch."""

from django.contrib.auth.models import Group, Permission

APPS = ("jobs", "uploader", "schedules")


def ensure_groups() -> None:
    """Make “Viewers” and “Operators” and give them their permissions; what else they hold stays."""
    ours = Permission.objects.filter(content_type__app_label__in=APPS)
    viewers, _ = Group.objects.get_or_create(name="Viewers")
    viewers.permissions.add(*ours.filter(codename__startswith="view_"))
    operators, _ = Group.objects.get_or_create(name="Operators")
    operators.permissions.add(*ours)
