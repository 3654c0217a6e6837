"""HTTP as the platform clients need it: bounded waits, no redirects, and the error tree's exceptions only."""

import io
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    IncompleteRead,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from uploader.platforms.errors import OutcomeUnknown, Unavailable
from uploader.platforms.multipart import Interrupted, MultipartFile

ANSWER_BYTES = 8 * 1024 * 1024
OWN_HEADERS = {"User-Agent": "Slotcast", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}

# A pool of connections, and whether requests on it name the whole address (a proxy of plain http).
_Pool = tuple[Any, bool]


@dataclass(frozen=True)
class Timeouts:
    """Seconds without progress after which a connection is given up."""

    connect: float = 10
    read: float = 60
    send: float = 60  # for one piece of a file to leave
    upload_answer: float = 120  # after a file's last byte


@dataclass(frozen=True)
class Answer:
    """A whole answer, whatever its status; `body` arrived complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The parsed body; raises ValueError when it is not JSON."""
        try:
            return json.loads(self.body)
        except RecursionError as exc:
            raise ValueError("nested too deeply") from exc


class Http:
    """One connection to each host of a platform, whose name in messages is `platform`. Not shared between
    threads."""

    def __init__(self, platform: str, *, timeouts: Timeouts, keep_alive_seconds: float = 0) -> None:
        """`keep_alive_seconds`: how long an idle connection may carry a request that is not repeatable."""
        self.platform = platform
        self.timeouts = timeouts
        self._keep_alive_seconds = keep_alive_seconds
        self._used_at = float("-inf")
        self._session = requests.Session()
        self._adapter = _Adapter(send_seconds=timeouts.send)
        self._pools: dict[str, _Pool] = {}

    def close(self) -> None:
        self._pools.clear()
        self._adapter.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json_body: object = None,
        form: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """
        Sends one API request and returns its answer, whatever the status.

        Raises Unavailable when there was none; OutcomeUnknown instead when the request is not `repeatable`
        and its body had begun to leave.
        """
        sent = dict(headers or {})
        body = None
        if json_body is not None:
            body = _Payload(json.dumps(json_body).encode())
            sent["Content-Type"] = "application/json"
        elif form is not None:
            body = _Payload(urlencode(form).encode())
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"
        if not repeatable:
            self._drop_idle()
        answer = self._exchange(method, url, sent, body, read_seconds=self.timeouts.read)
        if isinstance(answer, Answer):
            return answer
        if repeatable or body is None or not body.begun:
            raise Unavailable(f"{self.platform} could not be reached: {answer}.")
        raise OutcomeUnknown(
            f"{self.platform} got the request but gave no whole answer ({answer}); it may have been applied."
        )

    def upload(
        self,
        url: str,
        body: MultipartFile,
        *,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """
        POSTs a file and returns the answer, whatever its status.

        Raises Unavailable when there was none, OutcomeUnknown instead when the upload is not `repeatable` and
        its body had left to the end, and unchanged whatever stopped the reading of the body.
        """
        if not repeatable:
            self._drop_idle()
        sent = {**(headers or {}), "Content-Type": body.content_type}
        try:
            answer = self._exchange("POST", url, sent, body, read_seconds=self.timeouts.upload_answer)
        except Interrupted as exc:
            interruption = exc.cause
        else:
            if isinstance(answer, Answer):
                return answer
            if body.is_complete and not repeatable:
                raise OutcomeUnknown(
                    f"{self.platform} got the whole file but gave no whole answer ({answer}); it may have "
                    "taken it."
                )
            raise Unavailable(
                f"The upload to {self.platform} broke off after {body.sent_bytes:,} of "
                f"{body.size_bytes:,} bytes: {answer}."
            )
        raise interruption

    def warm(self, url: str) -> None:
        """
        Opens the connection to the host of `url` without sending anything.

        Raises Unavailable when there is none.
        """
        self._drop_idle()
        try:
            pool, _ = self._pool(url)
            connection = pool._get_conn(timeout=self.timeouts.connect)
            try:
                if connection.is_closed:
                    connection.timeout = self.timeouts.connect
                    connection.connect()
            finally:
                pool._put_conn(connection)
        except (OSError, HTTPError) as exc:
            why = _reason(exc, self.timeouts)
        else:
            self._used_at = time.monotonic()
            return
        raise Unavailable(f"{self.platform} could not be reached: {why}.")

    def _drop_idle(self) -> None:
        """A connection the server dropped while idle would break after the request has left."""
        if time.monotonic() - self._used_at > self._keep_alive_seconds:
            self.close()

    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: "_Payload | MultipartFile | None",
        *,
        read_seconds: float,
    ) -> "Answer | str":
        """
        The answer, or in words why there is none.

        Words and not an exception: the libraries' own exceptions quote the address with its signed query, and
        would show it in every traceback they are chained to.
        """
        length = {} if body is None else {"Content-Length": str(len(body))}
        try:
            pool, is_whole = self._pool(url)
            with pool.urlopen(
                method,
                url if is_whole else _target(url),
                body=body,
                headers={**OWN_HEADERS, **headers, **length},
                timeout=Timeout(connect=self.timeouts.connect, read=read_seconds),
                redirect=False,
                retries=False,
                assert_same_host=False,
                preload_content=False,
            ) as response:
                answer = Answer(response.status, response.headers, _body(response, read_seconds))
        except (OSError, HTTPError) as exc:
            return _reason(exc, self.timeouts)
        self._used_at = time.monotonic()
        return answer

    def _pool(self, url: str) -> "_Pool":
        """The connections to the host of `url`, with the proxies and certificates the environment names.

        What requests would work out anew for every request, at more than the cost of the request itself.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if found := self._pools.get(origin):
            return found
        prepared = self._session.prepare_request(requests.Request("GET", url))
        chosen = self._session.merge_environment_settings(url, {}, None, None, None)
        pool: Any = self._adapter.get_connection_with_tls_context(
            prepared, chosen["verify"], proxies=chosen["proxies"], cert=chosen["cert"]
        )
        verify: Any = self._adapter.cert_verify
        verify(pool, url, chosen["verify"], chosen["cert"])
        is_whole = "://" in self._adapter.request_url(prepared, chosen["proxies"])
        self._pools[origin] = made = (pool, is_whole)
        return made


def _target(url: str) -> str:
    """Path and query of an address, as they stand in a request's first line."""
    parts = urlsplit(url)
    return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"


