"""Jobs are started from the lists of the admin, and a source's configuration is checked where it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Edition, Segment, Source, Work

pytestmark = pytest.mark.django_db


@pytest.fixture
def edition() -> Edition:
    source = Source.objects.create(name="novels", base_url="https://novels.example.com")
    made = Edition.objects.create(work=Work.objects.create(title="Harbour", source=source), source=source)
    Segment.objects.create(edition=made, number=1, content="Text.")
    return made


def act(client: Client, row: Any, action: str) -> str:
    url = reverse(f"admin:jobs_{row._meta.model_name}_changelist")
    answer = client.post(url, {"action": action, "_selected_action": [str(row.pk)]}, follow=True)
    return answer.content.decode()


@pytest.mark.parametrize(
    ("action", "types"),
    [
        ("start_clean", ["clean"]), ("start_summarize", ["summarize"]), ("start_entities", ["entities"]),
        ("start_embed", ["embed"]), ("start_all", ["clean", "summarize", "entities", "embed"]),
        ("start_match", ["match"]), ("start_fetch", ["scrape"]),
    ],
)  # fmt: skip
def test_jobs_are_started_from_the_list_of_editions(
    edition: Edition, operator_client: Client, action: str, types: list[str]
) -> None:
    assert f"{len(types)} queued" in act(operator_client, edition, action)
    jobs = PipelineJob.objects.order_by("pk")
    assert [job.job_type for job in jobs] == types
    assert all(job.edition == edition and job.work == edition.work for job in jobs)


@pytest.mark.parametrize("kind", ["source", "work", "segment"])
def test_jobs_are_started_from_the_other_lists(edition: Edition, operator_client: Client, kind: str) -> None:
    row = {"source": edition.source, "work": edition.work, "segment": edition.segments.get()}[kind]
    act(operator_client, row, "start_clean")
    assert getattr(PipelineJob.objects.get(), kind) == row


def test_a_viewer_starts_nothing(edition: Edition, viewer_client: Client) -> None:
    act(viewer_client, edition, "start_clean")
    assert not PipelineJob.objects.exists()


def save(client: Client, source: Source, **changes: Any) -> str:
    url = reverse("admin:jobs_source_change", args=(source.pk,))
    data = {
        "name": source.name,
        "base_url": source.base_url,
        "is_active": "on",
        "configuration": "{}",
        **changes,
    }
    return client.post(url, data, follow=True).content.decode()


def test_a_wrong_configuration_is_refused_with_its_place(edition: Edition, operator_client: Client) -> None:
    source = Source.objects.get()
    page = save(operator_client, source, configuration=json.dumps({"chapters": {"items": "ul["}}))
    assert "chapters.items" in page
    assert Source.objects.get().configuration == {}
    assert "base_url" in save(operator_client, source, base_url="", configuration='{"delay_seconds": 1}')
    save(operator_client, source, configuration='{"delay_seconds": 1}')
    assert Source.objects.get().configuration == {"delay_seconds": 1}
    save(operator_client, source, base_url="", configuration="{}")
    assert Source.objects.get().base_url == ""
