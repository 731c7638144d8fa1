"""The fields of a body, each of its type and within its bounds, or 50035."""

from __future__ import annotations

from typing import Any

from .errors import invalid, too_long, wrong_length


def text(value: object, name: str, limit: int, *, lowest: int = 0) -> str:
    """A text; numbers become one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise invalid(name, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
    if len(value) < lowest:
        raise wrong_length(name, lowest, limit)
    if len(value) > limit:
        raise too_long(name, limit)
    return value


def optional_text(fields: dict[str, Any], name: str, limit: int, *, lowest: int = 0) -> str | None:
    """A text that may be missing or null."""
    value = fields.get(name)
    return None if value is None else text(value, name, limit, lowest=lowest)


def whole(value: object, name: str, lowest: int, highest: int) -> int:
    """A whole number, perhaps as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(name, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
    if value < lowest:
        raise invalid(name, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {lowest}.")
    if value > highest:
        raise invalid(name, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {highest}.")
    return value


def flag(value: object, name: str) -> bool:
    """True or false; forms write them as texts."""
    known = {"true": True, "false": False, "1": True, "0": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise invalid(name, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")


def items(value: object, name: str, limit: int, *, lowest: int = 0) -> list[Any]:
    """A list; null is an empty one."""
    if value is None:
        value = []
    if not isinstance(value, list):
        raise invalid(name, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
    if not lowest <= len(value) <= limit:
        raise wrong_length(name, lowest, limit) if lowest else too_long(name, limit)
    return value


def record(value: object, name: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise invalid(name, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
    return value
