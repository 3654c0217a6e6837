"""What a platform can answer, as the few conditions the rest of the program acts on.

Each docstring is what an operator reads when no better sentence is given.
"""

from datetime import datetime

from jobs.errors import ErrorKind, Hold, JobError


class PlatformError(JobError):
    """The platform did not do what was asked."""


class RateLimited(PlatformError, Hold):
    """The platform asked for a pause."""

    kind = ErrorKind.RATE_LIMITED

    def __init__(self, message: str = "", *, retry_after: float) -> None:
        Hold.__init__(self, message, delay_seconds=retry_after)
        self.retry_after = retry_after


class QuotaReached(PlatformError, Hold):
    """The account's allowance is used up for now."""

    kind = ErrorKind.QUOTA

    def __init__(
        self, message: str = "", *, until: datetime | None = None, delay_seconds: float | None = None
    ):
        Hold.__init__(self, message, until=until, delay_seconds=delay_seconds)


class CredentialsRejected(PlatformError, Hold):
    """The platform refused the credentials. Check them, then use “Test connection”."""

    kind = ErrorKind.CREDENTIALS

    def __init__(self, message: str = "") -> None:
        Hold.__init__(self, message)


class Unavailable(PlatformError):
    """The platform could not be reached or refused to serve; nothing was applied."""


class UploadExpired(PlatformError):
    """The upload address is no longer valid; the file must be sent again."""


class OutcomeUnknown(PlatformError):
    """The request was sent and no answer came; it may have been applied."""

    kind = ErrorKind.OUTCOME_UNKNOWN


class Rejected(PlatformError):
    """The platform will never accept this item as it is."""

    kind = ErrorKind.REJECTED
    permanent = True


class NotFound(Rejected):
    """The platform does not know this item."""


class SourceUnreadable(JobError):
    """The file to upload could not be read to its end."""


class SourceChanged(SourceUnreadable):
    """The file changed during the upload."""
