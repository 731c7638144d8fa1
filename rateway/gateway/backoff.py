"""How long to wait before connecting again."""

from __future__ import annotations


class Backoff:
    """One shard's patience with its connections."""

    def connected(self, now: float) -> None:
        """READY or RESUMED came."""

    def delay(self, now: float, jitter: float) -> float:
        """Seconds until the next attempt; call once for each connection or attempt that ended.

        :param jitter: a random number from 0 to 1.
        """
        raise NotImplementedError
