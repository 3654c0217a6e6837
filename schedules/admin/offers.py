"""The decision that episodes at their hours and videos in a line are both offered."""

from __future__ import annotations

from functools import partial
from operator import attrgetter

from unfold.enums import ActionVariant

from jobs.staff_decisions import Offer

uploading_now = partial(
    Offer,
    name="upload_now",
    chosen="upload_chosen_now",
    label="Upload now",
    answer="Upload now",
    icon="bolt",
    variant=ActionVariant.PRIMARY,
    fits=attrgetter("can_expedite"),
)
