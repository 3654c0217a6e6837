import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from jobs import supervisor, ticker


class Command(BaseCommand):
    help = "Do once a second what is due (started by the worker command)."

    def handle(self, *args: Any, **options: Any) -> None:
        supervisor.die_with()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        ticker.run(stop)
