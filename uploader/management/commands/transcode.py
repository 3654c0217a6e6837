import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from jobs import runner
from jobs.lifecycle import Status
from jobs.running import new_token
from jobs.workers import process_id
from uploader.catalog import Episode, Film
from uploader.deciding import Refused
from uploader.transcoding import deciding
from uploader.transcoding.transcode_jobs import TranscodeJob

MODELS: dict[str, type[Episode] | type[Film]] = {"film": Film, "episode": Episode}


# How often a job that another worker does is looked at.
LOOK_SECONDS = 0.2


class Command(BaseCommand):
    help = (
        "Make a film or an episode into an HLS package. A worker does it; with --wait it is done here, "
        "helped by the workers that run. The last line is the job's id."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=MODELS)
        parser.add_argument("video_id", type=int, metavar="ID")
        parser.add_argument("--wait", action="store_true", help="return when the package is there")
        parser.add_argument("--json", action="store_true", help="print the outcome as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        kind = options["kind"]
        video = MODELS[kind]._default_manager.filter(pk=options["video_id"]).first()
        if video is None:
            raise CommandError(f"There is no {kind} {options['video_id']}.")
        now = timezone.now()
        try:
            job = deciding.start(video, now=now)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["wait"]:
            self.wait(job)
        if options["json"]:
            self.stdout.write(json.dumps(described(job)))
            return
        self.stdout.write(f"{job} is {job.status}.")
        if job.package_root:
            self.stdout.write(str(job.package_root))
        self.stdout.write(str(job.pk))

    def wait(self, job: TranscodeJob) -> None:
        """Do the job here, or see it done by the worker that was quicker. Raises CommandError: it failed."""
        try:
            while not job.is_finished:
                for claimed in TranscodeJob.objects.filter(pk=job.pk).claim(
                    new_token(process_id()), now=timezone.now()
                ):
                    runner.execute(claimed)
                time.sleep(LOOK_SECONDS)
                job.refresh_from_db()
        except KeyboardInterrupt as interrupt:
            deciding.cancel(job, who="transcode --wait", now=timezone.now())
            raise CommandError("Cancelled.") from interrupt
        if job.status != Status.COMPLETED:
            raise CommandError(f"{job} is {job.status}: {job.error_message}")


def described(job: TranscodeJob) -> dict[str, Any]:
    return {
        "id": job.pk,
        "jobId": job.job_id,
        "status": job.status,
        "labels": job.labels,
        "package": str(job.package_root) if job.package_root else None,
        "bytes": job.package_bytes,
        "files": job.package_files,
        "error": job.error_message,
    }
