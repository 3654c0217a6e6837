"""Where a storage is and how one signs in there: a folder of this machine, or a bucket of Spaces or any S3."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings

from uploader.transfer.errors import NotAPlace

SPACES = ".digitaloceanspaces.com"
# Names that need no quoting anywhere: Amazon S3, “Bucket naming rules”, which Spaces shares.
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, shared by web and worker."""

    path: Path

    def __str__(self) -> str:
        return f"Folder {self.path}"


@dataclass(frozen=True)
class Bucket:
    """A bucket, and what is needed to sign in; its repr shows no secret."""

    name: str
    endpoint: str
    key: str = field(repr=False)
    secret: str = field(repr=False)
    prefix: str = ""
    region: str = "us-east-1"
    ca_file: str = ""
    checks_certificate: bool = True

    def __str__(self) -> str:
        host = urlsplit(self.endpoint).netloc
        return f"Bucket {'/'.join(filter(None, (self.name, self.prefix)))} at {host}"

    @property
    def is_virtual(self) -> bool:
        """Its name is part of the host: so on Spaces and AWS; a server of one's own has no such names."""
        host = urlsplit(self.endpoint).hostname or ""
        return "." not in self.name and host.endswith((SPACES, ".amazonaws.com"))

    @property
    def address(self) -> str:
        """Where its objects are."""
        parts = urlsplit(self.endpoint)
        if self.is_virtual:
            return f"{parts.scheme}://{self.name}.{parts.netloc}"
        return f"{parts.scheme}://{parts.netloc}/{self.name}"

    def address_of(self, key: str) -> str:
        """Where one object is."""
        return f"{self.address}/{quote('/'.join(filter(None, (self.prefix, key))))}"


Place = Folder | Bucket


def of_environment() -> Place:
    """The place STORAGE_URL names. Raises NotAPlace with the operator's sentence."""
    given = settings.STORAGE
    parts = urlsplit(given["url"])
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
        if parts.netloc or not path.is_absolute():
            raise NotAPlace(
                f"STORAGE_URL is “{given['url']}”; give the whole path: file:///srv/storage, with three slashes."
            )
        if path.resolve().is_relative_to(Path(settings.TRANSCODE_ROOT).resolve()):
            raise NotAPlace(
                f"STORAGE_URL is “{given['url']}”, inside of TRANSCODE_ROOT, where packages are removed once they "
                "are in the storage: give a folder elsewhere."
            )
        return Folder(path)
    return bucket(
        name=parts.netloc,
        prefix=parts.path.strip("/"),
        key=given["key"],
        secret=given["secret"],
        endpoint=given["endpoint"],
        region=given["region"],
    )


def bucket(*, name: str, prefix: str, key: str, secret: str, endpoint: str, region: str) -> Bucket:
    """A bucket whose particulars make sense together. Raises NotAPlace."""
    if not BUCKET.fullmatch(name):
        raise NotAPlace(f"“{name}” is no name of a bucket: 3 to 63 small letters, digits, dots and dashes.")
    if prefix and (not PREFIX.fullmatch(prefix) or ".." in prefix.split("/")):
        raise NotAPlace(f"“{prefix}” is no usable prefix: letters, digits, dots, dashes, with “/” between.")
    if not key or not secret:
        raise NotAPlace("The keys of the storage are missing: give SPACES_KEY and SPACES_SECRET.")
    if not endpoint and not region:
        raise NotAPlace("Say where the bucket is: SPACES_ENDPOINT_URL, or SPACES_REGION for Spaces.")
    endpoint = (endpoint or f"https://{region}{SPACES}").rstrip("/")
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host or parts.path or parts.query or "@" in parts.netloc:
        raise NotAPlace(f"“{endpoint}” is no address of a storage: give one like https://fra1{SPACES}.")
    if parts.scheme == "http" and not is_loopback(host):
        raise NotAPlace(
            "Use https for the storage: keys and videos go there. Plain http stays on this machine."
        )
    if host.startswith(f"{name}.") and host.endswith(SPACES):
        # Spaces shows the address with the bucket's name in it; people copy that.
        endpoint = f"{parts.scheme}://{parts.netloc.removeprefix(f'{name}.')}"
    given = settings.STORAGE
    checks = given["checks_certificate"] or not is_loopback(host)
    return Bucket(
        name=name,
        endpoint=endpoint,
        key=key,
        secret=secret,
        prefix=prefix,
        region=signing_region(host, region),
        ca_file=given["ca_file"],
        checks_certificate=checks,
    )


def signing_region(host: str, region: str) -> str:
    """What requests are signed for: on Spaces always us-east-1 is taken, elsewhere the region given."""
    return "us-east-1" if host.endswith(SPACES) or not region else region


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
