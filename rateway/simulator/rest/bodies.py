"""What a request brings: its body, in any of the forms Discord takes, and its query."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import msgspec
from attrs import frozen

from .errors import ApiError, invalid, no_snowflake, refusal

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_NAME = re.compile(r'[; ]name="([^"]*)"')
_FILENAME = re.compile(r'filename="([^"]*)"')
_FORMS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
_MAX_ID = 1 << 64


@frozen
class File:
    """A file of a multipart body; ``field`` is e.g. ``files[0]``."""

    field: str
    name: str
    content_type: str
    size: int


@frozen
class Body:
    """``value`` is what the JSON (or form) says; None where there is no body."""

    value: Any = None
    files: tuple[File, ...] = ()

    def fields(self) -> dict[str, Any]:
        """The body as an object; no body is an empty one.

        :raises ApiError: when it is something else.
        """
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise invalid("", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
        return self.value


def read_body(content_type: str, raw: bytes) -> Body:
    """Read a body as its Content-Type says.

    :raises ApiError: 50035 without a Content-Type that Discord takes, 50109 for JSON that is none.
    """
    if not raw:
        return Body()
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return Body(_json(raw))
    if kind == "application/x-www-form-urlencoded":
        return Body(dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True)))
    if kind == "multipart/form-data":
        return _multipart(content_type, raw)
    expected = ", ".join(f"'{form}'" for form in _FORMS)
    raise invalid("", "CONTENT_TYPE_INVALID", f'Expected "Content-Type" header to be one of {{{expected}}}.')


def _json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise refusal(50109) from None


def _multipart(content_type: str, raw: bytes) -> Body:
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _bad_multipart()
    delimiter = b"\r\n--" + found[1].encode()
    first, *parts = (b"\r\n" + raw).split(delimiter)
    if first.strip() or not parts or not parts.pop().startswith(b"--"):
        raise _bad_multipart()
    fields: dict[str, Any] = {}
    files: list[File] = []
    payload: Any = None
    for part in parts:
        head, blank, content = part.partition(b"\r\n\r\n")
        headers = _part_headers(head)
        disposition = headers.get("content-disposition", "")
        name, filename = _NAME.search(disposition), _FILENAME.search(disposition)
        if not blank or name is None:
            raise _bad_multipart()
        if filename is not None:
            kind = headers.get("content-type", "application/octet-stream")
            files.append(File(name[1], filename[1], kind, len(content)))
        elif name[1] == "payload_json":
            payload = _json(content)
        else:
            fields[name[1]] = content.decode("utf-8", "replace")
    return Body(fields if payload is None else payload, tuple(files))


def _part_headers(head: bytes) -> dict[str, str]:
    headers = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def _bad_multipart() -> ApiError:
    return invalid("", "MULTIPART_INVALID", "The multipart body can not be read")


@frozen
class Query:
    """A query string; keys may be repeated."""

    values: dict[str, list[str]]

    @classmethod
    def read(cls, text: str) -> Query:
        return cls(parse_qs(text, keep_blank_values=True))

    def text(self, name: str) -> str | None:
        found = self.values.get(name)
        return found[-1] if found else None

    def flag(self, name: str) -> bool:
        """``true``, ``false``, ``1`` or ``0``; absent is false."""
        value = (self.text(name) or "false").lower()
        if value not in ("true", "false", "1", "0"):
            raise invalid(name, "BASE_TYPE_BOOLEAN", "Must be either true or false.")
        return value in ("true", "1")

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        text = self.text(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 20):
            raise invalid(name, "NUMBER_TYPE_COERCE", f'Value "{text}" is not int.')
        value = int(text)
        if value < lowest:
            raise invalid(name, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {lowest}.")
        if value > highest:
            raise invalid(name, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {highest}.")
        return value

    def snowflake(self, name: str) -> int | None:
        text = self.text(name)
        return None if text is None else snowflake(name, text)


def snowflake(field: str, value: object) -> int:
    """An id, as text or as a number.

    :raises ApiError: when it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        number = int(value)
    else:
        raise no_snowflake(field, value)
    if not 0 <= number < _MAX_ID:
        raise no_snowflake(field, value)
    return number
