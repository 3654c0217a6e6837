"""Schedules of scripts in the admin: made, told in words, run at once, refused with the field that is wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.pipeline import timetable
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.timetable import PipelineSchedule
from tests.admin_pages import address, press

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("handled")]
FORM = {
    "name": "Night", "is_active": "on", "job_type": "scrape", "input": '{"scriptType": "scrape-novel"}',
    "then": '["clean", "embed"]', "cron": "15 3 * * *", "time_zone": "Europe/Berlin", "priority": "0",
    "max_attempts": "3", "warn_after_hours": "26",
}  # fmt: skip


def add(client: Client, **changes: str) -> Any:
    return client.post(address(PipelineSchedule, "add"), {**FORM, **changes}, follow=True)


def test_a_schedule_is_made_and_fires(admin_client: Client) -> None:
    page = add(admin_client).content.decode()
    plan = PipelineSchedule.objects.get()
    assert "was added successfully" in page
    told = admin_client.get(address(plan, "change", plan.pk)).content.decode()
    assert "At 03:15 every day" in told
    assert plan.next_at is not None
    timetable.tick(plan.next_at)
    jobs = PipelineJob.objects.order_by("pk")
    assert [(job.job_type, job.open_needs) for job in jobs] == [("scrape", 0), ("clean", 1), ("embed", 1)]
    assert "Queued" in admin_client.get(address(PipelineSchedule, "changelist")).content.decode()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cron": "15 3 * *"}, "Five fields"), ({"cron": "99 3 * * *"}, "Bad minute"),
        ({"cron": "0 0 31 2 *"}, "Bad day-of-month"), ({"then": '["bake"]'}, "A list of job types"),
        ({"input": "[1]"}, "Names and values"), ({"time_zone": "Mars/Olympus"}, "The name of a time zone"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_its_field(
    admin_client: Client, changes: dict[str, str], says: str
) -> None:
    page = add(admin_client, **changes).content.decode()
    assert says in page
    assert not PipelineSchedule.objects.exists()


def test_it_is_run_at_once_and_its_next_run_stays(operator_client: Client) -> None:
    plan = PipelineSchedule.objects.create(name="Night", job_type="scrape", then=["clean"], cron="15 3 * * *")
    assert press(operator_client, plan, "run_now") == "2 queued."
    again = PipelineSchedule.objects.get()
    assert (again.next_at, again.last_job) == (plan.next_at, PipelineJob.objects.order_by("pk").first())
    plan.job_type = "sync_assets"
    plan.save()
    assert press(operator_client, plan, "run_now").startswith("No handler does “sync_assets” here")


def test_one_that_is_made_tells_of_no_runs_before_there_are_any(admin_client: Client) -> None:
    page = admin_client.get(address(PipelineSchedule, "add")).content.decode()
    assert "Cron" in page and "Last run" not in page
    plan = PipelineSchedule.objects.create(name="Night", job_type="scrape", cron="15 3 * * *")
    assert "Last run" in admin_client.get(address(plan, "change", plan.pk)).content.decode()


def test_a_viewer_looks_and_changes_nothing(viewer_client: Client) -> None:
    plan = PipelineSchedule.objects.create(name="Night", job_type="scrape", cron="15 3 * * *")
    assert viewer_client.get(address(plan, "change", plan.pk)).status_code == 200
    assert viewer_client.get(address(PipelineSchedule, "add")).status_code == 403
    viewer_client.post(address(plan, "run_now", plan.pk), {"_form_submitted": "True"})
    assert not PipelineJob.objects.exists()


def test_one_that_is_switched_off_and_on_is_not_overdue(admin_client: Client) -> None:
    add(admin_client)
    plan = PipelineSchedule.objects.get()
    PipelineSchedule.objects.update(switched_on_at=timezone.now() - timedelta(days=9))
    change = address(plan, "change", plan.pk)
    admin_client.post(change, {name: value for name, value in FORM.items() if name != "is_active"})
    assert PipelineSchedule.objects.get().next_at is None
    admin_client.post(change, FORM)
    switched = PipelineSchedule.objects.get()
    assert switched.next_at and switched.switched_on_at
    assert switched.switched_on_at > timezone.now() - timedelta(minutes=1)