class _TooLong(HTTPError):
    """No answer of an API is this long."""


def _body(response: BaseHTTPResponse, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    body = bytearray()
    while piece := response.read1(64 * 1024, decode_content=True):
        body += piece
        if len(body) > ANSWER_BYTES:
            raise _TooLong
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)


def _reason(exc: BaseException, timeouts: Timeouts) -> str:
    found = list(_chain(exc))

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(each, kinds) for each in found)

    if has(NameResolutionError):
        return "its host name was not found"
    if has(NewConnectionError):
        why = next((each.strerror for each in found if isinstance(each, OSError) and each.strerror), "")
        return f"no connection ({why})" if why else "no connection"
    if has(ConnectTimeoutError):
        return f"no connection within {timeouts.connect:g} seconds"
    if has(ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if has(ReadTimeoutError, TimeoutError, requests.Timeout):
        return "no byte moved in time"
    if has(ConnectionError):
        return "the connection was cut"
    if has(IncompleteRead, DecodeError):
        return "the answer broke off"
    if has(_TooLong):
        return f"the answer is longer than {ANSWER_BYTES:,} bytes"
    return f"the connection failed ({type(exc).__name__})"


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An exception and all it wraps: libraries keep the cause in `args`, in `reason` or as the context."""
    todo, seen = [exc], set[int]()
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        wrapped = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        todo += [one for one in wrapped if isinstance(one, BaseException)]


class _Payload(io.BytesIO):
    """A request body that knows whether any of it was handed to the connection."""

    begun = False

    def __len__(self) -> int:
        return len(self.getvalue())

    def read(self, size: int | None = -1, /) -> bytes:
        self.begun = True
        return super().read(size)


class _Adapter(HTTPAdapter):
    """A time-out of its own for sending, to which urllib3 applies the one for connecting."""

    def __init__(self, *, send_seconds: float) -> None:
        self._pool_classes = _pool_classes(send_seconds)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pool_classes
        return manager


def _pool_classes(send_seconds: float) -> dict[str, type[HTTPConnectionPool]]:
    def patient(connection: HTTPConnection) -> None:
        if connection.sock is None:
            connection.connect()
        if connection.sock is not None:
            connection.sock.settimeout(send_seconds)

    class Plain(HTTPConnection):
        def send(self, data: Any) -> None:
            patient(self)
            super().send(data)

    class Secure(HTTPSConnection):
        def send(self, data: Any) -> None:
            patient(self)
            super().send(data)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
