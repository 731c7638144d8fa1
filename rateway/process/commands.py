"""The AMP contract between parent and child: one direction per section, and nothing else.

An AMP value ends at 65,535 bytes: numbers of clusters and shards travel as runs, and the states of shards as a letter
each, so that the largest plan fits; the configuration fits, entities never travel here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ujson
from twisted.protocols import amp
from twisted.protocols.amp import Boolean, Float, Integer, String, Unicode

from rateway.errors import RatewayError, RequestRefused, Unavailable

FAULT_CODE = b"FAULT"


class Fault(RatewayError):
    """The other process met a fault of rateway's own in answering, and goes on; its log has the traceback."""


class Command(amp.Command):
    """What all commands have in common: the answer to one whose responder raises what nobody foresaw."""

    errors = {Fault: FAULT_CODE}


class Numbers(amp.Argument):
    """Whole numbers from 0 on, in ascending order, as runs: ``0-8191,8193``.

    The worst that a cluster of 10,000 shards can have is every third one missing: 3,334 runs, 40 kB at five digits and
    54 kB at seven.
    """

    def toString(self, inObject: Iterable[int]) -> bytes:
        runs: list[list[int]] = []
        for number in inObject:
            if runs and number == runs[-1][1] + 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        return b",".join(b"%d" % first if first == last else b"%d-%d" % (first, last) for first, last in runs)

    def fromString(self, inString: bytes) -> list[int]:
        numbers: list[int] = []
        for run in filter(None, inString.split(b",")):
            first, _, last = run.partition(b"-")
            numbers += range(int(first), int(last or first) + 1)
        return numbers


class ClusterStatus(amp.Argument):
    """A cluster's status as JSON, in which ``shards`` (shard → state) takes a byte for each: 10 kB at the most.

    The shards of a cluster are a run, and their states a few.
    """

    def toString(self, inObject: Mapping[str, object]) -> bytes:
        told = dict(inObject)
        shards = told.pop("shards", None)
        if isinstance(shards, Mapping) and shards:
            states = list(dict.fromkeys(shards.values()))
            letters = {state: chr(ord("a") + index) for index, state in enumerate(states)}
            told["shards"] = [min(shards), states, "".join(letters[shards[shard]] for shard in sorted(shards))]
        return ujson.dumps(told).encode()

    def fromString(self, inString: bytes) -> dict[str, object]:
        told: dict[str, Any] = ujson.loads(inString)
        if "shards" in told:
            first, states, letters = told["shards"]
            told["shards"] = {first + at: states[ord(letter) - ord("a")] for at, letter in enumerate(letters)}
        return told


# Parent to child.


class Configure(Command):
    """The first command a child gets; ``config`` is ``rateway.config.to_wire``, with the token in it."""

    arguments = [(b"config", String()), (b"gateway_url", Unicode()), (b"total", Integer())]


class RunClusters(Command):
    """Run these clusters; answered when all of them are started.

    ``crashed``: a fault in native code ended the child that ran them before. ``again``: there was one, whatever
    ended it.
    """

    arguments = [(b"clusters", Numbers()), (b"crashed", Boolean()), (b"again", Boolean())]


class Status(Command):
    """How a cluster is; empty if it isn't run here."""

    arguments = [(b"cluster", Integer())]
    response = [(b"status", ClusterStatus())]


class Stop(Command):
    """Stop all clusters, in order; answered when they have. ``final`` ends the sessions too."""

    arguments = [(b"final", Boolean())]


# Child to parent.


class ClusterStarted(Command):
    """A cluster's store is open and its service runs; these of its shards will try to resume before they identify."""

    arguments = [(b"cluster", Integer()), (b"resumable", Numbers())]
    requiresAnswer = False


class AcquirePermit(Command):
    """May this shard identify? Answered when it may, or refused when the question was withdrawn."""

    arguments = [(b"shard", Integer())]
    errors = {Unavailable: b"WITHDRAWN"}


class WithdrawPermit(Command):
    """The shard asks no longer."""

    arguments = [(b"shard", Integer())]
    requiresAnswer = False


class PermitUsed(Command):
    """The shard's IDENTIFY was written now."""

    arguments = [(b"shard", Integer())]
    requiresAnswer = False


class PermitSettled(Command):
    """The shard's IDENTIFY was answered, or never will be."""

    arguments = [(b"shard", Integer())]
    requiresAnswer = False


class PermitReturned(Command):
    """The shard's permit was not used."""

    arguments = [(b"shard", Integer())]
    requiresAnswer = False


class ReportFatal(Command):
    """An end that no retry mends; ``sentence`` is for the operator."""

    arguments = [(b"sentence", Unicode())]
    requiresAnswer = False


# Both ways: from the child whose inbox had it to the parent, and from there to the child that runs the shard.


class SendCommand(Command):
    """A bot's gateway command for a shard of another process; answered when it is sent, or refused with a reason.

    ``left`` is how many seconds it may still wait. It may also be a wish for a member list
    (``rateway.cluster.elsewhere.FETCH_MEMBERS``), which is answered when the list is there.
    """

    arguments = [(b"shard", Integer()), (b"op", Integer()), (b"payload", String()), (b"left", Float())]
    errors = {RequestRefused: b"REFUSED"}
