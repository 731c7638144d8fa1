"""Discord's errors: the codes of its JSON bodies (Discord's docs, "Opcodes and Status Codes: JSON")."""

from __future__ import annotations

from collections.abc import Mapping

from .answers import Answer, json_answer

MEANINGS: Mapping[int, tuple[int, str]] = {
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10014: (400, "Unknown Emoji"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    20012: (403, "You are not authorized to perform this action on this application"),
    30007: (400, "Maximum number of webhooks reached (15)"),
    40060: (400, "Interaction has already been acknowledged."),
    40333: (403, "internal network error"),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on this channel type"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (400, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50027: (401, "Invalid Webhook Token"),
    50034: (400, "You can only bulk delete messages that are under 14 days old."),
    50035: (400, "Invalid Form Body"),
    50041: (400, "Invalid API version"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
}
"""HTTP status and message of each code."""


class ApiError(Exception):
    """A request that Discord refuses.

    :ivar code: the JSON error code; 0 where Discord has none.
    """

    def __init__(self, status: int, code: int, message: str, errors: Mapping[str, object] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.errors = status, code, message, errors

    def answer(self) -> Answer:
        body: dict[str, object] = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return json_answer(self.status, body)


def refusal(code: int) -> ApiError:
    """The error of a code in :data:`MEANINGS`."""
    status, message = MEANINGS[code]
    return ApiError(status, code, message)


def plain(status: int, phrase: str) -> ApiError:
    """An error without a code of its own, e.g. ``404: Not Found``."""
    return ApiError(status, 0, f"{status}: {phrase}")


def invalid(field: str, code: str, message: str) -> ApiError:
    """50035 for one field.

    :param field: its path, e.g. ``embeds.0.title``; empty for the body as a whole.
    """
    errors: dict[str, object] = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(field.split(".") if field else []):
        errors = {part: errors}
    return ApiError(400, 50035, "Invalid Form Body", errors)


def required(field: str) -> ApiError:
    return invalid(field, "BASE_TYPE_REQUIRED", "This field is required")


def too_long(field: str, limit: int) -> ApiError:
    return invalid(field, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")


def wrong_length(field: str, lowest: int, highest: int) -> ApiError:
    return invalid(field, "BASE_TYPE_BAD_LENGTH", f"Must be between {lowest} and {highest} in length.")


def no_snowflake(field: str, value: object) -> ApiError:
    return invalid(field, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
