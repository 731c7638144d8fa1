"""How long to wait before connecting again.

A session that worked is taken up again at once, within half a second so that a fleet doesn't come as one wave. Attempts
that fail wait up to 1, 2, 4 … 60 s, each a random part of it. READY or RESUMED ends that, but a connection that dies
within 5 s of them three times running is counted as failing again.
"""

from __future__ import annotations

AT_ONCE = 0.5
BASE = 1.0
CAP = 60.0
SHORT_LIFE = 5.0
SHORT_LIVES = 3


class Backoff:
    """One shard's patience with its connections."""

    def __init__(self) -> None:
        self._failures = 1
        self._short_lives = 0
        self._connected_at: float | None = None

    def connected(self, now: float) -> None:
        """READY or RESUMED came."""
        self._connected_at = now

    def delay(self, now: float, jitter: float) -> float:
        """Seconds until the next attempt; call once for each connection or attempt that ended.

        :param jitter: a random number from 0 to 1.
        """
        if self._connected_at is not None:
            self._short_lives = self._short_lives + 1 if now - self._connected_at < SHORT_LIFE else 0
            self._connected_at = None
            if self._short_lives < SHORT_LIVES:
                self._failures = 0
            elif self._short_lives == SHORT_LIVES:
                self._failures = 1
        longest = min(BASE * 2.0 ** (self._failures - 1), CAP) if self._failures else AT_ONCE
        self._failures = min(self._failures + 1, 64)
        return jitter * longest
