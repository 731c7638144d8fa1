"""PURE: Discord's times."""

from __future__ import annotations

from datetime import UTC, datetime


def seconds(time: str | None) -> float | None:
    """Seconds since 1970 of a time of Discord's (ISO 8601; UTC where it doesn't say); ``None`` if it can't be read."""
    if not time:
        return None
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
