"""What each refusal means, and lenient reading."""

import json
from datetime import UTC, datetime

import pytest
from requests.structures import CaseInsensitiveDict

from uploader.platforms.dailymotion.answers import HOUR, Purpose, error_for, is_token_refused, problem_of
from uploader.platforms.errors import (
    CredentialsRejected,
    NotFound,
    OutcomeUnknown,
    QuotaReached,
    RateLimited,
    Rejected,
    Unavailable,
    UploadExpired,
)
from uploader.platforms.http import Answer
from uploader.platforms.values import DAY, flag, integer, moment, number, retry_after, shown, text, words

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC).timestamp()


def answer_of(status: int, body: object = None, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, CaseInsensitiveDict({k.replace("_", "-"): v for k, v in headers.items()}), raw)


def v2(code: str, message: str, **details) -> dict:
    return {"error": {"code": code, "message": message, "correlation_id": "550e8400", "details": details}}


def legacy(code: int, message: str, **data) -> dict:
    return {"error": {"code": code, "message": message, "type": "x", "error_data": data}}


def problem_in(answer: Answer):
    return problem_of(answer, hide=str)


def error_of(answer: Answer, purpose: Purpose = Purpose.API):
    return error_for(answer, problem_in(answer), purpose=purpose, doing="create the video", clock=lambda: NOW)


CASES = [
    (Purpose.API, answer_of(400, legacy(400, "Bad title")), Rejected),
    (Purpose.API, answer_of(422, v2("VALIDATION_ERROR", "Bad title")), Rejected),
    (Purpose.API, answer_of(404, v2("RESOURCE_NOT_FOUND", "Gone", object_type="Video")), NotFound),
    (Purpose.API, answer_of(404, legacy(404, "Gone", object_type="user")), CredentialsRejected),
    (Purpose.API, answer_of(403, v2("MISSING_PERMISSIONS", "Missing permission")), CredentialsRejected),
    (Purpose.API, answer_of(403, legacy(403, "Blocked for spam")), CredentialsRejected),
    (Purpose.API, answer_of(409, v2("CONFLICT", "Being changed")), OutcomeUnknown),
    (Purpose.API, answer_of(429, v2("TOO_MANY_REQUESTS", "Slow down")), RateLimited),
    (Purpose.API, answer_of(301, b""), Unavailable),
    (Purpose.API, answer_of(408, b""), Unavailable),
    (Purpose.API, answer_of(500, v2("INTERNAL", "Oops")), Unavailable),
    (Purpose.API, answer_of(502, b"<html>"), Unavailable),
    (Purpose.API, answer_of(200, {"error": "something"}), Unavailable),
    (Purpose.API, answer_of(200, legacy(400, "Bad title")), Rejected),
    (Purpose.CREATE, answer_of(400, legacy(400, "Bad title")), Rejected),
    (Purpose.CREATE, answer_of(404, v2("RESOURCE_NOT_FOUND", "No file", object_type="File")), UploadExpired),
    (
        Purpose.CREATE,
        answer_of(404, v2("RESOURCE_NOT_FOUND", "No", object_type="Profile")),
        CredentialsRejected,
    ),
    (Purpose.CREATE, answer_of(429, v2("TOO_MANY_REQUESTS", "Slow down")), QuotaReached),
    (Purpose.CREATE, answer_of(403, legacy(403, "You have reached your upload limit")), QuotaReached),
    (Purpose.CREATE, answer_of(403, legacy(403, "Upload rate exceeded")), QuotaReached),
    (Purpose.CREATE, answer_of(403, legacy(403, "Unsufficient scope, rate limited")), CredentialsRejected),
    (Purpose.CREATE, answer_of(403, legacy(403, "Corporate account suspended")), CredentialsRejected),
    (Purpose.CREATE, answer_of(409, v2("CONFLICT", "Being changed")), OutcomeUnknown),
    (Purpose.CREATE, answer_of(503, v2("DOWN", "Maintenance")), OutcomeUnknown),
    (Purpose.CREATE, answer_of(504, b"<html>"), OutcomeUnknown),
    (Purpose.CREATE, answer_of(200, {"error": "something"}), OutcomeUnknown),
    (Purpose.UPLOAD, answer_of(404, {"error": "Unknown upload session"}), UploadExpired),
    (Purpose.UPLOAD, answer_of(410, b""), UploadExpired),
    (Purpose.UPLOAD, answer_of(403, b"<html>"), UploadExpired),
    (Purpose.UPLOAD, answer_of(400, {"error": "The upload session has expired"}), UploadExpired),
    (Purpose.UPLOAD, answer_of(400, {"error": {"code": 400, "message": "Invalid request"}}), Rejected),
    (Purpose.UPLOAD, answer_of(413, b"<html>"), Rejected),
    (Purpose.UPLOAD, answer_of(409, b""), Unavailable),
    (Purpose.UPLOAD, answer_of(429, b""), RateLimited),
    (Purpose.UPLOAD, answer_of(500, {"error": {"code": 500, "message": "Server error"}}), Unavailable),
    (Purpose.UPLOAD, answer_of(200, {"error": "Server error"}), Unavailable),
]


