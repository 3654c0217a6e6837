"""Why a page could not be had; an operator reads it."""

from jobs.errors import ErrorKind, Hold, JobError


class PageGone(JobError):
    """There is no page at the address. Correct it, then retry."""

    kind = ErrorKind.REJECTED
    permanent = True


class PageRefused(JobError):
    """The site does not let us read the page."""

    kind = ErrorKind.REJECTED
    permanent = True


class Disallowed(JobError):
    """The site's robots.txt asks programs to stay away from the page."""

    kind = ErrorKind.REJECTED
    permanent = True


class TooLarge(JobError):
    """The page is larger than is taken."""

    kind = ErrorKind.REJECTED
    permanent = True


class SiteAway(JobError):
    """The site does not answer as it should; it is tried again."""


class AskedToWait(Hold):
    """The site asked us to come back later."""

    kind = ErrorKind.RATE_LIMITED


class Unreadable(JobError):
    """What came is not what was asked for."""

    kind = ErrorKind.REJECTED
    permanent = True
