"""A RabbitMQ node that has a hard time."""

from __future__ import annotations

import atexit
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.support.broker import PrivateBroker, Vhost

_TINY, _USUAL = "0.000001", "0.6"
"""Shares of the machine's memory from which on publishers are blocked."""


class Node:
    """One node; start it before anything else.

    :ivar serves: it runs, and does what it should.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._broker = PrivateBroker()
        self.serves = False

    async def start(self) -> None:
        """Fires when it serves; at once if it does already."""
        if not self.serves:
            await self._broker.start()
            self.serves = True

    def remove_blocking(self) -> None:
        """End it, and remove all it kept."""
        self._broker.remove_blocking()

    async def new_vhost(self) -> Vhost:
        """A vhost of a run's own."""
        default = self._broker.vhost
        vhost = Vhost(default.uri, default.api, f"chaos-{uuid.uuid4().hex[:12]}")
        await deferToThread(vhost.api.call, "PUT", "vhosts", vhost.name)
        grants = {"configure": ".*", "write": ".*", "read": ".*"}
        await deferToThread(vhost.api.call, "PUT", "permissions", vhost.name, vhost.api.user, body=grants)
        return vhost

    async def die(self, seconds: float, *, hanging: float = 0.0, dead: Callable[[], None] = lambda: None) -> None:
        """SIGKILL; it is started again after a while, and fires when it serves.

        :param hanging: seconds for which it hangs before that: what it is sent meanwhile it never confirms.
        :param dead: called once it is dead.
        """
        self.serves = False
        if hanging:
            self._broker.suspend()
            await self._pause(hanging)
        await self._broker.kill()
        dead()
        await self._pause(seconds)
        await self.start()

    async def hang(self, seconds: float) -> None:
        """SIGSTOP for a while."""
        self.serves = False
        self._broker.suspend()
        try:
            await self._pause(seconds)
        finally:
            self._broker.resume()
            self.serves = True

    async def block(self, seconds: float) -> None:
        """A memory alarm for a while: publishers get connection.blocked, and nothing more is read of them."""
        self.serves = False
        await self._set_watermark(_TINY)
        try:
            await self._pause(seconds)
        finally:
            await self._set_watermark(_USUAL)
            self.serves = True

    async def _set_watermark(self, share: str) -> None:
        await self._broker.control("set_vm_memory_high_watermark", share)

    def _pause(self, seconds: float) -> Any:
        return deferLater(self._reactor, seconds)


@cache
def process_node() -> Node:
    """One for all tests of this process, which it ends with: it takes some seconds to start."""
    from twisted.internet import reactor

    node = Node(reactor)
    atexit.register(node.remove_blocking)
    return node
