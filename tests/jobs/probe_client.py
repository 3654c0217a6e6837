"""A process beside the worker under test, on the same database; it answers line by line."""

import json
import os
import sys
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def answer(verb: str, *args: Any) -> Any:
    from django.core.management import call_command
    from django.utils import timezone
    from django_q.tasks import async_task

    from jobs import workers

    match verb:
        case "migrate":
            call_command("migrate", verbosity=0, skip_checks=True)
        case "queue":
            lane, task, *rest = args
            async_task(f"tests.jobs.probe_tasks.{task}", *rest, cluster=lane)
        case "rows":
            return list(workers.alive(timezone.now()).filter(lane=args[0]).values_list("id", "pid"))
    return None


def main() -> None:
    import django

    django.setup()
    for line in sys.stdin:
        print(json.dumps(answer(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
