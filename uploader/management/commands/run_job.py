from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from jobs import runner
from jobs.running import new_token
from jobs.workers import process_id
from uploader.upload_jobs import UploadJob


class Command(BaseCommand):
    help = "Run one waiting upload job here and now, in the foreground."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job_id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        job = UploadJob.objects.filter(pk=options["job_id"]).first()
        if job is None:
            raise CommandError(f"There is no upload job {options['job_id']}.")
        claimed = UploadJob.objects.filter(pk=job.pk).claim(new_token(process_id()), now=now)
        if not claimed:
            raise CommandError(
                f"{job} cannot be claimed: it is {job.status}, due {job.not_before_at:%Y-%m-%d %H:%M:%S}."
            )
        runner.execute(claimed[0])
        job.refresh_from_db()
        message = f": {job.error_message}" if job.error_message else ""
        self.stdout.write(f"{job} is {job.status}{message}")
        self.stdout.write(str(job.pk))
