"""One process that claims videos as fast as it can: a hand of the benchmark `claims`.

python -m bench.claimer NUMBER    for each line it reads, “ours”, “begun” or “bare”, claims until nothing is left
                                  and answers with one line of JSON: [how many, when it began, when it ended]
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator

import django

AT_ONCE = 100
BARE = (
    "UPDATE bench_bare_line SET status = 'pending' WHERE id = (SELECT id FROM bench_bare_line "
    "WHERE status = 'initiate' ORDER BY position FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id"
)


def ours(number: int) -> int:
    """Claim from the windows that are open, each time from one that nobody else is at."""
    from django.db import transaction
    from django.utils import timezone

    from schedules.slot_videos import SlotVideo
    from schedules.upload_slots import UploadSlot

    now = timezone.now()
    count = 0
    while UploadSlot.objects.open(now).with_room().exists():
        with patiently(), transaction.atomic():
            free = UploadSlot.objects.open(now).with_room().order_by("pk")
            slot = free.select_for_update(skip_locked=True, of=("self",)).first()
            if slot is not None:
                count += len(SlotVideo.objects.claim(slot, limit=AT_ONCE, now=now))
    return count


def begun(number: int) -> int:
    """The whole way of the clock: claim, and make each video's upload job."""
    from django.utils import timezone

    from schedules import slot_clock
    from schedules.upload_slots import UploadSlot

    now = timezone.now()
    slots = {slot.pk: slot for slot in UploadSlot.objects.open(now)}
    count = 0
    while left := windows_left(sorted(slots), number, now):
        for key in left:
            with patiently():
                count += len(slot_clock.fill(slots[key], now=now))
    return count


@contextlib.contextmanager
def patiently() -> Iterator[None]:
    """Who was kept out for too long comes to it again, as the ticker does: SQLite lets one write, in no order."""
    from django.db import OperationalError

    with contextlib.suppress(OperationalError):
        yield


def windows_left(keys: list, number: int, now: object) -> list:
    from schedules.upload_slots import UploadSlot

    left = set(UploadSlot.objects.open(now).with_room().values_list("pk", flat=True))
    offset = number * len(keys) // 16
    return [key for key in keys[offset:] + keys[:offset] if key in left]


def bare(number: int) -> int:
    from django.db import connection

    connection.ensure_connection()
    own = connection.connection
    own.prepare_threshold = 0
    count = 0
    while own.execute(BARE).fetchone():
        count += 1
    return count


def main(number: int) -> None:
    django.setup()
    from schedules.upload_slots import UploadSlot

    UploadSlot.objects.exists()
    print("ready", flush=True)
    for line in sys.stdin:
        began = time.time()
        count = {"ours": ours, "begun": begun, "bare": bare}[line.strip()](number)
        print(json.dumps([count, began, time.time()]), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
