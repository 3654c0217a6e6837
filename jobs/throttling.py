"""How often a client may ask; who counts must not be in the way of who asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rest_framework.throttling import UserRateThrottle

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

log = logging.getLogger(__name__)


class Throttle(UserRateThrottle):
    """Lets everyone pass while the counts can be neither read nor written: disk full, no permission."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return super().allow_request(request, view)
        except OSError as error:
            log.warning("Requests are not counted: %s", error)
            return True
