from __future__ import annotations

import hashlib

import requests

from sandbox.server import Sandbox
from tests.sandbox.client import TIMEOUT, Client

DATA = bytes(range(256)) * 40


def put(url: str, first: int, last: int, *, total: int = len(DATA), **headers: str) -> requests.Response:
    given = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="ep-001.mp4"',
        "Content-Range": f"bytes {first}-{last}/{total}",
        **headers,
    }
    return requests.post(url, data=DATA[first : last + 1], headers=given, timeout=TIMEOUT)


def test_pieces_in_any_order_become_one_file(v2: Client) -> None:
    url = v2.open_upload().json()["upload_url"]
    later = put(url, 4000, 5999)
    assert (later.status_code, later.headers["Range"]) == (202, f"4000-5999/{len(DATA)}")
    assert later.json()["received"] == 2000
    first = put(url, 0, 1999)
    assert first.headers["Range"] == f"0-1999,4000-5999/{len(DATA)}"
    assert put(url, 2000, 3999).headers["Range"] == f"0-5999/{len(DATA)}"
    done = put(url, 6000, len(DATA) - 1)
    assert done.status_code == 200
    assert done.json()["hash"] == hashlib.sha1(DATA).hexdigest()
    assert v2.create(done.json()["url"]).status_code == 201


def test_a_piece_already_there_answers_416_with_what_is_stored(v2: Client) -> None:
    url = v2.open_upload().json()["upload_url"]
    put(url, 0, 1999)
    again = put(url, 500, 999)
    assert (again.status_code, again.headers["Range"]) == (416, f"0-1999/{len(DATA)}")
    assert again.headers["Content-Type"].startswith("application/json")


def test_a_piece_lost_on_its_way_may_be_sent_again(v2: Client, sandbox: Sandbox) -> None:
    url = v2.open_upload().json()["upload_url"]
    sandbox.add_fault("upload", status=500)
    assert put(url, 0, 4999).status_code == 500
    assert put(url, 0, 4999).status_code == 202
    assert put(url, 5000, len(DATA) - 1).status_code == 200


def test_a_range_that_does_not_fit_is_refused(v2: Client) -> None:
    url = v2.open_upload().json()["upload_url"]
    assert put(url, 0, 99, **{"Content-Range": "bytes 0-98/10240"}).status_code == 400
    assert put(url, 0, 99, **{"Content-Range": "0-99/10240"}).status_code == 400
    assert put(url, 0, 99, total=50).status_code == 400
    assert put(url, 0, 99, **{"Content-Disposition": "attachment"}).status_code == 400
    assert put(url, 0, 99).status_code == 202
    assert put(url, 100, 199, total=len(DATA) + 1).status_code == 400


def test_a_finished_session_takes_no_more_pieces(v2: Client) -> None:
    url = v2.open_upload().json()["upload_url"]
    assert put(url, 0, len(DATA) - 1).status_code == 200
    assert put(url, 0, 99).status_code == 400
