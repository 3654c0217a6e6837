"""Pipeline jobs: one run of a script about a source, a work, an edition or a segment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models, transaction

from jobs.claiming import TrackedJobQuerySet, lease_index
from jobs.errors import ErrorKind, JobError, LostRace
from jobs.events import Event, job_changed
from jobs.lifecycle import States, TrackedJob
from jobs.pipeline.ids import new_id
from jobs.pipeline.subjects import Edition, Segment, Source, Work

if TYPE_CHECKING:
    from jobs.running import Run


class JobType(models.TextChoices):
    SCRAPE = "scrape", "Scrape"
    CLEAN = "clean", "Clean"
    SUMMARIZE = "summarize", "Summarize"
    ENTITIES = "entities", "Entities"
    EMBED = "embed", "Embed"
    MATCH = "match", "Match"
    SYNC_ASSETS = "sync_assets", "Sync assets"


class Status(models.TextChoices):
    QUEUED = "queued", "Queued"  # whoever runs it moves it on
    RUNNING = "running", "Running"  # somebody holds a lease on it; they or recovery move it on
    SUCCESS = "success", "Success"  # done; final
    FAILED = "failed", "Failed"  # a person may retry it
    CANCELLED = "cancelled", "Cancelled"  # a person stopped it and may retry it


class RunBy(models.TextChoices):
    WORKER = "worker", "Our workers"  # they claim it and call the handler of its type
    SCRIPT = "script", "The script itself"  # a command on a machine of ours tracks its own run
    EXTERNAL = "external", "An external script"  # it reports in over the API


FINISHED = (Status.SUCCESS, Status.FAILED, Status.CANCELLED)
LINKS = ("source", "work", "edition", "segment")


class PipelineJobQuerySet(TrackedJobQuerySet["PipelineJob"]):
    def claimable(self, now: datetime) -> Self:
        """What a worker may take: not what a script runs itself, nor what waits for other jobs."""
        return super().claimable(now).filter(run_by=RunBy.WORKER, open_needs=0)

    def stale(self, now: datetime) -> Self:
        """Running jobs without a live lease, and scripts that announced themselves and never began."""
        silent_since = now - timedelta(seconds=settings.STALE_AFTER_SECONDS)
        never_begun = models.Q(
            status=Status.QUEUED,
            run_by__in=(RunBy.SCRIPT, RunBy.EXTERNAL),
            open_needs=0,
            not_before_at__lt=silent_since,
        )
        running = models.Q(status=Status.RUNNING) & (
            models.Q(leased_until__lt=now) | models.Q(leased_until=None, started_at__lt=silent_since)
        )
        return self.filter(running | never_begun)


class PipelineJob(TrackedJob):
    """One run of a script, from its announcement to what came of it; what it was about may be deleted."""

    lane = "pipeline"
    claim_batch = 10
    states = States("queued", "running", "success", "failed", "cancelled")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    job_type = models.CharField(max_length=16, choices=JobType)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED, editable=False)
    run_by = models.CharField(max_length=8, choices=RunBy, default=RunBy.WORKER, editable=False)
    # `scriptType` of the input, as it was when the job was made: what statistics are grouped by.
    script = models.CharField(max_length=100, blank=True, editable=False)
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.SET_NULL, db_index=False, related_name="pipeline_jobs"
    )
    work = models.ForeignKey(
        Work, null=True, blank=True, on_delete=models.SET_NULL, db_index=False, related_name="pipeline_jobs"
    )
    edition = models.ForeignKey(
        Edition,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="pipeline_jobs",
    )
    segment = models.ForeignKey(
        Segment,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="pipeline_jobs",
    )
    input = models.JSONField(default=dict, blank=True)
    output = models.JSONField(null=True, blank=True, editable=False)
    needs = models.ManyToManyField(
        "self",
        symmetrical=False,
        blank=True,
        related_name="dependants",
        help_text="Runs once these succeeded",
    )
    # How many of `needs` have not succeeded yet; counted down in the transaction in which each does.
    open_needs = models.PositiveIntegerField(default=0, editable=False)
    rerun_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, db_index=False, related_name="reruns",
        editable=False,
    )  # fmt: skip
    schedule = models.ForeignKey(
        "jobs.PipelineSchedule", null=True, blank=True, on_delete=models.SET_NULL, db_index=False,
        related_name="jobs", editable=False,
    )  # fmt: skip
    # The token an external script reports with.
    reporter = models.ForeignKey(
        "jobs.PipelineToken", null=True, blank=True, on_delete=models.SET_NULL, db_index=False,
        related_name="jobs", editable=False,
    )  # fmt: skip
    # Whether it is in the sums of `totals`; they are counted behind its back.
    counted = models.BooleanField(default=False, editable=False)
    handled_at = models.DateTimeField(null=True, blank=True, editable=False)
    handled_by = models.CharField(max_length=80, blank=True, editable=False)

    objects = PipelineJobQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=models.Q(job_type__in=JobType.values), name="pipeline_job_type"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="pipeline_job_state"),
        )
        indexes = (
            # The next job a worker may take, however many are finished.
            models.Index(
                fields=["priority", "not_before_at", "id"],
                condition=models.Q(status="queued", run_by="worker", open_needs=0),
                name="pipeline_job_claim",
            ),
            lease_index("pipeline_job_lease", active="running"),
            # Recovery: what was announced and never began. The page: everything queued.
            models.Index(
                fields=["not_before_at"], condition=models.Q(status="queued"), name="pipeline_job_queued"
            ),
            # The query of active jobs, the latest first.
            models.Index(
                fields=["-started_at"], condition=models.Q(status="running"), name="pipeline_job_active"
            ),
            # The query of failed jobs, the latest first.
            models.Index(
                fields=["-finished_at"], condition=models.Q(status="failed"), name="pipeline_job_failed"
            ),
            # What the sums of `totals` still lack.
            models.Index(
                fields=["finished_at"],
                condition=models.Q(counted=False, finished_at__isnull=False),
                name="pipeline_job_uncounted",
            ),
            # The runs of one script, the latest first (ids begin with their moment).
            models.Index(fields=["script", "-id"], name="pipeline_job_script"),
            # The runs about one thing; also what its deletion has to set to null.
            *(
                models.Index(
                    fields=[link],
                    condition=models.Q(**{f"{link}__isnull": False}),
                    name=f"pipeline_job_{link}",
                )
                for link in (*LINKS, "rerun_of", "schedule", "reporter")
            ),
        )

    def __str__(self) -> str:
        # The beginning of an id is its moment, which neighbours share.
        return f"{self.get_job_type_display()} {self.script or str(self.pk)[-8:]}"

    @property
    def seconds(self) -> float | None:
        """How long it ran, or None while it has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def error(self) -> str:
        """What went wrong the last time; why it is held while it waits for others."""
        return self.error_message

    def outcome(self) -> dict[str, Any]:
        return {"output": self.output}

    def anew(self) -> dict[str, Any]:
        return {"output": None, "handled_at": None, "handled_by": ""}

    def perform(self, run: Run) -> None:
        from jobs.pipeline.handling import handle

        handle(self, run)

    # ---------------------------------------------------------------- verbs of the script that runs it

    def begin(self, token: str, *, now: datetime) -> None:
        """QUEUED → RUNNING under `token`, by whoever runs it themselves: started_at is now, attempt one more.

        Raises `LostRace` when it is not queued, waits for others, or is our workers' to run.
        """
        self.attempt += 1
        try:
            self._move(
                "claimed", [Status.QUEUED], Status.RUNNING, now=now, who=token,
                guard={"attempt": self.attempt - 1, "open_needs": 0, "run_by__in": (RunBy.SCRIPT, RunBy.EXTERNAL)},
                attempt=self.attempt, **self._held(token, now),
            )  # fmt: skip
        except LostRace:
            self.attempt -= 1
            raise

    def insert_begun(self, token: str, *, now: datetime) -> None:
        """A new row that is RUNNING under `token` at once, with the two lines of history of a job that began."""
        created = self._event("created", old="", new=Status.QUEUED, now=now, who=token.partition("#")[0])
        self._take({"status": Status.RUNNING, "attempt": 1, "updated_at": now, **self._held(token, now)})
        begun = self._event("claimed", old=Status.QUEUED, new=Status.RUNNING, now=now, who=token)
        with transaction.atomic():
            self.save(force_insert=True)
            Event.objects.bulk_create([created, begun])
            job_changed.send(sender=type(self), job=self, event=begun)

    def give_up(self, error: JobError, *, now: datetime) -> None:
        """QUEUED → FAILED: whoever was to run it could not even begin."""
        self._move(
            "failed", [Status.QUEUED], Status.FAILED, now=now, why=str(error),
            guard={"run_by__in": (RunBy.SCRIPT, RunBy.EXTERNAL)},
            error_kind=error.kind, error_message=str(error), output=self.output, **self._ended(now),
        )  # fmt: skip

    # ---------------------------------------------------------------- verbs of recovery and of people

    def rescue(self, *, now: datetime) -> None:
        """The lease ran out. A worker's job is tried again; a script cannot be: RUNNING → FAILED.

        A script that was announced and never began ends the same way. Raises `LeaseLost` when it is alive.
        """
        if self.run_by == RunBy.WORKER:
            super().rescue(now=now)
        elif self.status == Status.QUEUED:
            self._move(
                "failed", [Status.QUEUED], Status.FAILED, now=now, guard={"attempt": self.attempt},
                why="It was announced and never began", error_kind=ErrorKind.LOST_WORKER,
                error_message="It was announced and never began. Start it again.", **self._ended(now),
            )  # fmt: skip
        elif self.cancel_requested_at:
            super().rescue(now=now)
        else:
            message = f"The script on {self.leased_by.partition('#')[0] or '(unknown)'} stopped answering"
            self._move(
                "failed", [Status.RUNNING], Status.FAILED, now=now, fenced=True, why=message,
                guard={"leased_until": self.leased_until}, error_kind=ErrorKind.LOST_WORKER,
                error_message=message, lost_workers=self.lost_workers + 1, **self._ended(now),
            )  # fmt: skip

    def retry(self, *, who: str, now: datetime, attempts: int | None = None) -> None:
        """FAILED | CANCELLED → QUEUED: another attempt of the same job; the sums are without it until it ends."""
        from jobs.pipeline import totals

        with transaction.atomic():
            totals.take_out(self.pk)
            super().retry(who=who, now=now, attempts=attempts)

    def renew(self, *, now: datetime, **columns: Any) -> None:
        """Hold it for another lease and write the script's own columns. Raises `LeaseLost`."""
        self.save_progress(now=now, leased_until=now + timedelta(seconds=settings.LEASE_SECONDS), **columns)

    def attach(self, *, now: datetime, **links: Any) -> None:
        """Say what it is about once that is known: `work=`, `edition=` … or `work_id=`. Raises `LeaseLost`."""
        self.save_progress(now=now, **columns_of(links))


def columns_of(links: dict[str, Any]) -> dict[str, Any]:
    """`{"work": Work or id}` or `{"work_id": id}` as columns of the row. Raises TypeError for another name."""
    columns = {}
    for name, value in links.items():
        link = name.removesuffix("_id")
        if link not in LINKS:
            raise TypeError(f"A pipeline job is not linked to “{name}”; its links are {', '.join(LINKS)}.")
        columns[f"{link}_id"] = getattr(value, "pk", value)
    return columns
