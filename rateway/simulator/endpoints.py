"""Endpoint strings (Twisted's "Server endpoint strings") and the addresses in them."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def is_address(host: str) -> bool:
    """Whether it is an IPv4 address, and no name."""
    return _ADDRESS.fullmatch(host) is not None


def at_address(endpoint: str, address: str, port: int) -> str:
    """The same endpoint string, at another address and port."""
    parts = re.split(r"(?<!\\):", endpoint)
    kind, first, *rest = parts
    if "=" in first:
        rest = [first, *rest]
    rest = [part for part in rest if not part.startswith(("interface=", "port="))]
    return ":".join([kind, str(port), *rest, f"interface={address}"])