@pytest.mark.parametrize(("purpose", "answer", "kind"), CASES)
def test_each_refusal_has_its_meaning(purpose, answer, kind):
    assert type(error_of(answer, purpose)) is kind


def test_the_message_names_the_action_the_reason_and_the_reference():
    error = error_of(answer_of(422, v2("VALIDATION_ERROR", "The title\nis too long.")))
    assert str(error) == (
        "Dailymotion refused to create the video: “The title is too long.” (HTTP 422, correlation 550e8400)."
    )


def test_a_missing_scope_is_named():
    missing = {
        "missing_permissions": ["video.manage"],
        "required_permissions": ["video.manage", "video.read"],
    }
    error = error_of(answer_of(403, v2("MISSING_PERMISSIONS", "Missing.", **missing)))
    assert str(error).endswith(" The key lacks video.manage.")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("1.5", 1.5),
        ("0", 1),
        ("9" * 15, 7 * DAY),
        ("Fri, 20 Nov 2026 10:05:00 GMT", 300),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value, seconds):
    assert retry_after(answer_of(429, Retry_After=value), clock=lambda: NOW) == seconds


def test_without_retry_after_the_api_pauses_an_hour_and_uploads_a_day():
    assert error_of(answer_of(429)).delay_seconds == HOUR
    assert error_of(answer_of(429), Purpose.CREATE).delay_seconds == DAY
    assert error_of(answer_of(429, Retry_After="60"), Purpose.CREATE).delay_seconds == 60


@pytest.mark.parametrize(
    ("answer", "is_refused"),
    [
        (answer_of(401, b""), True),
        (answer_of(403, v2("AUTHORIZATION_EXPIRED", "x")), True),
        (answer_of(400, legacy(400, "x"), WWW_Authenticate='Bearer error="invalid_token"'), True),
        (answer_of(403, legacy(403, "x"), WWW_Authenticate='Bearer error="invalid_token"'), True),
        (answer_of(403, legacy(403, "x"), WWW_Authenticate='Bearer error="insufficient_scope"'), False),
        (answer_of(403, legacy(403, "x")), False),
    ],
)
def test_a_refused_token_is_told_from_a_refused_request(answer, is_refused):
    assert is_token_refused(answer, problem_in(answer)) is is_refused


@pytest.mark.parametrize("body", [{"id": "x1"}, {"error": None}, {"error": ""}, [], 7, b"", b"<html>"])
def test_a_good_status_without_an_error_is_no_problem(body):
    assert problem_in(answer_of(200, body)) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"detail": [{"msg": "invalid scope", "type": "value_error"}]}, "invalid scope"),
        ({"error": "invalid_grant", "error_description": "Wrong password"}, "invalid_grant – Wrong password"),
        ({"message": "Nope"}, "Nope"),
        ([1], ""),
        (b"<html>Bad gateway</html>", ""),
    ],
)
def test_every_form_of_error_body_gives_its_message(body, message):
    assert problem_in(answer_of(422, body)).message == message


def test_the_platform_s_words_are_made_fit_to_show():
    assert shown("No file at https://up.dailymotion.com/f.mp4#c2VhbA== here") == (
        "No file at https://up.dailymotion.com/f.mp4… here"
    )
    assert shown("at 'https://a.b/c?seal=1&x=2', sorry") == "at 'https://a.b/c…', sorry"
    assert len(shown("word " * 1000)) == 300


def test_what_must_not_be_shown_is_taken_out_of_the_message():
    problem = problem_of(answer_of(400, legacy(400, "Bad key k3y")), hide=lambda m: m.replace("k3y", "•••"))
    assert problem.message == "Bad key •••"


def test_numbers_times_flags_and_lists_are_read_leniently():
    assert [integer(v) for v in ("36920", 36920.9, " 7 ", None, "", "x", True, "nan", "1e999")] == [
        36920, 36920, 7, None, None, None, None, None, None,
    ]  # fmt: skip
    assert number("12.5") == 12.5
    assert [flag(v) for v in (True, "true", "1", 1, "yes", False, "false", 0, None, "no")] == [True] * 5 + [
        False
    ] * 5
    expected = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    for value in (
        "2026-11-20T10:00:00Z",
        "2026-11-20T11:00:00+01:00",
        "2026-11-20T10:00:00",
        NOW,
        str(int(NOW)),
    ):
        assert moment(value) == expected
    assert moment("yesterday") is moment(None) is moment(10**17) is None
    assert words("a, b,,c") == words(["a", "b", "", "c", None]) == ("a", "b", "c")
    assert words(None) == ()
    assert text(7) == "7"
    assert text("a\0b\ud800 ") == "ab?"
    assert text({}) == text(True) == ""
