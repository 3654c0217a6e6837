"""Refusals, and how each dialect words them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

V2_DOCUMENTATION = "https://developers.dailymotion.com/reference/api-errors"
LEGACY_DOCUMENTATION = "https://developer.dailymotion.com/api#error-codes"
QUOTA_RETRY_SECONDS = 3600
V2_CODES = {
    400: "VALIDATION_ERROR",
    401: "INVALID_TOKEN",
    403: "MISSING_PERMISSIONS",
    404: "RESOURCE_NOT_FOUND",
    422: "VALIDATION_ERROR",
    429: "TOO_MANY_REQUESTS",
}
LEGACY_TYPES = {400: "invalid_parameter", 401: "access_forbidden", 403: "access_forbidden", 404: "not_found"}


class Refusal(Exception):
    """A request the platform does not serve. The statuses are those of v2 and of the older dialects."""

    v2_status = 422
    legacy_status = 400
    v2_code = "VALIDATION_ERROR"
    legacy_type = "invalid_parameter"

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.v2_headers: dict[str, str] = {}
        self.legacy_headers: dict[str, str] = {}


class Invalid(Refusal):
    def __init__(self, param: str, message: str) -> None:
        super().__init__(message, details={"param": param, "reason": "invalid_parameter"})


class Missing(Refusal):
    legacy_type = "missing_required_parameter"

    def __init__(self, param: str) -> None:
        details = {"param": param, "reason": "missing"}
        super().__init__(f"Missing required parameter `{param}'", details=details)


class NotFound(Refusal):
    v2_status = legacy_status = 404
    v2_code, legacy_type = "RESOURCE_NOT_FOUND", "not_found"

    def __init__(self, kind: str, object_id: str, param: str = "id") -> None:
        details = {"object_id": object_id, "reason": "object_not_found", "object_type": kind, "param": param}
        super().__init__(f"{kind} with ID '{object_id}' not found.", details=details)


class Forbidden(Refusal):
    v2_status = legacy_status = 403
    v2_code, legacy_type = "MISSING_PERMISSIONS", "access_forbidden"


class WrongMethod(Refusal):
    v2_status = legacy_status = 405
    v2_code, legacy_type = "METHOD_NOT_ALLOWED", "method_not_allowed"


class QuotaReached(Refusal):
    v2_status, legacy_status = 429, 403
    v2_code, legacy_type = "TOO_MANY_REQUESTS", "access_forbidden"

    def __init__(self) -> None:
        super().__init__("You have reached your upload limit")
        self.v2_headers["Retry-After"] = str(QUOTA_RETRY_SECONDS)


class BadToken(Refusal):
    """No token, or not a valid one (any more)."""

    v2_status = legacy_status = 401
    legacy_type = "access_forbidden"

    def __init__(self, v2_code: str, message: str, *, legacy_status: int = 401) -> None:
        super().__init__(message)
        self.v2_code = v2_code
        self.legacy_status = legacy_status
        challenge = f'Bearer error="invalid_token", error_description="{message}"'
        self.legacy_headers["WWW-Authenticate"] = challenge


def v2_body(code: str, message: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    error = {
        "code": code,
        "message": message,
        "correlation_id": str(uuid.uuid4()),
        "details": dict(details or {}),
        "documentation_url": V2_DOCUMENTATION,
    }
    return {"error": error}


def legacy_body(
    status: int, kind: str, message: str, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    error = {"more_info": LEGACY_DOCUMENTATION, "code": status, "message": message, "type": kind}
    if details:
        error["error_data"] = dict(details)
    return {"error": error}


def default_body(dialect: str, status: int) -> dict[str, Any]:
    """The body of a status that a fault asked for without giving one."""
    if dialect == "upload":
        return {"error": {"code": status, "message": "Server error" if status >= 500 else "Invalid request"}}
    if dialect == "v2":
        return v2_body(V2_CODES.get(status, "INTERNAL_SERVER_ERROR"), "The request could not be served.")
    return legacy_body(status, LEGACY_TYPES.get(status, "server_error"), "The request could not be served.")


def response(dialect: str, refusal: Refusal) -> web.Response:
    if dialect == "v2":
        body = v2_body(refusal.v2_code, refusal.message, refusal.details)
        return web.json_response(body, status=refusal.v2_status, headers=refusal.v2_headers)
    if isinstance(refusal, QuotaReached):
        quota = {"error": {"code": 403, "type": refusal.legacy_type, "message": refusal.message}}
        return web.json_response(quota, status=403)
    message, details = refusal.message, dict(refusal.details)
    if isinstance(refusal, NotFound):
        details["object_type"] = details["object_type"].lower()
        message = f"Can't find object {details['object_type']} for `{details['param']}' parameter"
    body = legacy_body(refusal.legacy_status, refusal.legacy_type, message, details)
    return web.json_response(body, status=refusal.legacy_status, headers=refusal.legacy_headers)
