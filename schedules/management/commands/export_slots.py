from typing import Any

from django.core.management.base import BaseCommand

from schedules.slot_exchange import SlotResource, as_json
from schedules.upload_slots import UploadSlot


class Command(BaseCommand):
    help = "Print every weekly window as JSON, in the form `import_slots` takes."

    def handle(self, *args: Any, **options: Any) -> None:
        slots = UploadSlot.objects.select_related("user", "destination").order_by("created_at", "id")
        self.stdout.write(as_json(SlotResource().export(slots)))
