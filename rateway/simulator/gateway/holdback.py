"""Events that a connection holds back: withheld by their names, or waiting to change places with the next one."""

from __future__ import annotations

from collections.abc import Collection

from attrs import Factory, define


@define
class Holdback:
    """What one connection has not sent though it was given it.

    :ivar swaps: how many pairs of events are still to change places.
    """

    swaps: int = 0
    _withheld: list[bytes] = Factory(list)
    _first: bytes | None = None

    def pass_on(self, name: str, payload: bytes, names: Collection[str]) -> list[bytes]:
        """What is to be sent now that this event has come.

        :param names: of the events that are withheld; ``*`` is any.
        """
        if "*" in names or name in names:
            self._withheld.append(payload)
            return []
        if not self.swaps:
            return [payload]
        if self._first is None:
            self._first = payload
            return []
        first, self._first = self._first, None
        self.swaps -= 1
        return [payload, first]

    def release(self) -> list[bytes]:
        """What was withheld, in the order it came."""
        withheld, self._withheld = self._withheld, []
        return withheld
