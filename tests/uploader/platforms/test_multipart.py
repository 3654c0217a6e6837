"""The body of an upload: its length, its bytes, and what happens when the file does not hold still."""

import io
from email import message_from_bytes
from email.message import Message

import pytest

from uploader.platforms.errors import SourceChanged, SourceUnreadable
from uploader.platforms.multipart import PIECE_BYTES, Interrupted, MultipartFile, escaped


def body_of(
    content: bytes, *, size_bytes: int | None = None, filename="ep-001.mp4", **options
) -> MultipartFile:
    return MultipartFile(
        io.BytesIO(content),
        field="file",
        filename=filename,
        size_bytes=len(content) if size_bytes is None else size_bytes,
        content_type="video/mp4",
        **options,
    )


def drained(body: MultipartFile) -> bytes:
    return b"".join(iter(lambda: body.read(PIECE_BYTES), b""))


def parsed(body: MultipartFile) -> list[Message]:
    message = message_from_bytes(b"Content-Type: " + body.content_type.encode() + b"\r\n\r\n" + drained(body))
    return list(message.get_payload())


@pytest.mark.parametrize("size", [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_the_announced_length_is_the_length(size):
    body = body_of(b"v" * size)
    announced = len(body)
    assert len(drained(body)) == announced


def test_the_only_part_is_the_file():
    [part] = parsed(body_of(b"\x00\r\n--\xff" * 9))
    assert part.get_content_type() == "video/mp4"
    assert part.get_param("name", header="Content-Disposition") == "file"
    assert part.get_filename() == "ep-001.mp4"
    assert part.get_payload(decode=True) == b"\x00\r\n--\xff" * 9


def test_fields_come_before_the_file():
    field, file = parsed(body_of(b"video", fields=[("alt_text", "Hafen – Folge 1")]))
    assert field.get_param("name", header="Content-Disposition") == "alt_text"
    assert field.get_payload(decode=True).decode() == "Hafen – Folge 1"
    assert file.get_payload(decode=True) == b"video"


def test_each_body_has_its_own_boundary():
    assert body_of(b"a").content_type != body_of(b"a").content_type


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ('the "best" one.mp4', "the %22best%22 one.mp4"),
        ("two\r\nlines.mp4", "two%0D%0Alines.mp4"),
        ("🎬 Folge 7 ü.mp4", "🎬 Folge 7 ü.mp4"),
        ("50% off; a=b.mp4", "50% off; a=b.mp4"),
    ],
)
def test_a_file_name_cannot_break_out_of_its_header(name, sent):
    assert escaped(name) == sent
    head = body_of(b"v", filename=name).read()
    assert f'filename="{sent}"\r\nContent-Type: video/mp4\r\n\r\n'.encode() in head
    assert head.count(b"\r\n") == 4


def test_a_file_name_that_is_no_text_is_sent_all_the_same():
    body = body_of(b"v", filename=b"caf\xe9.mp4".decode("utf-8", "surrogateescape"))
    assert b'filename="caf?.mp4"' in body.read()


def test_the_file_is_sent_from_its_first_byte():
    file = io.BytesIO(b"video")
    file.read()
    body = MultipartFile(file, field="file", filename="a.mp4", size_bytes=5, content_type="video/mp4")
    assert b"\r\n\r\nvideo\r\n" in drained(body)


def test_a_file_that_shrank_is_never_padded():
    body = body_of(b"vid", size_bytes=5)
    with pytest.raises(Interrupted) as caught:
        drained(body)
    assert isinstance(caught.value.cause, SourceChanged)
    assert str(caught.value.cause) == "“ep-001.mp4” shrank during the upload: 3 of 5 bytes were left."
    assert body.read() == b""


def test_a_file_that_grew_never_gets_its_closing_line():
    body = body_of(b"videos", size_bytes=5)
    pieces = []
    with pytest.raises(Interrupted) as caught:
        pieces.extend(iter(body.read, b""))
    assert isinstance(caught.value.cause, SourceChanged)
    assert pieces[-1] == b"video"


def test_a_file_that_cannot_be_read_says_so():
    class Torn(io.BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    body = MultipartFile(Torn(), field="file", filename="a.mp4", size_bytes=5, content_type="video/mp4")
    with pytest.raises(Interrupted) as caught:
        drained(body)
    assert isinstance(caught.value.cause, SourceUnreadable)
    assert str(caught.value.cause) == "“a.mp4” could not be read after 0 bytes: Input/output error."


def test_progress_counts_the_bytes_that_have_left():
    seen: list[int] = []
    drained(body_of(b"v" * (2 * PIECE_BYTES + 5), on_progress=seen.append))
    assert seen == [0, PIECE_BYTES, 2 * PIECE_BYTES, 2 * PIECE_BYTES + 5]


def test_what_the_progress_callback_raises_is_kept():
    stop = BrokenPipeError("cancelled")

    def cancel(sent: int) -> None:
        raise stop

    with pytest.raises(Interrupted) as caught:
        drained(body_of(b"video", on_progress=cancel))
    assert caught.value.cause is stop
