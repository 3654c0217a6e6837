"""The HTTP API of pipeline jobs: external scripts report in, programs ask, operators start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from knox.auth import TokenAuthentication
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.answers import refusal, replies
from jobs.pipeline import live, monitoring, reporting, starting
from jobs.pipeline.ids import is_of_now
from jobs.pipeline.pipeline_jobs import JobType, PipelineJob, Status
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from jobs.pipeline.tokens import PREFIX, PipelineToken, holder_of

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

MOST_ROWS = 500
MOST_LINES = 100


# -------------------------------------------------------------------- who may


@dataclass(frozen=True)
class Reporter:
    """An external script, known by its token: no user, no member of the staff."""

    token: PipelineToken
    is_authenticated: bool = True
    is_active: bool = True
    is_staff: bool = False

    @property
    def pk(self) -> str:
        """What its requests are counted under."""
        return f"reporter-{self.token.pk}"

    def get_username(self) -> str:
        return self.token.name


class ReporterAuthentication(BaseAuthentication):
    """`Authorization: Bearer slp_…`; any other bearer is the next authentication's to look at."""

    def authenticate(self, request: Request) -> tuple[Any, PipelineToken] | None:
        kind, _, given = get_authorization_header(request).decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not given.strip().startswith(PREFIX):
            return None
        token = holder_of(given.strip(), now=timezone.now())
        if token is None:
            raise AuthenticationFailed("Invalid token.")
        return Reporter(token), token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ReporterScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document names that token."""

    target_class = ReporterAuthentication
    name = "pipelineToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": f"{PREFIX}…"}


class MayReportOrIsStaff(BasePermission):
    """Scripts report and read their own jobs; staff may look; those who may change pipeline jobs may report."""

    message = "Sign in as a member of the staff, or use a token for pipeline jobs."

    def has_permission(self, request: Request, view: APIView) -> bool:
        user: Any = request.user
        if isinstance(user, Reporter):
            self.message = "This token may only report pipeline jobs and read its own."
            return not getattr(view, "staff_only", False)
        if not (user and user.is_active and user.is_staff):
            return False
        if request.method in SAFE_METHODS:
            return True
        self.message = "You may look here, but not change anything."
        return bool(user.has_perm("jobs.change_pipelinejob"))


class PipelineView(APIView):
    authentication_classes = (ReporterAuthentication, TokenAuthentication, SessionAuthentication)
    permission_classes = (MayReportOrIsStaff,)

    @property
    def reporter(self) -> PipelineToken | None:
        user: Any = self.request.user
        return user.token if isinstance(user, Reporter) else None

    @property
    def who(self) -> str:
        user: Any = self.request.user
        return str(user.get_username())

    def jobs(self) -> QuerySet[PipelineJob]:
        """Those that whoever asks may see."""
        jobs = PipelineJob.objects.all()
        return jobs if self.reporter is None else jobs.filter(reporter=self.reporter)


# -------------------------------------------------------------------- what goes over the wire


class Words(serializers.CharField):
    """Text of a script; what no database keeps is left out rather than the report refused."""

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).replace("\0", "")


def link(model: Any, name: str) -> Any:
    return serializers.PrimaryKeyRelatedField(
        queryset=model.objects.all(),
        pk_field=serializers.UUIDField(),
        source=name,
        required=False,
        allow_null=True,
    )


class Links(serializers.Serializer[Any]):
    sourceId = link(Source, "source")
    workId = link(Work, "work")
    editionId = link(Edition, "edition")
    segmentId = link(Segment, "segment")


class NewJob(Links):
    """What POST takes."""

    jobType = serializers.ChoiceField(JobType.choices)
    input = serializers.DictField(required=False, help_text="`scriptType` names the script in all statistics")
    id = serializers.UUIDField(
        required=False,
        help_text="Chosen by the script, a UUID of version 7: sent again after a lost answer, it is the same job",
    )
    status = serializers.ChoiceField(
        ["queued", "running"], default="queued", help_text="`running`: it begins with this request"
    )
    run = serializers.BooleanField(
        default=False, help_text="Our workers run it by the handler of its type; not with a reporting token"
    )
    needs = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=100,
        help_text="With `run`: after these succeeded",
    )
    priority = serializers.IntegerField(
        default=0, min_value=-1000, max_value=1000, help_text="Lower goes first"
    )
    notBefore = serializers.DateTimeField(required=False, help_text="With `run`")

    def validate_id(self, value: UUID) -> UUID:
        """Lists are in the order of ids: one that does not begin with its moment would stand there for ever."""
        if not is_of_now(value, timezone.now()):
            raise serializers.ValidationError("Give a UUID of version 7 (RFC 9562) made now, or none.")
        return value


class JobReport(Links):
    """What PATCH takes; an empty one is a heartbeat."""

    status = serializers.ChoiceField(Status.choices, required=False)
    progress = serializers.IntegerField(min_value=0, max_value=100, required=False, help_text="Percent")
    stage = serializers.CharField(max_length=32, allow_blank=True, required=False)
    output = serializers.DictField(required=False)
    error = Words(allow_blank=True, allow_null=True, required=False)
    log = serializers.ListField(
        child=Words(allow_blank=True),
        max_length=MOST_LINES,
        required=False,
        help_text="Lines",
    )
    attempt = serializers.IntegerField(
        min_value=0, required=False, help_text="Refused when the job is at another attempt by now"
    )
    heartbeat = serializers.BooleanField(required=False)


class JobAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    jobType = serializers.ChoiceField(JobType.choices)
    script = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    input = serializers.DictField()
    output = serializers.DictField(allow_null=True)
    attempt = serializers.IntegerField()
    error = serializers.CharField(allow_null=True)
    progress = serializers.IntegerField()
    stage = serializers.CharField()
    sourceId = serializers.UUIDField(allow_null=True)
    workId = serializers.UUIDField(allow_null=True)
    editionId = serializers.UUIDField(allow_null=True)
    segmentId = serializers.UUIDField(allow_null=True)
    createdAt = serializers.DateTimeField()
    startedAt = serializers.DateTimeField(allow_null=True)
    finishedAt = serializers.DateTimeField(allow_null=True)
    cancelRequested = serializers.BooleanField()


class ReportAnswer(JobAnswer):
    leaseSeconds = serializers.FloatField(help_text="Report again within this time, or the run is given up")


class JobsAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    jobs = JobAnswer(many=True)
    next = serializers.UUIDField(allow_null=True, help_text="The `before` of the next page")


def told(job: PipelineJob) -> dict[str, Any]:
    return {**live.whole(job), "leaseSeconds": settings.LEASE_SECONDS}


FILTERS = {
    "jobType": "job_type", "status": "status", "script": "script",
    "sourceId": "source", "workId": "work", "editionId": "edition", "segmentId": "segment",
}  # fmt: skip


class Query(serializers.Serializer[Any]):
    """The query string of the list."""

    jobType = serializers.ChoiceField(JobType.choices, required=False)
    status = serializers.ChoiceField(Status.choices, required=False)
    script = serializers.CharField(required=False)
    sourceId = serializers.UUIDField(required=False)
    workId = serializers.UUIDField(required=False)
    editionId = serializers.UUIDField(required=False)
    segmentId = serializers.UUIDField(required=False)
    before = serializers.UUIDField(required=False, help_text="Only jobs older than this one")
    limit = serializers.IntegerField(default=50, min_value=1, max_value=MOST_ROWS)


# -------------------------------------------------------------------- the doors


class PipelineJobsView(PipelineView):
    """`/api/pipeline-jobs`"""

    @extend_schema(
        request=NewJob, responses=replies(ReportAnswer, 400, 409, 413, 415, success=201),
        operation_id="create_pipeline_job",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Announce a run of one's own, or, with `run`, have our workers run it."""
        body = NewJob(data=request.data)
        body.is_valid(raise_exception=True)
        asked: dict[str, Any] = body.validated_data
        links = {name: asked[name] for name in ("source", "work", "edition", "segment") if asked.get(name)}
        if asked["run"]:
            return self.start(asked, links)
        try:
            job, is_new = reporting.announce(
                asked["jobType"], asked.get("input"), who=self.who, now=timezone.now(), job_id=asked.get("id"),
                reporter=self.reporter, begin=asked["status"] == "running", **links,
            )  # fmt: skip
        except reporting.Conflict as conflict:
            return refusal(str(conflict), "conflict", 409)
        return Response(told(job), status=201 if is_new else 200)

    def start(self, asked: dict[str, Any], links: dict[str, Any]) -> Response:
        if self.reporter is not None:
            return refusal(
                "This token may only report pipeline jobs and read its own.", "permission_denied", 403
            )
        try:
            job = starting.start(
                asked["jobType"], asked.get("input"), who=self.who, now=timezone.now(),
                needs=asked.get("needs") or (), priority=asked["priority"],
                not_before_at=asked.get("notBefore"), **links,
            )  # fmt: skip
        except (starting.Refused, ValueError) as error:
            sentence = str(error).rstrip(".")
            return refusal(f"{sentence[0].upper()}{sentence[1:]}.", "refused")
        return Response(told(job), status=201)

    @extend_schema(parameters=[Query], responses=replies(JobsAnswer, 400), operation_id="pipeline_jobs")
    def get(self, request: Request) -> Response:
        """Jobs, the newest first; a reporting token sees its own."""
        query = Query(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        jobs = self.jobs().filter(
            **{column: asked[name] for name, column in FILTERS.items() if name in asked}
        )
        if "before" in asked:
            jobs = jobs.filter(pk__lt=asked["before"])
        found = list(jobs.order_by("-pk")[: asked["limit"] + 1])
        shown = found[: asked["limit"]]
        more = len(found) > len(shown)
        return Response(
            {
                "success": True,
                "jobs": [live.whole(job) for job in shown],
                "next": str(shown[-1].pk) if more else None,
            }
        )


class PipelineJobView(PipelineView):
    """`/api/pipeline-jobs/{id}`"""

    @extend_schema(responses=replies(ReportAnswer, 404), operation_id="pipeline_job")
    def get(self, request: Request, job_id: UUID) -> Response:
        """One job."""
        job = self.jobs().filter(pk=job_id).first()
        return missing() if job is None else Response(told(job))

    @extend_schema(
        request=JobReport, responses=replies(ReportAnswer, 400, 404, 409, 413, 415),
        operation_id="report_pipeline_job",
    )  # fmt: skip
    def patch(self, request: Request, job_id: UUID) -> Response:
        """Report how a run is going; each report renews its lease, the answer says whether it should stop."""
        body = JobReport(data=request.data)
        body.is_valid(raise_exception=True)
        if not self.jobs().filter(pk=job_id).exists():
            return missing()
        try:
            job = reporting.report(job_id, body.validated_data, who=self.who, now=timezone.now())
        except reporting.Conflict as conflict:
            return refusal(str(conflict), "conflict", 409)
        return Response(told(job))


class PipelineStatsView(PipelineView):
    """`/api/pipeline-jobs/stats`"""

    staff_only = True

    @extend_schema(
        parameters=[OpenApiParameter("jobType", {"type": "string", "enum": JobType.values})],
        responses=replies(OpenApiTypes.OBJECT, 400),
        operation_id="pipeline_stats",
    )
    def get(self, request: Request) -> Response:
        """The four questions: what runs, what failed last, how long it takes, how often it is tried again."""
        job_type = request.query_params.get("jobType", "")
        if job_type and job_type not in JobType.values:
            return refusal(f"jobType must be one of {', '.join(JobType.values)}", "invalid_job_type")
        now = timezone.now()
        return Response(
            {
                "success": True,
                "counts": monitoring.counts(),
                "active": [live.brief(job) for job in monitoring.active()[:MOST_LINES]],
                "failed": [live.brief(job) for job in monitoring.failed()],
                "statistics": [
                    {
                        "jobType": row.job_type, "scriptType": row.script, "status": row.status, "count": row.count,
                        "avgDurationSeconds": row.average_seconds, "p95DurationSeconds": row.p95_seconds,
                        "lastFinishedAt": live.stamp(row.last_at),
                    }
                    for row in monitoring.statistics(job_type)
                ],
                "retries": [
                    {"jobType": row.job_type, "scriptType": row.script, "attempt": row.attempt, "count": row.count}
                    for row in monitoring.retry_analysis(job_type)
                ],
                "overdue": [
                    {"name": late.name, "lastSuccessAt": live.stamp(late.last_at), "hours": round(late.hours, 1)}
                    for late in monitoring.overdue(now)
                ],
            }
        )  # fmt: skip


def missing() -> Response:
    return refusal("There is no such pipeline job.", "not_found", 404)
