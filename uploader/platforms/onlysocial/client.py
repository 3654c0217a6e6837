"""The client of one OnlySocial workspace."""

import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Any, BinaryIO, Self

from jobs.polite.addresses import host_of, split
from uploader import library
from uploader.platforms.errors import CredentialsRejected, NotFound, OutcomeUnknown, Rejected, Unavailable
from uploader.platforms.http import Answer, Http, Timeouts
from uploader.platforms.multipart import MultipartFile
from uploader.platforms.onlysocial import bodies
from uploader.platforms.onlysocial.answers import (
    Purpose,
    account_of,
    error_for,
    is_under_way,
    json_of,
    media_of,
    post_of,
    record,
    records,
)
from uploader.platforms.onlysocial.records import (
    MEDIA_BYTES,
    Acceptance,
    Account,
    Credentials,
    Draft,
    Identity,
    Media,
    Post,
)
from uploader.platforms.values import flag, moment, text

API_URL = "https://app.onlysocial.io/os/api"
# The platform makes a thumbnail before it answers an upload.
TIMEOUTS = Timeouts(upload_answer=300)
# A connection idle for less is used again for a request that cannot be repeated. Proxies close theirs after
# 5 (Apache) to 75 seconds (nginx); one closed already is noticed before anything is sent on it.
KEEP_ALIVE_SECONDS = 4.0
MEDIA_PAGES = 3
POST_PAGES = 2

# What stands behind “/os/” in the address of the dashboard.
WORKSPACE = re.compile(r"[\w-]{1,64}", re.ASCII)
_UUID = re.compile(r"[\w-]{1,64}", re.ASCII)


