"""The pipeline page: what runs, what failed, how scripts do; one run with all there is about it; hands that act."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from jobs import pages
from jobs.errors import JobError, LostRace
from jobs.pages import Page, framed, hand, is_partial, page_query, partial, staff
from jobs.pipeline import deciding, lineage, starting
from jobs.pipeline.page.board import ABOUT, Board, Choice, about, lines_of
from jobs.pipeline.pipeline_jobs import JobType, PipelineJob, RunBy, Status
from jobs.pipeline.starting import Refused
from jobs.pipeline.subjects import Edition, Segment, Source, Work

MAY_RUN = "jobs.change_pipelinejob"
# More than this is not marked in one request.
MARK_AT_ONCE = 1000

pages.register_rights(may_run=MAY_RUN)

PARTS = {
    f"pipe-{name}": f"jobs/pipeline/_{name}.html"
    for name in (
        "alert",
        "tiles",
        "late",
        "now",
        "line",
        "trouble",
        "runs",
        "stats",
        "tries",
        "grid",
        "plans",
        "run",
    )
}


def _board(request: HttpRequest) -> Board:
    return Board(Choice.of(request.GET), now=timezone.now())


@require_safe
@staff
def pipeline(request: HttpRequest) -> HttpResponse:
    """The page, or the partials of it that `?parts=` names."""
    context = {"board": _board(request)}
    if is_partial(request):
        return pages.answer(request, context, parts=PARTS)
    return framed(request, "jobs/pipeline.html", "Pipeline", context)


@require_safe
@staff
def run(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """One run: input, output, log, lineage, history."""
    job = _found(job_id)
    context = {"board": _board(request), **_all_about(job)}
    if is_partial(request):
        return pages.answer(request, context, parts=PARTS)
    return framed(request, "jobs/pipeline_run.html", str(job), context)


def _all_about(job: PipelineJob) -> dict[str, object]:
    can_run = job.run_by != RunBy.EXTERNAL and bool(settings.PIPELINE_HANDLERS.get(job.job_type))
    return {
        "job": job,
        "about": about(job),
        "relations": lineage.of(job),
        "lines": lines_of(job),
        "needs": list(job.needs.order_by("pk")),
        "dependants": list(job.dependants.order_by("pk")),
        "reruns": list(job.reruns.order_by("pk")),
        "input_text": _pretty(job.input),
        "output_text": _pretty(job.output),
        "can_rerun": job.is_finished and can_run,
        "can_retry": job.can_retry and can_run,
    }


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if value not in (None, {}) else ""


def _partials(request: HttpRequest, status: int) -> HttpResponse:
    """What the open page shows now: the board, or the run it is about."""
    context: dict[str, object] = {"board": Board(Choice.of(page_query(request)), now=timezone.now())}
    if (job_id := request.resolver_match and request.resolver_match.kwargs.get("job_id")) and (
        job := PipelineJob.objects.filter(pk=job_id).first()
    ):
        context |= _all_about(job)
    parts = PARTS if "job" in context else {name: path for name, path in PARTS.items() if name != "pipe-run"}
    return pages.answer(request, context, parts=parts, status=status)


PIPELINE = Page(_partials, "pipeline", (Refused, LostRace, JobError))


# -------------------------------------------------------------------- hands


def _who(request: HttpRequest) -> str:
    return str(request.user.get_username())


def _found(job_id: UUID) -> PipelineJob:
    job = PipelineJob.objects.select_related(*ABOUT, "rerun_of", "schedule").filter(pk=job_id).first()
    if job is None:
        raise Http404("There is no such run: it may have been pruned.")
    return job


def _on_a_run(
    decision: Callable[..., object], told: Callable[[PipelineJob], str]
) -> Callable[..., HttpResponse]:
    """A hand that decides something about one run and says what came of it."""

    def decide(request: HttpRequest, job_id: UUID) -> str:
        job = _found(job_id)
        try:
            decision(job, who=_who(request), now=timezone.now())
        except Refused as refusal:
            # Refusals are half sentences; on a page they stand alone.
            raise Refused(f"{job}: {str(refusal).rstrip('.')}.") from refusal
        return told(job)

    return hand(MAY_RUN, PIPELINE)(decide)


retry = _on_a_run(deciding.retry, lambda job: f"{job} is tried again.")
rerun = _on_a_run(starting.rerun, lambda job: f"{job} is queued again with the same input.")
cancel = _on_a_run(
    deciding.cancel, lambda job: f"{job} is asked to stop." if job.is_active else f"{job} is cancelled."
)
release = _on_a_run(deciding.release, lambda job: f"{job} waits for nothing any more.")
handled = _on_a_run(deciding.mark_handled, lambda job: f"{job} is marked as handled.")


@hand(MAY_RUN, PIPELINE)
def all_handled(request: HttpRequest) -> str:
    """Every failed run that asks for a hand."""
    marked = 0
    for job in PipelineJob.objects.filter(status=Status.FAILED, handled_at=None).order_by("-finished_at")[
        :MARK_AT_ONCE
    ]:
        try:
            deciding.mark_handled(job, who=_who(request), now=timezone.now())
            marked += 1
        except Refused:
            continue  # somebody else was first
    if not marked:
        raise Refused("Nothing asks for a hand.")
    return f"{marked} run{'s are' if marked != 1 else ' is'} marked as handled."


# -------------------------------------------------------------------- starting


@staff
def start(request: HttpRequest) -> HttpResponse:
    """GET: the form. POST: start a job, and what follows it."""
    if request.method == "POST":
        return start_now(request)
    types = [(value, label, bool(settings.PIPELINE_HANDLERS.get(value))) for value, label in JobType.choices]
    scripts = PipelineJob.objects.exclude(script="").order_by("-pk").values_list("script", flat=True)[:200]
    context = {
        "types": types,
        "has_handlers": any(known for _, _, known in types),
        # Not “scripts”: so the frame calls what it loads.
        "known_scripts": sorted({*scripts, *settings.PIPELINE_SCRIPTS}),
        "subjects": [(name, SUBJECTS[name]._meta.verbose_name) for name in SUBJECTS],
    }
    if is_partial(request):
        return partial(request, "jobs/pipeline/_start.html", context)
    return framed(request, "jobs/pipeline_start.html", "Start a job", context)


SUBJECTS = {"source": Source, "work": Work, "edition": Edition, "segment": Segment}


@hand(MAY_RUN, PIPELINE)
def start_now(request: HttpRequest) -> str:
    job_type = request.POST.get("type", "")
    if job_type not in JobType.values:
        raise Refused("Choose what is to be done.")
    then = [each for each in request.POST.getlist("then") if each in JobType.values and each != job_type]
    given = _input_of(request)
    rest = {name: value for name, value in given.items() if name != "scriptType"}
    jobs = starting.chain(
        [(job_type, given), *((each, rest) for each in then)],
        who=_who(request),
        now=timezone.now(),
        **_links(request),
    )
    count = f"{len(jobs)} jobs are" if len(jobs) > 1 else "One job is"
    return f"{count} queued."


def _input_of(request: HttpRequest) -> dict[str, object]:
    """The input from its field, with the script's name. Raises Refused for what is no JSON object."""
    text = request.POST.get("input", "").strip()
    try:
        given = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise Refused('The input must be a JSON object, such as {"url": "https://…"}.') from error
    if not isinstance(given, dict):
        raise Refused('The input must be a JSON object, such as {"url": "https://…"}.')
    if script := request.POST.get("script", "").strip():
        given["scriptType"] = script
    return given


def _links(request: HttpRequest) -> dict[str, object]:
    """What the job is about, by the ids given. Raises Refused for one that is not there."""
    links: dict[str, object] = {}
    for name, model in SUBJECTS.items():
        if given := request.POST.get(name, "").strip():
            try:
                row = model._default_manager.filter(pk=UUID(given)).first()
            except ValueError:
                row = None
            if row is None:
                raise Refused(f"There is no {name} {given[:40]}.")
            links[name] = row
    return links
