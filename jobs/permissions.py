"""Who may do what: staff may look; only those with the change permission may touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class IsStaff(BasePermission):
    """Signed in, active, and on the staff."""

    message = "Sign in as a member of the staff."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.is_active and request.user.is_staff)


class StaffMayLookManagersMayTouch(IsStaff):
    """Staff may read; writing needs the view's `write_permission`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not super().has_permission(request, view):
            return False
        if request.method in SAFE_METHODS:
            return True
        self.message = "You may look here, but not change anything."
        return bool(request.user.has_perm(getattr(view, "write_permission", "")))
