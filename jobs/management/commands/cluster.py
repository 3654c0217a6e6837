"""`manage.py cluster`: the processes of one lane; started by `manage.py worker`, which names the lane."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Serve the lane named by Q_CLUSTER_NAME. Use `worker` instead: it restarts what dies."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        if os.environ.get("Q_CLUSTER_NAME") not in settings.LANES:
            raise CommandError("Q_CLUSTER_NAME names no lane. Start the worker instead: manage.py worker")
        from jobs.cluster import serve

        sys.exit(serve())
