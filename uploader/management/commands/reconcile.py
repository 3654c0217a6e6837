from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from uploader import deciding
from uploader.upload_jobs import UploadJob


class Command(BaseCommand):
    help = (
        "Have every failed or cancelled upload whose creation was asked for but never confirmed look at the "
        "platform again. Prints how many were queued."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        count = 0
        unknown = UploadJob.objects.filter(
            status__in=("failed", "cancelled"), create_intended_at__isnull=False, remote_id=""
        )
        for job in unknown.select_related("destination"):
            try:
                deciding.retry(job, who="reconcile", now=now, attempts=1)
            except deciding.Refused as refusal:
                self.stdout.write(f"{job}: left as it is, {refusal}")
                continue
            self.stdout.write(f"{job}: asks {job.destination} again")
            count += 1
        self.stdout.write(str(count))
