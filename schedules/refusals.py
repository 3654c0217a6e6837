"""Why a request about the hourly queue is not carried out, in sentences a person can act on."""

from __future__ import annotations

from jobs.errors import Refusal
from uploader.catalog import Episode, Series


class Refused(Refusal):
    """The request cannot be carried out; the message says why and what to do."""

    code = "refused"


class NotAllReady(Refused):
    """Some episodes are not ready to be uploaded."""

    code = "not_ready"

    def __init__(self, series: Series, missing: list[tuple[Episode, str]]) -> None:
        self.missing = missing
        reasons = " ".join(reason for _, reason in missing[:5])
        more = f" And {len(missing) - 5} more." if len(missing) > 5 else ""
        total = "episode is" if len(missing) == 1 else "episodes are"
        super().__init__(
            f"Not all episodes of {series.title} are downloaded: {len(missing)} {total} not ready. {reasons}{more}"
        )


class NoEpisodes(Refused):
    """The series has nothing to upload."""

    code = "no_episodes"


class AlreadyScheduled(Refused):
    """Every episode of the series already stands in the line."""

    code = "already_scheduled"


class NoDestination(Refused):
    """There is no destination to upload to."""

    code = "no_destination"
