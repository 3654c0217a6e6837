"""Which addresses a token or a file may be sent to."""

from dataclasses import dataclass
from urllib.parse import SplitResult

from jobs.polite.addresses import host_of, split
from uploader.platforms.dailymotion.dialects import Dialect
from uploader.platforms.dailymotion.records import Credentials
from uploader.platforms.errors import CredentialsRejected, PlatformError


@dataclass(frozen=True)
class Addresses:
    """The configured addresses, and the check of those Dailymotion gives out."""

    api_url: str
    token_url: str
    upload_hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, credentials: Credentials, dialect: Dialect) -> "Addresses":
        """Raises CredentialsRejected for an address a key must not be sent to."""
        addresses = cls(
            (credentials.api_url or dialect.api_url).rstrip("/"),
            credentials.token_url or dialect.token_url,
            credentials.upload_hosts,
        )
        for name, url in (("API", addresses.api_url), ("token", addresses.token_url)):
            parts = split(url)
            if parts is None or not (parts.scheme == "https" or _is_plain_allowed(parts)):
                raise CredentialsRejected(
                    f"The {name} address is not a usable https address: {host_of(parts)}."
                )
        return addresses

    def require_upload_url(self, url: str) -> None:
        """Raises PlatformError unless the address is Dailymotion's, or one the destination allows."""
        parts = split(url)
        if parts is None or not self._is_allowed(parts):
            raise PlatformError(
                f"Dailymotion gave out an upload address that is not its own ({host_of(parts)}); nothing was "
                "sent. Allow the host in the destination if it is right."
            )

    def _is_allowed(self, parts: SplitResult) -> bool:
        api = split(self.api_url)
        is_own_server = api is not None and not is_dailymotion(api.hostname)
        if is_dailymotion(parts.hostname):
            return parts.scheme == "https"
        if parts.scheme != "https" and not (is_own_server and parts.scheme == "http"):
            return False
        if is_own_server and api is not None and parts.hostname == api.hostname:
            return True
        return any(host.lower() in (parts.hostname, parts.netloc.lower()) for host in self.upload_hosts)


def is_dailymotion(hostname: str | None) -> bool:
    return hostname is not None and (hostname == "dailymotion.com" or hostname.endswith(".dailymotion.com"))


def _is_plain_allowed(parts: SplitResult) -> bool:
    return parts.scheme == "http" and not is_dailymotion(parts.hostname)
