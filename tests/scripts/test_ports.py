"""Ports for servers that must be told theirs."""

from __future__ import annotations

import random
import socket
import tempfile
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from scripts import ports
from scripts.ports import free_ports, is_free


class FreePortsTests(SynchronousTestCase):
    """Nobody listens there, and nobody is given one by chance."""

    def test_different_and_free(self) -> None:
        """As many as asked for, each another, all free."""
        found = free_ports(20)
        self.assertEqual(len(set(found)), 20)
        self.assertTrue(all(map(is_free, found)))

    def test_not_ephemeral(self) -> None:
        """None that the kernel may give to an outgoing connection meanwhile."""
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        self.assertEqual([port for port in free_ports(20) if low <= port <= high], [])

    def test_taken(self) -> None:
        """A port that somebody listens on is not free; after that it is."""
        (port,) = free_ports(1)
        with socket.create_server(("127.0.0.1", port)):
            self.assertFalse(is_free(port))
        self.assertTrue(is_free(port))

    def test_reserved(self) -> None:
        """A server's port is nobody else's while its folder exists, though it is down; then it may be."""
        drawn = mock.Mock(**{"randrange.side_effect": [20_001, 20_001, 20_002, 20_001]})
        folder = Path(self.mktemp())
        folder.mkdir()
        self.patch(tempfile, "tempdir", str(folder))
        self.patch(random, "SystemRandom", lambda: drawn)
        self.patch(ports, "is_free", lambda port: True)
        owner = folder / "node"
        owner.mkdir()
        self.assertEqual(free_ports(1, owner), [20_001])
        self.assertEqual(free_ports(1), [20_002])
        owner.rmdir()
        self.assertEqual(free_ports(1), [20_001])
