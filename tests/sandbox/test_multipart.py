from __future__ import annotations

import os

import pytest

from sandbox.multipart import MultipartError, SinglePart, boundary_of
from tests.sandbox.client import multipart

TRICKY = b"\r\n--b0un\r\n--b0unD--\r\n\r\n--" * 3 + b"\r\n--b0u" + os.urandom(300) + b"\r"


def read(body: bytes, step: int) -> tuple[bytes, str]:
    got = bytearray()
    part = SinglePart(b"b0und", field="file", sink=got.extend)
    for start in range(0, len(body), step):
        part.feed(body[start : start + step])
    part.finish()
    return bytes(got), part.filename


@pytest.mark.parametrize("step", [1, 2, 3, 7, 9, 10, 11, 64, 100, 1000, 10_000])
def test_the_file_is_the_same_however_the_body_is_cut(step: int) -> None:
    assert read(multipart(TRICKY), step) == (TRICKY, "ep-001.mp4")


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize("ending", [b"", b"\r\n", b"\r\nepilogue"])
def test_the_end_may_be_followed_by_little(step: int, ending: bytes) -> None:
    body = multipart(b"video").removesuffix(b"\r\n") + ending
    assert read(body, step)[0] == b"video"


@pytest.mark.parametrize("step", [1, 9, 1000])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        multipart(b"video")[:-10],
        multipart(b"video").removesuffix(b"--\r\n"),
        multipart(b"video", field="video"),
        multipart(b"video", boundary="other"),
        multipart(b"video").removesuffix(b"--\r\n") + b"\r\n" + multipart(b"more"),
        b"preamble\r\n" + multipart(b"video"),
        multipart(b"video").replace(b'; filename="ep-001.mp4"', b""),
        b"--b0und\r\n" + b"x" * 20_000,
    ],
)
def test_anything_but_one_whole_part_is_refused(body: bytes, step: int) -> None:
    with pytest.raises(MultipartError):
        read(body, step)


def test_the_boundary_is_read_from_the_header() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    for value in ("", "multipart/form-data", "multipart/mixed; boundary=x"):
        with pytest.raises(MultipartError):
            boundary_of(value)
