"""The description of the protocol that txAMQP's channels are made from, loaded once for the process.

txAMQP's package on PyPI comes without one; ours holds the methods in use and nothing else.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from txamqp import spec as txamqp_spec

_FILE = Path(__file__).with_name("amqp0-9-1.xml")


@cache
def load_spec() -> Any:
    """txAMQP's ``Spec`` of AMQP 0-9-1 with RabbitMQ's extensions."""
    return txamqp_spec.load(str(_FILE))


@cache
def argument_kinds(method: Any) -> tuple[str, ...]:
    """The types of a method's fields, in order."""
    return tuple(field.type for field in method.fields)
