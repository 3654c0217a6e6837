"""Whether players on other sites can read a bucket: asked without keys, as their browsers ask."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from uploader.transfer.errors import ConnectionBroken
from uploader.transfer.places import Bucket
from uploader.transfer.storage import PROBE, Storage
from uploader.transfer.streams import tls_of

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Reading:
    """What a page of `origin` got that has no keys; `allowed`: whose pages the browser may show it to, if any."""

    origin: str
    status: int
    allowed: str

    @property
    def is_public(self) -> bool:
        return self.status == 200

    @property
    def is_shared(self) -> bool:
        return self.is_public and self.allowed in ("*", self.origin)


def read_for(storage: Storage, origin: str) -> Reading:
    """Write an object, ask for it as a page of `origin` would, delete it. Raises what went wrong on the way.

    Fetch standard, “CORS check”: a page gets an answer whose Access-Control-Allow-Origin is “*” or its own origin.
    """
    bucket = storage.place
    assert isinstance(bucket, Bucket)
    key = f"{PROBE}/{secrets.token_hex(8)}.m3u8"
    storage.put(
        key, b"#EXTM3U\n", {"Content-Type": "application/vnd.apple.mpegurl", "Cache-Control": "no-store"}
    )
    try:
        with PoolManager(
            ssl_context=tls_of(bucket),
            retries=False,
            timeout=Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
        ) as pool:
            answer = pool.request("GET", bucket.address_of(key), headers={"Origin": origin}, redirect=False)
    except HTTPError as error:
        raise ConnectionBroken(f"{bucket} did not answer who has no keys ({type(error).__name__}).") from None
    finally:
        storage.delete([key])
    return Reading(origin, answer.status, answer.headers.get("Access-Control-Allow-Origin", ""))
