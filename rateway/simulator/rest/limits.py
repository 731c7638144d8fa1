"""REST limits that the headers of a bucket don't show, without I/O: time is an argument.

Sources: Discord's docs, "Rate Limits: Global Rate Limit" and "Invalid Request Limit"; the limit of a channel's name and
topic is undocumented, but long known.
"""

from __future__ import annotations

from collections import deque

from attrs import Factory, define


@define
class Window:
    """At most ``limit`` grants in any ``period`` seconds; refusals cost nothing. 0 is no limit."""

    limit: int
    period: float
    _times: deque[float] = Factory(deque)

    def wait(self, now: float) -> float:
        """Seconds until the next grant; 0 when there may be one now."""
        times = self._times
        while times and times[0] <= now - self.period:
            times.popleft()
        return 0.0 if len(times) < self.limit or not self.limit else max(0.001, times[0] + self.period - now)

    def take(self, now: float) -> float:
        """Grant one if there may be one; else the seconds to wait."""
        wait = self.wait(now)
        if not wait:
            self._times.append(now)
        return wait


@define
class Windows:
    """A window for each key."""

    limit: int
    period: float
    _windows: dict[object, Window] = Factory(dict)

    def of(self, key: object) -> Window:
        return self._windows.setdefault(key, Window(self.limit, self.period))

    def take(self, key: object, now: float) -> float:
        """As :meth:`Window.take`."""
        return self.of(key).take(now)


@define
class InvalidRequests:
    """Answers with 401, 403 and 429 by address; too many of them get the address banned.

    :ivar limit: so many within ``period`` seconds bring the ban (10,000 in 10 minutes at Discord); 0 is no limit.
    :ivar ban: seconds it lasts.
    """

    limit: int
    period: float
    ban: float
    _times: dict[str, deque[float]] = Factory(dict)
    _banned: dict[str, float] = Factory(dict)

    def note(self, address: str, now: float) -> bool:
        """One more; True when it is the one that brings the ban."""
        if not self.limit:
            return False
        times = self._times.setdefault(address, deque())
        while times and times[0] <= now - self.period:
            times.popleft()
        times.append(now)
        if len(times) < self.limit or self.banned_for(address, now):
            return False
        self._banned[address] = now + self.ban
        times.clear()
        return True

    def count(self, address: str, now: float) -> int:
        """How many count against an address."""
        return sum(time > now - self.period for time in self._times.get(address, ()))

    def banned_for(self, address: str, now: float) -> float:
        """Seconds until an address may ask again; 0 when it is not banned."""
        return max(0.0, self._banned.get(address, now) - now)


@define
class SubLimits:
    """Limits on single fields of a request, e.g. a channel's name: twice in 10 minutes.

    A client can't foresee the first refusal; one that comes back too early shows that it ignored it.
    """

    limit: int = 2
    period: float = 600.0
    _windows: dict[object, Window] = Factory(dict)
    _told: dict[object, float] = Factory(dict)

    def take(self, keys: list[object], now: float) -> tuple[float, bool]:
        """One change of each key.

        :returns: the seconds to wait (0: granted), and whether an earlier answer had told to wait for longer than this.
        """
        windows = [self._windows.setdefault(key, Window(self.limit, self.period)) for key in keys]
        wait = max((window.wait(now) for window in windows), default=0.0)
        if not wait:
            for window in windows:
                window.take(now)
            return 0.0, False
        early = any(now < self._told.get(key, 0.0) for key in keys)
        for key in keys:
            self._told[key] = now + wait
        return wait, early

    def clear(self) -> None:
        """Nothing has been changed lately."""
        self._windows.clear()
        self._told.clear()
