"""What the work of a job may raise, and what each means for the job.

The docstring of a class is its message when none is given: an operator reads it.
"""

from datetime import datetime

from django.db import models


class ErrorKind(models.TextChoices):
    """Why an attempt did not succeed, or why a job waits."""

    TRANSIENT = "transient", "Temporary fault"  # network or platform trouble; tried again
    RATE_LIMITED = "rate_limited", "Rate limited"  # the platform asked for a pause; no attempt used
    QUOTA = "quota", "Quota reached"  # the account's allowance is used up; no attempt used
    CREDENTIALS = "credentials", "Credentials rejected"  # a person has to reconnect; no attempt used
    REJECTED = "rejected", "Rejected"  # this item will never work as it is
    OUTCOME_UNKNOWN = "outcome_unknown", "Outcome unknown"  # sent, no answer: look before repeating
    MISSED = "missed", "Missed"  # its moment passed while nothing could run
    LOST_WORKER = "lost_worker", "Worker lost"  # the process that held it died
    CANCELLED = "cancelled", "Cancelled"  # a person stopped it


class LostRace(Exception):
    """Somebody else changed the row first."""


class Refusal(Exception):
    """What a person asked for is not carried out; the message says why and what to do."""


class JobError(Exception):
    """The attempt failed; the job is tried again while attempts are left."""

    kind: ErrorKind = ErrorKind.TRANSIENT
    permanent = False

    def __init__(self, message: str = "") -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class Hold(JobError):
    """The job cannot go on now through no fault of its own; it waits and uses no attempt."""

    def __init__(
        self, message: str = "", *, until: datetime | None = None, delay_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.until = until
        self.delay_seconds = delay_seconds


class Parked(Hold):
    """The job's next step lies ahead in time (a platform is still encoding); it lets its worker go."""


class Cancelled(JobError):
    """Cancelled on request."""

    kind = ErrorKind.CANCELLED
    permanent = True


class LeaseLost(JobError):
    """This worker was given up for dead and the job belongs to another; stop without a trace."""

    kind = ErrorKind.LOST_WORKER
