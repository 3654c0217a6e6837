"""A storage, whatever stands behind: a folder, or a bucket of a real S3 server."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import call_command
from urllib3.exceptions import InsecureRequestWarning

from config.environment import BadVariable, origins, storage_url
from tests.conftest import NOW
from tests.s3 import S3, Trouble, make_storage
from uploader.default_destinations import ensure_storage
from uploader.destinations import Destination
from uploader.platforms.errors import CredentialsRejected, Rejected
from uploader.transfer import places
from uploader.transfer.control import Control
from uploader.transfer.errors import (
    BucketMissing,
    ClockWrong,
    ConnectionBroken,
    KeysRejected,
    NoRoom,
    NotAPlace,
    ObjectMissing,
    Throttled,
    translated,
)
from uploader.transfer.places import Bucket, Folder
from uploader.transfer.storage import Storage
from uploader.transfer.streams import tls_of

HEADERS = {"Content-Type": "video/mp2t", "Cache-Control": "public, max-age=31536000, immutable"}


@pytest.fixture(params=["folder", "bucket"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Storage(Folder(tmp_path / "storage"))
    return request.getfixturevalue("storage").open_storage()


def test_what_was_put_is_listed_read_and_deleted(either: Storage) -> None:
    either.put("films/1/sd/seg 1é+.ts", b"0123456789", HEADERS)
    either.put("films/1/sd/index.m3u8", b"#EXTM3U", HEADERS)
    either.put("films/11/x.ts", b"no", HEADERS)
    listed = either.listing("films/1")
    assert {key: each.size_bytes for key, each in listed.items()} == {
        "films/1/sd/seg 1é+.ts": 10, "films/1/sd/index.m3u8": 7,
    }  # fmt: skip
    found = either.read("films/1/sd/seg 1é+.ts", start=2, end=5)
    assert (found.body, found.start, found.size_bytes) == (b"234", 2, 10)
    assert either.read("films/1/sd/index.m3u8").body == b"#EXTM3U"
    assert either.delete(["films/1/sd/index.m3u8", "films/1/sd/index.m3u8"]) == 2
    assert either.head("films/1/sd/index.m3u8") is None
    with pytest.raises(ObjectMissing):
        either.read("films/1/sd/index.m3u8")


def test_a_bucket_keeps_the_headers_and_names_the_checksum(storage: Destination, s3: S3, bucket: str) -> None:
    with storage.open_storage() as opened:
        tag = opened.put("a/seg.ts", b"hello", HEADERS)
    assert tag == hashlib.md5(b"hello").hexdigest()
    head = s3.client.head_object(Bucket=bucket, Key="a/seg.ts")
    assert (head["ContentType"], head["CacheControl"]) == tuple(HEADERS.values())


def test_a_prefix_is_put_before_every_key(s3: S3, bucket: str, db: None) -> None:
    opened = make_storage(s3, bucket, prefix="slotcast/films").open_storage()
    opened.put("1/a.ts", b"x", HEADERS)
    assert s3.keys(bucket) == ["slotcast/films/1/a.ts"]
    assert list(opened.listing("1")) == ["1/a.ts"]


def test_a_signed_address_gives_the_object_to_whoever_has_it(storage: Destination, s3: S3) -> None:
    with storage.open_storage() as opened:
        opened.put("a/seg.ts", b"hello", HEADERS)
        url = opened.signed_url("a/seg.ts", seconds=60)
    assert requests.get(url, timeout=30, verify=s3.ca_file or None).content == b"hello"
    assert storage.api_secret not in url


def test_the_connection_test_writes_reads_and_deletes(
    troubled: Destination, trouble: Trouble, s3: S3
) -> None:
    troubled.test_connection(who="olga", now=NOW)
    assert troubled.health == "ok"
    assert troubled.health_message.startswith("Wrote, read and deleted in Bucket")
    assert [each.method for each in trouble.asked if "?" not in each.path] == ["PUT", "GET", "DELETE", "HEAD"]
    assert s3.keys(troubled.bucket) == []


def test_a_bucket_that_is_missing_is_said_so(s3: S3, db: None) -> None:
    gone = make_storage(s3, "slotcast-no-such-bucket")
    with pytest.raises(BucketMissing, match="no such bucket"):
        gone.test_connection(who="olga", now=NOW)
    assert "no such bucket" in gone.health_message
    with pytest.raises(BucketMissing):
        gone.open_storage().listing("films")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((403, "InvalidAccessKeyId"), KeysRejected),
        ((403, "SignatureDoesNotMatch"), KeysRejected),
        ((403, "RequestTimeTooSkewed"), ClockWrong),
        ((503, "SlowDown"), Throttled),
        ((404, "NoSuchBucket"), BucketMissing),
        ((301, "PermanentRedirect"), CredentialsRejected),
        ("reset", ConnectionBroken),
    ],
)
def test_each_answer_is_a_condition_of_its_own(
    troubled: Destination, trouble: Trouble, answer: Any, error: type[Exception]
) -> None:
    trouble.fault = lambda asked: answer
    opened = troubled.open_storage()
    for call in (
        lambda: opened.put("a/b.ts", b"x", HEADERS),
        lambda: opened.listing("a"),
        lambda: opened.read("a/b.ts"),
    ):
        with pytest.raises(error) as caught:
            call()
        assert "testsecret" not in str(caught.value)


def test_no_server_at_all_is_a_broken_connection(db: None) -> None:
    away = make_storage(S3("http://127.0.0.1:9"), "bucket")
    with pytest.raises(ConnectionBroken, match="no connection"):
        away.open_storage().put("a", b"x", HEADERS)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"name": "A_b"}, "no name of a bucket"),
        ({"prefix": "../up"}, "no usable prefix"),
        ({"key": ""}, "keys of the storage are missing"),
        ({"endpoint": "", "region": ""}, "Say where the bucket is"),
        ({"endpoint": "http://s3.example.com"}, "Use https"),
        ({"endpoint": "https://user@s3.example.com"}, "no address"),
        ({"endpoint": "https://s3.example.com/path"}, "no address"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(given: dict[str, str], wanted: str) -> None:
    good = {
        "name": "bucket", "prefix": "films", "key": "k", "secret": "s",
        "endpoint": "https://s3.example.com", "region": "",
    }  # fmt: skip
    places.bucket(**good)
    with pytest.raises(NotAPlace, match=wanted):
        places.bucket(**{**good, **given})


def test_spaces_is_found_by_its_region_and_speaks_to_the_bucket_s_host() -> None:
    place = places.bucket(name="my-space", prefix="", key="k", secret="hidden", endpoint="", region="fra1")
    assert place.address == "https://my-space.fra1.digitaloceanspaces.com"
    assert place.region == "us-east-1"
    assert "hidden" not in f"{place!r} {place}"
    copied = places.bucket(
        name="my-space", prefix="", key="k", secret="s", region="",
        endpoint="https://my-space.fra1.digitaloceanspaces.com",
    )  # fmt: skip
    assert copied.address == place.address
    own = places.bucket(
        name="films", prefix="", key="k", secret="s", endpoint="https://s3.example.com", region="eu-1"
    )
    assert (own.address, own.region) == ("https://s3.example.com/films", "eu-1")


@pytest.mark.parametrize("connects", [tls_of, Control])
def test_a_server_of_this_machine_that_is_not_checked_fills_no_log(
    connects: Callable[[Bucket], object],
) -> None:
    given = {"name": "films", "prefix": "", "key": "k", "secret": "s", "region": ""}
    place = replace(places.bucket(**given, endpoint="https://localhost:7481"), checks_certificate=False)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        connects(place)
        warnings.warn("Unverified HTTPS request", InsecureRequestWarning, stacklevel=1)
    assert not warned


def test_the_environment_makes_the_storage(settings: Any, tmp_path: Path, db: None) -> None:
    settings.STORAGE = {**settings.STORAGE, "url": (tmp_path / "my files").as_uri()}
    destination = ensure_storage(NOW)
    assert (destination.name, destination.platform) == ("spaces", "spaces")
    destination.test_connection(who="olga", now=NOW)
    assert destination.health_message == f"Wrote, read and deleted in Folder {tmp_path / 'my files'}"
    settings.STORAGE = {
        **settings.STORAGE, "url": "s3://my-space/films", "key": "k", "secret": "s", "region": "nyc3", "endpoint": "",
    }  # fmt: skip
    assert str(destination.place) == "Bucket my-space/films at nyc3.digitaloceanspaces.com"


def test_a_storage_takes_neither_videos_nor_posts(storage: Destination) -> None:
    for opening in (storage.open_dailymotion, storage.open_onlysocial):
        with pytest.raises(Rejected):
            opening()
    assert storage not in Destination.objects.for_videos()
    assert storage in Destination.objects.for_packages()


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ({"url": "s3://my-space", "key": ""}, "The keys of the storage are missing"),
        ({"url": "s3://my-space", "endpoint": "http://127.0.0.1:9"}, "no connection"),
        ({"url": "file://relative/path"}, "with three slashes"),
    ],
)
def test_doctor_says_what_the_storage_lacks(
    settings: Any, db: None, place: dict[str, str], wanted: str
) -> None:
    settings.STORAGE = {**settings.STORAGE, "key": "k", "secret": "hidden", "region": "fra1", **place}
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--json", stdout=out)
    [finding] = [each for each in json.loads(out.getvalue()) if each["what"] == "Storage"]
    assert wanted in finding["found"] and "STORAGE_URL" in finding["fix"]
    assert "hidden" not in out.getvalue()


def test_doctor_says_whether_players_of_other_sites_can_read_the_bucket(
    settings: Any, s3: S3, bucket: str, db: None
) -> None:
    settings.STORAGE = {
        **settings.STORAGE, "url": f"s3://{bucket}/films", "key": s3.key, "secret": s3.secret, "region": "us-east-1",
        "endpoint": s3.url,
    }  # fmt: skip
    settings.PLAYER_ORIGINS = ["https://films.example.com"]

    def finding() -> dict[str, str]:
        out = io.StringIO()
        with pytest.raises(SystemExit):
            call_command("doctor", "--json", stdout=out)
        [found] = [each for each in json.loads(out.getvalue()) if each["what"].startswith("Players of")]
        return dict(found)

    assert "answers 403" in finding()["found"] and "bucket-policy.json" in finding()["fix"]
    s3.let_everybody_read(bucket, "films")
    assert "no CORS rule" in finding()["found"] and "bucket-cors.json" in finding()["fix"]
    s3.open_to("https://other.example.com", bucket, "films")
    assert "no CORS rule" in finding()["found"]
    s3.open_to("https://films.example.com", bucket, "films")
    assert finding() == {
        "what": "Players of https://films.example.com",
        "found": "can read the bucket",
        "fix": "",
    }
    assert s3.keys(bucket) == []


def test_players_of_other_sites_need_a_bucket(settings: Any, tmp_path: Path, db: None) -> None:
    settings.STORAGE = {**settings.STORAGE, "url": (tmp_path / "storage").as_uri()}
    settings.PLAYER_ORIGINS = ["https://films.example.com"]
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)
    assert "Players of https://films.example.com: cannot read a folder of this machine" in out.getvalue()


@pytest.mark.parametrize(
    "given", ["films.example.com", "https://films.example.com/watch", "https://a@b", "ftp://x"]
)
def test_what_is_no_site_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("PLAYER_ORIGINS", f"https://ok.example.com, {given}")
    with pytest.raises(BadVariable, match="PLAYER_ORIGINS"):
        origins("PLAYER_ORIGINS")


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "s3://", "file://host/path", "s3://user@bucket", "bucket", "s3://b?x=1"]
)
def test_an_address_that_is_no_storage_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("STORAGE_URL", url)
    with pytest.raises(BadVariable, match="STORAGE_URL"):
        storage_url("STORAGE_URL", "file:///var/storage")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Unable to copy data to file: No space left on device (os error 28)", NoRoom),
        ("Permission denied (os error 13)", KeysRejected),
        ("HTTP error: InvalidCertificate(UnknownIssuer) kind: Connect", CredentialsRejected),
        ("InvalidCertificate(Other(OtherError(CaUsedAsEndEntity)))", CredentialsRejected),
        ("kind: Timeout, operation timed out", ConnectionBroken),
        ("status code: 403 Forbidden: <Error><Code>QuotaExceeded</Code></Error>", NoRoom),
    ],
)
def test_words_without_an_answer_are_conditions_too(text: str, error: type[Exception]) -> None:
    found = translated(OSError(text), "Bucket films")
    assert isinstance(found, error)
    assert "Bucket films" in str(found)
