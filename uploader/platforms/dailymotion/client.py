"""The client of one Dailymotion account, the same over all dialects."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, BinaryIO, Self

from uploader.platforms.dailymotion.addresses import Addresses
from uploader.platforms.dailymotion.answers import Purpose, error_for, is_token_refused, problem_of
from uploader.platforms.dailymotion.dialects import Call, Dialect
from uploader.platforms.dailymotion.legacy import PARTNER, PUBLIC
from uploader.platforms.dailymotion.records import (
    AccountLimits,
    Credentials,
    Identity,
    NewVideo,
    RemoteVideo,
    UploadedFile,
    UploadSession,
    require_description,
    require_tags,
    require_title,
)
from uploader.platforms.dailymotion.tokens import Tokens
from uploader.platforms.dailymotion.v2 import V2
from uploader.platforms.errors import CredentialsRejected, NotFound, OutcomeUnknown, Rejected, Unavailable
from uploader.platforms.http import Answer, Http, Timeouts
from uploader.platforms.multipart import MultipartFile
from uploader.platforms.values import integer, number, text

DIALECTS: dict[str, Dialect] = {"v2": V2(), "partner": PARTNER, "public": PUBLIC}
PAGES = 1000  # no list is longer; a server that always names a next page ends here


class Dailymotion:
    """
    One account over one connection pool; not shared between threads. Close it, or use it in a `with`.

    Every method raises the exceptions of `uploader.platforms.errors`; all but `create_video` may be repeated.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        clock: Callable[[], float] = time.time,
        timeouts: Timeouts | None = None,
    ) -> None:
        if credentials.dialect not in DIALECTS:
            raise CredentialsRejected(
                f"“{credentials.dialect}” is no Dailymotion dialect. Choose one of {', '.join(DIALECTS)}."
            )
        self._dialect = DIALECTS[credentials.dialect]
        self._addresses = Addresses.of(credentials, self._dialect)
        self._profile_id = credentials.profile_id
        self._clock = clock
        self._http = Http("Dailymotion", timeouts=timeouts or Timeouts())
        self._tokens = Tokens(credentials, token_url=self._addresses.token_url, http=self._http, clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def identify(self) -> Identity:
        """Who the credentials speak for; what “Test connection” asks."""
        body = self._ask(self._dialect.identify(self._profile_id), doing="name the account")
        return self._dialect.identity(body, self._profile_id)

    def limits(self) -> AccountLimits | None:
        """What the account may upload per video; None where the dialect does not tell."""
        call = self._dialect.limits_request()
        if call is None:
            return None
        return self._dialect.limits(self._ask(call, doing="tell the account's limits"))

    def open_upload(self) -> UploadSession:
        """A new pair of addresses for one file."""
        body = self._ask(self._dialect.open_upload(), doing="open an upload")
        session = UploadSession(_verbatim(body, "upload_url"), _verbatim(body, "progress_url"))
        self._addresses.require_upload_url(session.upload_url)
        return session

    def send_file(
        self,
        session: UploadSession,
        file: BinaryIO,
        *,
        filename: str,
        size_bytes: int,
        content_type: str = "video/mp4",
        on_progress: Callable[[int], None] | None = None,
    ) -> UploadedFile:
        """
        Sends the whole file as one multipart POST in constant memory.

        `on_progress` gets the bytes sent so far at every piece; what it raises stops the upload and comes out
        unchanged. Raises SourceChanged for a file that is not `size_bytes` long, UploadExpired for a session
        that ended, Unavailable when the upload broke off: then a new session is needed.
        """
        if size_bytes <= 0:
            raise Rejected(f"“{filename}” is empty. Dailymotion needs a video.")
        self._addresses.require_upload_url(session.upload_url)
        body = MultipartFile(
            file,
            field="file",
            filename=filename,
            size_bytes=size_bytes,
            content_type=content_type,
            on_progress=on_progress,
        )
        answer = self._http.upload(session.upload_url, body, headers={"Accept": "application/json"})
        received = self._body(answer, purpose=Purpose.UPLOAD, doing="take the file")
        url = _verbatim(received, "url")
        if not url:
            raise Unavailable("Dailymotion took the file but its answer does not say where it is.")
        milliseconds = number(received.get("duration"))
        return UploadedFile(
            url,
            hash=text(received.get("hash")),
            size_bytes=integer(received.get("size")) or size_bytes,
            duration_seconds=None if milliseconds is None else milliseconds / 1000,
        )

    def upload_progress(self, session: UploadSession) -> tuple[str, int | None, int | None]:
        """What has arrived of an upload: the state in Dailymotion's word, bytes received, bytes in all."""
        self._addresses.require_upload_url(session.progress_url)
        answer = self._http.call("GET", session.progress_url, headers={"Accept": "application/json"})
        body = self._body(answer, purpose=Purpose.UPLOAD, doing="tell the upload's progress")
        return text(body.get("state")), integer(body.get("received")), integer(body.get("size"))

    def create_video(self, uploaded_url: str, video: NewVideo) -> RemoteVideo:
        """
        Makes an uploaded file a video and publishes it. NOT repeatable: there is no idempotency key.

        Raises QuotaReached (the uploaded file stays usable), UploadExpired (send the file again), and
        OutcomeUnknown when it may have been applied: then look with `find_video` before trying again.
        """
        call = self._dialect.create(self._required_profile(), uploaded_url, video)
        body = self._ask(call, doing="create the video", purpose=Purpose.CREATE)
        created = self._dialect.video(body)
        if not created.video_id:
            raise OutcomeUnknown("Dailymotion accepted the video but its answer does not name it.")
        return created

    def get_video(self, video_id: str) -> RemoteVideo:
        """Raises NotFound when it is gone."""
        video = self._dialect.video(self._ask(self._dialect.get(video_id), doing="show the video"))
        if not video.video_id:
            raise Unavailable("Dailymotion's answer does not describe the video.")
        return video

    def list_videos(self, *, created_after: datetime, tag: str = "") -> Iterator[RemoteVideo]:
        """The account's videos, newest first; page by page, so the network is used while iterating."""
        call: Call | None = self._dialect.first_page(
            self._required_profile(), created_after=created_after, tag=tag
        )
        for _ in range(PAGES):
            if call is None:
                return
            body = self._ask(call, doing="list the videos")
            for row in self._dialect.listed(body):
                video = self._dialect.video(row) if isinstance(row, dict) else None
                if video and (not tag or _has_tag(video, tag)):
                    yield video
            following = self._dialect.next_page(call, body)
            call = None if following == call else following

    def find_video(
        self, *, tag: str, title: str, created_after: datetime, file_hash: str = ""
    ) -> list[RemoteVideo]:
        """
        The videos a `create_video` without an answer may have made.

        One matches by the tag; one without any tags by its title, and by the hash of the file if both sides
        know it. The platform's own tag filter is not used: its index may lag behind the list.
        """
        return [
            video
            for video in self.list_videos(created_after=created_after)
            if _is_ours(video, tag=tag, title=title, file_hash=file_hash)
        ]

    def publish_video(self, video_id: str) -> None:
        self._ask(self._dialect.publish(video_id), doing="publish the video")

    def edit_video(
        self,
        video_id: str,
        *,
        title: str | None = None,
        description: str | None = None,
        tags: tuple[str, ...] | None = None,
    ) -> None:
        """Changes what is given and leaves the rest."""
        if title is not None:
            require_title(title)
        if description is not None:
            require_description(description)
        if tags is not None:
            require_tags(tags)
        if title is None and description is None and tags is None:
            return
        call = self._dialect.edit(video_id, title=title, description=description, tags=tags)
        self._ask(call, doing="edit the video")

    def delete_video(self, video_id: str) -> None:
        """One that is gone already is no error."""
        try:
            self._ask(self._dialect.delete(video_id), doing="delete the video")
        except NotFound:
            return

    def _required_profile(self) -> str:
        """The configured profile, or the key's only one; empty where the dialect knows who is logged in."""
        if not self._profile_id and self._dialect.name == "v2":
            identity = self.identify()
            if not identity.profile_id:
                names = ", ".join(f"{each.name} ({each.profile_id})" for each in identity.profiles)
                raise CredentialsRejected(f"The key reaches several profiles: {names}. Choose one.")
            self._profile_id = identity.profile_id
        return self._profile_id

    def _ask(self, call: Call, *, doing: str, purpose: Purpose = Purpose.API) -> Mapping[str, Any]:
        """The parsed answer of an API call; a refused token is renewed once."""
        token = self._tokens.current()
        answer = self._send(call, token.value, purpose)
        problem = problem_of(answer, hide=self._tokens.hide)
        if problem and is_token_refused(answer, problem):
            answer = self._send(call, self._tokens.after(token).value, purpose)
            problem = problem_of(answer, hide=self._tokens.hide)
            if problem and is_token_refused(answer, problem):
                raise CredentialsRejected(
                    f"Dailymotion does not accept a fresh access token: {problem.sentence}. "
                    "Check the credentials, then use “Test connection”."
                )
        return self._body(answer, purpose=purpose, doing=doing)

    def _send(self, call: Call, token: str, purpose: Purpose) -> Answer:
        return self._http.call(
            call.method,
            self._addresses.api_url + call.path,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            params=call.params,
            json_body=call.json_body,
            form=call.form,
            repeatable=purpose is not Purpose.CREATE,
        )

    def _body(self, answer: Answer, *, purpose: Purpose, doing: str) -> Mapping[str, Any]:
        problem = problem_of(answer, hide=self._tokens.hide)
        if problem:
            raise error_for(answer, problem, purpose=purpose, doing=doing, clock=self._clock)
        if answer.status == 204 or not answer.body.strip():
            return {}
        try:
            body = answer.json()
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body
        if body == []:  # an empty object, as PHP writes it
            return {}
        if purpose is Purpose.CREATE:
            raise OutcomeUnknown(
                f"Dailymotion's answer was not whole (HTTP {answer.status}) when asked to {doing}."
            )
        raise Unavailable(f"Dailymotion's answer was not whole (HTTP {answer.status}) when asked to {doing}.")


def _verbatim(body: Mapping[str, Any], name: str) -> str:
    """An address: what is signed must go back exactly as it came. Empty for what is none."""
    value = body.get(name)
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else ""


def _has_tag(video: RemoteVideo, tag: str) -> bool:
    return tag.casefold() in (each.casefold() for each in video.tags)


def _is_ours(video: RemoteVideo, *, tag: str, title: str, file_hash: str) -> bool:
    if tag and video.tags:
        return _has_tag(video, tag)
    if " ".join(video.title.split()) != " ".join(title.split()):
        return False
    return not file_hash or not video.checksum or video.checksum.lower() == file_hash.lower()
