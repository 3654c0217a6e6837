"""The cache of DigitalOcean's CDN: told to forget what was uploaded again.

DigitalOcean API, “Purge the Cache for an Existing CDN Endpoint”: DELETE /v2/cdn/endpoints/{id}/cache with at most 50
files in 20 seconds; a wildcard counts as one; paths are relative to the bucket. Answers 204.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.conf import settings

from uploader.destinations import Destination
from uploader.platforms.errors import PlatformError, Unavailable
from uploader.platforms.http import Http, Timeouts

MOST_FILES = 50
ENDPOINT = re.compile(r"[0-9a-fA-F-]{1,64}")


@dataclass(frozen=True)
class Cdn:
    """One CDN endpoint; its repr shows no token."""

    endpoint: str
    token: str = field(repr=False)

    def purge(self, paths: list[str]) -> None:
        """Forget these paths (at most 50; "folder/*" for all below). Raises Unavailable, whatever went wrong."""
        http = Http("DigitalOcean", timeouts=Timeouts(connect=5, read=20))
        try:
            answer = http.call(
                "DELETE",
                f"{settings.DIGITALOCEAN_API_URL}/v2/cdn/endpoints/{self.endpoint}/cache",
                headers={"Authorization": f"Bearer {self.token}"},
                json_body={"files": paths[:MOST_FILES]},
            )
        except PlatformError as error:
            raise Unavailable(f"The CDN's cache was not purged: {error}") from error
        finally:
            http.close()
        if answer.status != 204:
            raise Unavailable(f"The CDN's cache was not purged: DigitalOcean answered {answer.status}.")


def of(destination: Destination) -> Cdn | None:
    """The destination's CDN endpoint; None when it has none."""
    if destination.credentials_from_environment:
        endpoint, token = settings.STORAGE["cdn_endpoint"], settings.STORAGE["cdn_token"]
    else:
        endpoint, token = destination.cdn_endpoint, destination.cdn_token or ""
    return Cdn(endpoint, token) if token and ENDPOINT.fullmatch(endpoint) else None