class OnlySocial:
    """
    One workspace. Safe to be used from several threads: each has its own connection, kept open between
    requests. Close it, or use it in a `with`.

    Every method raises the exceptions of `uploader.platforms.errors`. There are no idempotency keys: where
    `upload_media`, `create_post` or `publish_now` raises OutcomeUnknown, look with `find_media`, `find_posts`
    or `read_post` before doing it again.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        clock: Callable[[], float] = time.time,
        timeouts: Timeouts = TIMEOUTS,
        max_media_bytes: int = MEDIA_BYTES,
    ) -> None:
        self._base = _base_of(credentials)
        self._key = credentials.key
        self._post_format = credentials.post_format
        self._headers = {"Authorization": f"Bearer {credentials.key}", "Accept": "application/json"}
        self._clock = clock
        self._timeouts = timeouts
        self._max_media_bytes = max_media_bytes
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._opened: list[Http] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all threads; none may be using the client any more."""
        with self._lock:
            for http in self._opened:
                http.close()
            self._opened.clear()
            self._mine = threading.local()

    def warm(self) -> None:
        """Open this thread's connection, so that the next request finds it; sends nothing.

        Raises Unavailable when the platform cannot be reached.
        """
        self._http.warm(self._base)

    # ---------------------------------------------------------------- accounts

    def identify(self) -> Identity:
        """What the credentials reach; what “Test connection” asks."""
        accounts = self.accounts()
        lost = sum(not account.is_authorized for account in accounts)
        noun = "account" if len(accounts) == 1 else "accounts"
        note = f", {lost} to be reconnected" if lost else ""
        return Identity(name=f"the workspace, {len(accounts)} social {noun}{note}")

    def accounts(self) -> list[Account]:
        """The social accounts of the workspace, authorized or not."""
        body = self._look("/accounts", doing="list the accounts")
        return [account for account in map(account_of, records(body)) if account]

    # ---------------------------------------------------------------- media

    def upload_media(
        self,
        source: BinaryIO | str,
        *,
        name: str,
        size: int,
        content_type: str = "video/mp4",
        on_progress: Callable[[int], None] | None = None,
    ) -> Media:
        """
        Sends one file, `size` bytes long, in constant memory; `source` is a stream or a path in the library.

        `name` must be one no other upload has: by it `find_media` finds a file whose answer was lost.
        `on_progress` gets the bytes sent so far at every piece; what it raises stops the upload and comes out
        unchanged. Raises Rejected for a file that is too large, SourceChanged for one that is not `size`
        bytes long, Unavailable when the upload broke off, and OutcomeUnknown when all of it was sent but no
        answer came. NOT repeatable without a look.
        """
        if size <= 0:
            raise Rejected(f"“{name}” is empty. OnlySocial needs a file.")
        if size > self._max_media_bytes:
            raise Rejected(
                f"“{name}” has {size:,} bytes; OnlySocial takes at most {self._max_media_bytes:,}. "
                "Make it smaller, then retry."
            )
        with ExitStack() as opened:
            file = opened.enter_context(library.open_video(source)) if isinstance(source, str) else source
            body = MultipartFile(
                file,
                field="file",
                filename=name,
                size_bytes=size,
                content_type=content_type,
                on_progress=on_progress,
            )
            url = f"{self._base}/media"
            answer = self._http.upload(url, body, headers=self._headers, repeatable=False)
        media = media_of(record(self._body(answer, purpose=Purpose.MEDIA, doing="take the file")))
        if media is None:
            raise OutcomeUnknown("OnlySocial took the file but its answer does not name it.")
        return media

    def find_media(self, name: str, *, pages: int = MEDIA_PAGES) -> Media | None:
        """The file uploaded under this name, among the newest pages; None: it is not there."""
        found = (media_of(each) for each in self._pages("/media", pages=pages, doing="list the media"))
        return next((media for media in found if media and media.name == name), None)

    def delete_media(self, media_id: int) -> None:
        """Takes a file away that no post names. One that is gone already is no error."""
        try:
            self._change("DELETE", "/media", {"items": [media_id]}, doing="delete the file")
        except NotFound:
            return

    # ---------------------------------------------------------------- posts

    def create_post(self, draft: Draft) -> str:
        """Makes a post, which nobody sees yet, and gives its uuid. NOT repeatable without a look.

        Raises Rejected for a draft that cannot work, before anything is sent.
        """
        draft.require_valid()
        body = self._change(
            "POST", "/posts", bodies.new_post(draft, self._post_format), doing="create the post"
        )
        uuid = text(body.get("uuid")) if isinstance(body, dict) else ""
        uuid = uuid or text(record(body).get("uuid"))
        if not _UUID.fullmatch(uuid):
            raise OutcomeUnknown("OnlySocial accepted the post but its answer does not name it.")
        return uuid

    def publish_now(self, uuid: str) -> Acceptance:
        """Asks for the post to be published at once. Only `read_post` tells whether it was.

        Harmless to repeat: for a post that is being published, or was, nothing happens and the acceptance
        says so. Raises OutcomeUnknown when no answer came, NotFound when somebody deleted it.
        """
        return self._schedule(uuid, {"postNow": True}, doing="publish the post")

    def schedule(self, uuid: str, at: datetime) -> Acceptance:
        """Has the platform itself publish the post at this minute; it knows no seconds."""
        post = record(self._look(f"/posts/{_part(uuid)}", doing="show the post"))
        self._change("PUT", f"/posts/{_part(uuid)}", bodies.dated(post, at), doing="date the post")
        return self._schedule(uuid, {"postNow": False}, doing="schedule the post")

    def read_post(self, uuid: str) -> Post:
        """How far the post is. Raises NotFound when it is gone."""
        body = self._look(f"/posts/{_part(uuid)}", doing="show the post")
        post = post_of(record(body))
        if post is None:
            raise Unavailable("OnlySocial's answer does not describe the post.")
        return post

    def find_posts(self, media_ids: Collection[int], *, pages: int = POST_PAGES) -> list[Post]:
        """The posts with any of these media, among the newest pages: what a `create_post` without an answer
        may have made."""
        wanted = set(media_ids)
        found = (post_of(each) for each in self._pages("/posts", pages=pages, doing="list the posts"))
        return [post for post in found if post and wanted & set(post.media_ids)]

    def delete_post(self, uuid: str) -> None:
        """Takes a post off the platform's list, not off the accounts it is out on. One gone is no error."""
        try:
            self._change(
                "DELETE",
                f"/posts/{_part(uuid)}",
                {"trash": False, "delete_mode": "app_only"},
                doing="delete the post",
            )
        except NotFound:
            return

    # ---------------------------------------------------------------- requests

    @property
    def _http(self) -> Http:
        """This thread's own connection."""
        http: Http | None = getattr(self._mine, "http", None)
        if http is None:
            http = Http("OnlySocial", timeouts=self._timeouts, keep_alive_seconds=KEEP_ALIVE_SECONDS)
            self._mine.http = http
            with self._lock:
                self._opened.append(http)
        return http

    def _schedule(self, uuid: str, body: Mapping[str, Any], *, doing: str) -> Acceptance:
        answer = self._send("POST", f"/posts/schedule/{_part(uuid)}", body)
        if is_under_way(answer):
            return Acceptance(was_under_way=True)
        said = record(self._body(answer, purpose=Purpose.CHANGE, doing=doing, needs_json=False))
        return Acceptance(
            scheduled_at=moment(said.get("scheduled_at")), needs_approval=flag(said.get("needs_approval"))
        )

    def _pages(self, path: str, *, pages: int, doing: str) -> Iterator[Mapping[str, Any]]:
        """Every object of the newest pages; the network is used while iterating."""
        for page in range(1, pages + 1):
            body = self._look(path, params={"page": str(page)}, doing=doing)
            rows = records(body)
            yield from rows
            meta = body.get("meta") if isinstance(body, dict) else None
            last = meta.get("last_page") if isinstance(meta, dict) else None
            if not rows or (isinstance(last, int) and page >= last):
                return

    def _look(self, path: str, *, doing: str, params: Mapping[str, str] | None = None) -> Any:
        answer = self._http.call("GET", self._base + path, headers=self._headers, params=params)
        return self._body(answer, purpose=Purpose.LOOK, doing=doing)

    def _change(self, method: str, path: str, body: Mapping[str, Any], *, doing: str) -> Any:
        answer = self._send(method, path, body)
        return self._body(answer, purpose=Purpose.CHANGE, doing=doing, needs_json=method == "POST")

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> Answer:
        return self._http.call(
            method, self._base + path, headers=self._headers, json_body=body, repeatable=False
        )

    def _body(self, answer: Answer, *, purpose: Purpose, doing: str, needs_json: bool = True) -> Any:
        error = error_for(answer, purpose=purpose, doing=doing, clock=self._clock, hide=self._hide)
        if error:
            raise error
        body = json_of(answer)
        if body is None and needs_json:
            broken = f"OnlySocial's answer was not whole (HTTP {answer.status}) when asked to {doing}."
            raise Unavailable(broken) if purpose is Purpose.LOOK else OutcomeUnknown(broken)
        return body

    def _hide(self, message: str) -> str:
        return message.replace(self._key, "…") if self._key else message


def _base_of(credentials: Credentials) -> str:
    """The address all paths are put behind. Raises CredentialsRejected for one a key must not be sent to."""
    url = (credentials.api_url or API_URL).rstrip("/")
    parts = split(url)
    is_own = parts is not None and (parts.hostname or "").endswith("onlysocial.io")
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and not is_own)):
        raise CredentialsRejected(f"The API address is not a usable https address: {host_of(parts)}.")
    if not credentials.key:
        raise CredentialsRejected("No access token is given. Make one at OnlySocial under “Access Tokens”.")
    if not credentials.key.isascii() or not credentials.key.isprintable():
        raise CredentialsRejected("The access token has characters no token has. Copy it again.")
    if not WORKSPACE.fullmatch(credentials.workspace):
        raise CredentialsRejected(
            "The workspace is missing or no identifier. It stands in the address of OnlySocial's dashboard "
            "behind “/os/”."
        )
    return f"{url}/{credentials.workspace}"


def _part(uuid: str) -> str:
    """A uuid fit for a path. Raises NotFound for what can be none."""
    if not _UUID.fullmatch(uuid):
        raise NotFound(f"“{uuid[:64]}” is no id of a post.")
    return uuid
