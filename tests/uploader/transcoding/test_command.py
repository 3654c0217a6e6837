"""`manage.py transcode`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.uploader.transcoding.films import film
from uploader.catalog import Episode, Film, Series
from uploader.transcoding.packages import Package
from uploader.transcoding.transcode_jobs import TranscodeJob

pytestmark = pytest.mark.django_db(transaction=True)


def told(*arguments: object) -> list[str]:
    out = io.StringIO()
    call_command("transcode", *map(str, arguments), stdout=out)
    return out.getvalue().splitlines()


def test_it_queues_a_film_and_prints_the_job_s_id_on_the_last_line(library: Path) -> None:
    video = Film.objects.create(title="Keeper", path="keeper.mp4")
    job = TranscodeJob.objects.get(pk=told("film", video.pk)[-1])
    assert (job.status, job.film) == ("waiting", video)


def test_with_wait_the_package_is_there_when_it_returns(library: Path) -> None:
    film(library / "harbour" / "01.mp4", seconds=1)
    series = Series.objects.create(title="Harbour")
    video = Episode.objects.create(series=series, index_sequence=1, path="harbour/01.mp4")
    outcome = json.loads(told("episode", video.pk, "--wait", "--json")[-1])
    assert (outcome["status"], outcome["labels"]) == ("completed", ["SD"])
    assert Package.load(Path(outcome["package"])).resource == ("episode", video.pk)


def test_a_failure_is_told_with_its_sentence(library: Path) -> None:
    (library / "keeper.mp4").write_bytes(b"")
    video = Film.objects.create(title="Keeper", path="keeper.mp4")
    with pytest.raises(CommandError, match=r"is failed: Film Keeper: .*is empty"):
        told("film", video.pk, "--wait")


def test_what_is_not_there_or_under_way_is_refused(library: Path) -> None:
    with pytest.raises(CommandError, match="There is no film 7"):
        told("film", 7)
    video = Film.objects.create(title="Keeper", path="keeper.mp4")
    told("film", video.pk)
    with pytest.raises(CommandError, match="is being transcoded already, by job"):
        told("film", video.pk)
