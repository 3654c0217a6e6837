"""`manage.py pipeline TYPE …`: onto the line, as a chain, or here and now."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Edition, Segment, Source, Work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unseen")]


def call(*arguments: str, **options: Any) -> list[str]:
    out = io.StringIO()
    call_command("pipeline", *arguments, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue().split()


@pytest.fixture
def edition() -> Edition:
    made = Edition.objects.create(work=Work.objects.create(title="Harbour"))
    Segment.objects.create(edition=made, number=1, content="The  harbour lay in fog.")
    return made


@pytest.mark.parametrize(
    "job_type", ["scrape", "clean", "summarize", "entities", "embed", "match", "sync_assets"]
)
def test_every_type_is_put_on_the_workers_line(edition: Edition, job_type: str) -> None:
    (job_id,) = call(job_type, "--work", "harbour", "--set", "force=true", "--priority", "-2")
    job = PipelineJob.objects.get(pk=job_id)
    assert (job.job_type, job.status, job.run_by, job.priority) == (job_type, "queued", "worker", -2)
    assert (job.input, job.work) == ({"force": True}, edition.work)


def test_a_chain_waits_step_by_step(edition: Edition) -> None:
    ids = call("scrape", "--input", '{"scriptType": "scrape-chereads-segment"}', "--edition", str(edition.pk),
               "--then", "clean", "--then", "embed")  # fmt: skip
    jobs = [PipelineJob.objects.get(pk=job_id) for job_id in ids]
    assert [(job.job_type, job.open_needs) for job in jobs] == [("scrape", 0), ("clean", 1), ("embed", 1)]
    assert jobs[0].script == "scrape-chereads-segment"
    assert list(jobs[2].needs.all()) == [jobs[1]]


def test_here_it_runs_at_once_and_is_tracked(edition: Edition) -> None:
    job_id = call("clean", "--edition", str(edition.pk), "--here")[-1]
    job = PipelineJob.objects.get(pk=job_id)
    assert (job.status, job.run_by, job.edition) == ("success", "script", edition)
    assert job.output == {"total": 1, "success": 1, "skipped": 0, "failed": 0}
    assert Segment.objects.get().clean_content == "The harbour lay in fog."


def test_here_a_failure_is_kept_and_the_command_fails(edition: Edition) -> None:
    with pytest.raises(CommandError, match="no script “nobody”"):
        call("scrape", "--set", "scriptType=nobody", "--here")
    assert PipelineJob.objects.get().status == "failed"


def test_it_answers_in_json(edition: Edition) -> None:
    out = io.StringIO()
    call_command("pipeline", "clean", "--then", "embed", "--json", stdout=out)
    assert [each["status"] for each in json.loads(out.getvalue())] == ["queued", "queued"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["dance"], "invalid choice"), (["clean", "--input", "{"], "no JSON"),
        (["clean", "--input", "[]"], "an object"),
        (["clean", "--set", "force"], "NAME=VALUE"), (["clean", "--source", "none"], "no source"),
        (["clean", "--work", "none"], "No work is called"), (["clean", "--edition", "7"], "no id"),
        (["clean", "--segment", "0" * 32], "There is no segment"), (["clean", "--then", "embed", "--here"], "chain"),
    ],
)  # fmt: skip
def test_nonsense_is_refused(edition: Edition, arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call(*arguments)
    assert not PipelineJob.objects.exists()


def test_sources_are_named(edition: Edition) -> None:
    source = Source.objects.create(name="novels")
    (job_id,) = call("match", "--source", "novels")
    assert PipelineJob.objects.get(pk=job_id).source == source
