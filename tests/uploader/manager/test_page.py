"""The jobs page: what it shows, how it is filtered, and what its buttons do, one job at a time and many at once."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from jobs.errors import JobError
from tests.conftest import NOW
from tests.uploader.manager.rows import account, episode, failed, film, held, transcoding, upload
from uploader.manager import many
from uploader.transcoding.transcode_jobs import TranscodeJob, TranscodeLog

pytestmark = pytest.mark.django_db


def page(client: Client, address: str = "/jobs/", **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def shown(text: str, kind: str = "upload") -> list[int]:
    return [int(number) for number in re.findall(rf'<li class="sc-running sc-job" id="{kind}-(\d+)"', text)]


def press(client: Client, address: str, **fields: str) -> Any:
    """As an open page does: answered with its partials and a toast."""
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/jobs/?kind=upload"}
    return client.post(address, {"parts": "jobs-list,jobs-tiles", **fields}, headers=headers)


def toast(answer: Any) -> str:
    return answer.headers["HX-Trigger"].encode().decode("unicode_escape")


def fresh(job: Any) -> Any:
    return type(job).objects.get(pk=job.pk)


# -------------------------------------------------------------------- what it shows


def test_an_empty_page_says_where_jobs_come_from(operator_client: Client) -> None:
    assert "No uploads yet" in page(operator_client)
    assert "No transcodings yet" in page(operator_client, kind="transcoding")
    assert "Nothing matches" in page(operator_client, status="failed")


def test_the_toggle_shows_one_kind_or_the_other_with_its_numbers(operator_client: Client) -> None:
    job, other = upload(episode()), transcoding(film())
    text = page(operator_client)
    assert (shown(text), shown(text, "transcoding")) == ([job.pk], [])
    text = page(operator_client, kind="transcoding")
    assert (shown(text), shown(text, "transcoding")) == ([], [other.pk])
    assert re.findall(r'tile-count">([\d,]+)<', text) == ["1", "1", "0", "0", "0", "0"]


def test_a_card_shows_how_far_a_job_is_and_everything_known_of_it(operator_client: Client) -> None:
    job = held(upload(
        film(), upload_type="hls", package="film-1/1-a", label="FHD", local_path="/t/FHD", s3_path="film-1/1-a/FHD",
        files_total=20, bytes_total=2_000_000,
    ))  # fmt: skip
    job.save_progress(now=NOW, progress=45, stage="uploading", files_done=9, bytes_sent=900_000)
    text = page(operator_client)
    for words in (
        "HLS rendition FHD",
        "45%",
        "9 of 20 files",
        "film-1/1-a/FHD",
        "upload-hls-to-s3",
        job.client_id,
    ):
        assert words in text


def test_a_card_names_the_part_it_brings_and_when_a_waiting_job_begins(operator_client: Client) -> None:
    later = timezone.now() + timedelta(hours=2)
    of_package = {"package": "film-1/1-a", "local_path": "/t/x", "not_before_at": later}
    upload(
        film(),
        upload_type="subtitle",
        label="Deutsch",
        language="de",
        s3_path="film-1/1-a/de.m3u8",
        **of_package,
    )
    upload(
        film(),
        upload_type="master_playlist",
        label="master",
        s3_path="film-1/1-a/m.m3u8",
        attempt=1,
        **of_package,
    )
    text = page(operator_client)
    assert "Subtitle Deutsch (de) →" in text and "begins <time" in text
    assert "Master playlist →" in text and "next try <time" in text


def test_a_transcoding_shows_its_stages_and_its_uploads(operator_client: Client, settings: Any) -> None:
    job = transcoding(film(), "active", stage="merging", stage_progress=40, pieces_total=3, pieces_done=3)
    text = page(operator_client, kind="transcoding")
    steps = re.findall(r'<li data-state="(\w+)"><span>(\w+)</span>.*?<b>(\d+)%', text)
    assert steps == [
        ("done", "Probing", "100"), ("done", "Splitting", "100"), ("done", "Transcoding", "100"),
        ("now", "Merging", "40"), ("ahead", "Packaging", "0"), ("ahead", "Uploading", "0"),
    ]  # fmt: skip
    assert f'data-transcode="{job.pk}"' in text


def test_a_transcoding_counts_the_uploads_of_its_own_package(operator_client: Client, settings: Any) -> None:
    job = transcoding(film(), "completed", package_path="packages/film-1/1-a")
    for label, status, progress, root in [
        ("FHD", "completed", 100, job.package_root), ("HD", "active", 20, job.package_root),
        ("SD", "failed", 0, "/other"),
    ]:  # fmt: skip
        upload(
            film(), status, upload_type="hls", package="film-1-a", label=label, local_path=f"{root}/{label}",
            s3_path=f"films/1/{label}", progress=progress, details={"root": str(root)},
        )  # fmt: skip
    text = page(operator_client, kind="transcoding")
    assert "1 of 2 uploads of its package done" in text
    assert ("now", "Uploading", "60") in re.findall(
        r'<li data-state="(\w+)"><span>(\w+)</span>.*?<b>(\d+)%', text
    )
    assert "Uploads of its package" in page(operator_client, f"/jobs/transcoding/{job.pk}/")


def test_filters_stand_in_the_address(operator_client: Client) -> None:
    first, second = failed(episode(1)), upload(film("Tide"), destination=account("other"))
    assert shown(page(operator_client, status="failed")) == [first.pk]
    assert shown(page(operator_client, type="film")) == [second.pk]
    assert shown(page(operator_client, destination="other")) == [second.pk]
    assert shown(page(operator_client, error="rejected")) == [first.pk]
    assert shown(page(operator_client, q="tid")) == [second.pk]
    assert shown(page(operator_client, since="2026-03-03")) == []
    assert shown(page(operator_client, label="FHD")) == []
    text = page(operator_client, status="failed", q="harb")
    assert '<option value="failed" selected>' in text and 'value="harb"' in text


@pytest.mark.parametrize(
    "query", [{"status": "nonsense"}, {"before": "x"}, {"since": "soon"}, {"kind": "x"}, {"q": "\0"}]
)
def test_what_is_not_understood_counts_as_not_given(operator_client: Client, query: dict[str, str]) -> None:
    job = upload(episode())
    assert shown(page(operator_client, **query)) == [job.pk]


def test_the_list_comes_in_pages_newest_first(operator_client: Client) -> None:
    ids = [upload(episode(number)).pk for number in range(1, 31)][::-1]
    text = page(operator_client)
    assert shown(text) == ids[:15]
    assert f"before={ids[14]}" in text
    assert shown(page(operator_client, before=str(ids[14]))) == ids[15:]


def test_a_span_of_time_comes_in_pages_too(operator_client: Client) -> None:
    ids = [upload(episode(number)).pk for number in range(1, 31)][::-1]
    upload(film(), created_at=NOW + timedelta(days=9))
    span = {"since": "2026-03-01", "until": "2026-03-03"}
    assert shown(page(operator_client, **span)) == ids[:15]
    assert shown(page(operator_client, **span, before=str(ids[14]))) == ids[15:]


def test_the_page_takes_the_same_queries_however_many_jobs_there_are(
    operator_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(1, 13):
        upload(episode(number, season=1), "failed", cause=f"cause {number % 3}")
        transcoding(episode(number))
    page(operator_client)
    with django_assert_max_num_queries(45):
        page(operator_client)


def test_the_charts_tell_rates_durations_and_backlog(operator_client: Client) -> None:
    now = timezone.now()
    for number in range(1, 5):
        job = held(upload(episode(number), bytes_sent=1000), now=now - timedelta(seconds=10))
        job.fail(JobError("No."), now=now) if number == 4 else job.complete(now=now)
    upload(episode(5))
    text = page(operator_client)
    for words in ("75.0 %", "25.0 %", "10 s", "3 of 4 ended well", "100\xa0bytes/s"):
        assert words in text
    assert "7 days" in page(operator_client, span="7d")


# -------------------------------------------------------------------- one job


def test_the_page_of_a_job_tells_its_story(operator_client: Client) -> None:
    job = failed(episode(), "The platform said no.")
    job.retry(who="olga", now=NOW)
    text = page(operator_client, f"/jobs/upload/{job.pk}/")
    for words in ("The platform said no.", "Retried", "olga", "Attempt 1", "Timeline", "Why has it not run?"):
        assert words in text
    assert "No worker of the lane “upload” is alive" in text


def test_the_page_of_a_transcoding_ends_with_the_log_of_ffmpeg(operator_client: Client) -> None:
    job = transcoding(film(), "failed", source={"width": 1920, "height": 1080})
    for attempt in (1, 2):
        TranscodeLog.objects.create(
            job=job, attempt=attempt, stage="transcoding", command="ffmpeg -i a.mp4", exit_code=1, seconds=2.5,
            text="\n".join(f"line {attempt}-{number}" for number in range(300)), at=NOW,
        )  # fmt: skip
    text = page(operator_client, f"/jobs/transcoding/{job.pk}/")
    assert text.index("line 2-299") < text.index("line 1-299")
    assert "line 2-99\n" not in text and "100 lines left out" in text
    assert "1920×1080" in text


def test_what_a_page_shows_is_escaped(operator_client: Client) -> None:
    job = failed(film("<script>alert(1)</script>"), "<img src=x>")
    for address in ("/jobs/", f"/jobs/upload/{job.pk}/"):
        text = page(operator_client, address)
        assert "<script>alert(1)" not in text and "<img src=x" not in text


@pytest.mark.parametrize("address", ["/jobs/upload/999/", "/jobs/song/1/", f"/jobs/upload/{2**63}/"])
def test_a_job_that_is_not_there_is_404(operator_client: Client, address: str) -> None:
    assert operator_client.get(address).status_code == 404


# -------------------------------------------------------------------- buttons


def test_each_button_does_what_it_says(operator_client: Client) -> None:
    jobs = {
        name: failed(episode(number)) for number, name in enumerate(["retry", "handle", "cleanup", "delete"])
    }
    jobs["cancel"], jobs["sync"] = upload(episode(8)), upload(episode(9))
    for verb, job in jobs.items():
        answer = press(operator_client, f"/jobs/upload/{job.pk}/{verb}/")
        assert answer.status_code == 200, toast(answer)
        assert f"Upload {job.pk} " in toast(answer)
    assert {verb: fresh(job).status for verb, job in jobs.items()} == {
        "retry": "waiting", "handle": "failed", "cleanup": "failed", "delete": "failed",
        "cancel": "cancelled", "sync": "waiting",
    }  # fmt: skip
    assert fresh(jobs["handle"]).handled_at and fresh(jobs["delete"]).cleared_at


def test_what_is_refused_is_told_with_its_reason(operator_client: Client) -> None:
    job = upload(episode(), "completed")
    answer = press(operator_client, f"/jobs/upload/{job.pk}/retry/")
    assert answer.status_code == 409
    assert f"Upload {job.pk} stays as it is: already completed." in toast(answer)


def test_a_transcoding_is_retried_and_cancelled_alike(operator_client: Client) -> None:
    job = transcoding(film())
    before = job.client_id
    press(operator_client, f"/jobs/transcoding/{job.pk}/cancel/")
    assert fresh(job).status == "cancelled"
    press(operator_client, f"/jobs/transcoding/{job.pk}/retry/")
    assert (fresh(job).status, fresh(job).client_id != before) == ("waiting", True)


def test_all_that_match_are_retried_and_the_reasons_of_the_others_told(operator_client: Client) -> None:
    first, second = failed(episode(1)), failed(episode(2))
    upload(episode(2), "completed")
    other = failed(film())
    text = page(operator_client, type="episode")
    assert re.search(r'id="all-retry"[^>]*>Retry 2<', text)
    answer = press(operator_client, "/jobs/upload/all/retry/", filters="type=episode")
    assert "1 queued again, 1 refused: its video was delivered by upload" in toast(answer)
    assert [fresh(job).status for job in (first, second, other)] == ["waiting", "failed", "failed"]


def test_many_are_done_in_portions(operator_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "MOST_AT_ONCE", 2)
    jobs = [failed(episode(number)) for number in range(1, 6)]
    answer = press(operator_client, "/jobs/upload/all/retry/", filters="")
    assert "2 queued again, 3 left as they are" in toast(answer)
    assert sum(fresh(job).status == "waiting" for job in jobs) == 2


def test_all_that_match_are_deleted_cancelled_and_cleaned_up(operator_client: Client) -> None:
    done, waiting, broken = upload(episode(1), "completed"), upload(episode(2)), failed(episode(3))
    press(operator_client, "/jobs/upload/all/cleanup/", filters="")
    assert fresh(broken).progress == 0
    press(operator_client, "/jobs/upload/all/cancel/", filters="")
    assert fresh(waiting).status == "cancelled"
    answer = press(operator_client, "/jobs/upload/all/delete/", filters="status=completed")
    assert "1 upload deleted." in toast(answer)
    assert shown(page(operator_client)) == [broken.pk, waiting.pk]
    assert fresh(done).cleared_at


def test_failures_stand_together_by_cause(operator_client: Client) -> None:
    for number in range(1, 4):
        failed(episode(number), f"Episode {number} of *Harbour*: file missing at harbour/{number}.mp4.")
    failed(film(), "The platform is full.")
    text = page(operator_client)
    assert re.findall(r">(\d+) × Rejected<", text) == ["3", "1"]


def test_a_cause_is_retried_in_doses(operator_client: Client) -> None:
    jobs = [failed(episode(number), f"Slow down, {number}.") for number in range(1, 4)]
    other = failed(film(), "Something else.")
    cause = jobs[0].cause
    assert {job.cause for job in jobs} == {cause}
    press(
        operator_client, "/jobs/upload/all/retry/", per_minute="6",
        filters=urlencode({"status": "failed", "cause": cause}),
    )  # fmt: skip
    times = [fresh(job).not_before_at for job in jobs]
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [timedelta(seconds=10)] * 2
    assert fresh(other).status == "failed"


def test_what_is_marked_as_handled_needs_nobody_until_it_fails_again(operator_client: Client) -> None:
    job = failed(episode(), "No room.")
    press(operator_client, "/jobs/upload/all/handle/", filters=urlencode({"cause": job.cause}))
    text = page(operator_client)
    assert "Failures by cause" not in text and shown(text) == [job.pk]
    fresh(job).retry(who="olga", now=NOW)
    held(job).fail(JobError("No room."), now=NOW)
    assert "Failures by cause" in page(operator_client)


def test_fix_stuck_tells_what_was_put_right(operator_client: Client) -> None:
    job = held(upload(episode()), now=timezone.now() - timedelta(hours=1))
    answer = press(operator_client, "/jobs/upload/fix-stuck/")
    assert f"1 put right: Upload {job.pk} was stuck" in toast(answer)
    assert "Nothing is stuck." in toast(press(operator_client, "/jobs/upload/fix-stuck/"))


# -------------------------------------------------------------------- who may


def test_a_viewer_sees_everything_and_no_button(viewer_client: Client) -> None:
    job = failed(episode())
    text = page(viewer_client)
    assert shown(text) == [job.pk]
    assert "Retry" not in text and "Delete" not in text and "Fix stuck" not in text
    for address in (f"{job.pk}/retry", f"{job.pk}/delete", "all/retry", "all/delete", "fix-stuck"):
        assert press(viewer_client, f"/jobs/upload/{address}/").status_code == 403
    assert fresh(job).status == "failed"


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    assert client.get("/jobs/").status_code == 302
    assert TranscodeJob.objects.count() == 0
