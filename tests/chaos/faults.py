"""The faults, and how they are drawn: the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen
from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from .world import World

Deed: TypeAlias = Callable[["World"], Coroutine[Any, Any, None]]

LARGE, LARGE_COUNT = 60_000, 160
"""Bytes and number of the events for each shard of a cluster whose disk is full: more than memory holds."""


@frozen
class Fault:
    """One fault.

    :ivar words: what it is, with what was drawn.
    :ivar gap: seconds until the next one.
    """

    kind: str
    words: str
    gap: float
    do: Deed


async def _kill_child(number: int, world: World) -> None:
    await world.fleet.kill_child(number, world.PATIENCE)


async def _kill_parent(world: World) -> None:
    world.fleet.kill_parent()


async def _kill_tree(world: World) -> None:
    world.fleet.kill_tree()


async def _terminate(world: World) -> None:
    await world.fleet.terminate(world.PATIENCE)


async def _die(hanging: float, seconds: float, world: World) -> None:
    await world.trouble_broker(lambda: world.kill_broker(seconds, hanging=hanging))


async def _hang(seconds: float, world: World) -> None:
    await world.trouble_broker(lambda: world.node.hang(seconds))


async def _block(seconds: float, world: World) -> None:
    await world.trouble_broker(lambda: world.node.block(seconds))


async def _full_disk(cluster: int, seconds: float, linger: float, world: World) -> None:
    """The disk is full while the broker hangs, and a cluster gets more than its memory holds.

    Nothing but the disk holds the rest then; it is emptied some seconds before or after the broker goes on.
    """

    disk = world.disk
    assert disk is not None, "a world with a disk that can't be filled"

    async def fill() -> None:
        disk.fill()
        hanging = Deferred.fromCoroutine(world.node.hang(seconds))
        try:
            world.send_large(cluster, LARGE, LARGE_COUNT)
            await world.pause(max(0.0, seconds + linger))
        finally:
            disk.clear()
        await hanging

    await world.trouble_broker(fill)


async def _drop(shard: int, how: Any, world: World) -> None:
    await world.connected(shard)
    world.simulator.drop(shard, how)


async def _reconnect(shard: int, world: World) -> None:
    await world.connected(shard)
    world.simulator.request_reconnect(shard)


async def _invalidate(shard: int, world: World) -> None:
    await world.connected(shard)
    world.simulator.invalidate(shard, resumable=True)


async def _corrupt(shard: int, world: World) -> None:
    await world.connected(shard)
    world.simulator.corrupt(shard)


async def _split(shard: int, pieces: int, segment: int, world: World) -> None:
    await world.connected(shard)
    world.simulator.shape(shard, pieces=pieces, fragments=2, segment=segment)


def _draw(kind: str, random: Random, shards: int, clusters: int) -> tuple[str, Deed]:
    """What is to be chosen about a fault of this kind."""
    shard, cluster = random.randrange(shards), random.randint(1, clusters)
    seconds, number = round(random.uniform(0.5, 4.0), 1), random.randrange(2)
    hanging = random.choice((0.0, 0.0, 0.7, 2.0))
    linger, pieces, segment = round(random.uniform(-0.4, 1.5), 1), random.randint(2, 6), random.choice((0, 0, 7, 100))
    choices: dict[str, tuple[str, Deed]] = {
        "kill-child": (f"number {number}", partial(_kill_child, number)),
        "kill-parent": ("", _kill_parent),
        "kill-tree": ("", _kill_tree),
        "sigterm": ("", _terminate),
        "broker-killed": (f"for {seconds} s, after {hanging} s of hanging", partial(_die, hanging, seconds)),
        "broker-hangs": (f"for {seconds} s", partial(_hang, seconds)),
        "broker-blocks": (f"for {seconds} s", partial(_block, seconds)),
        "full-disk": (
            f"for {seconds} s and {linger} s, cluster {cluster}",
            partial(_full_disk, cluster, seconds, linger),
        ),
        "fin": (f"shard {shard}", partial(_drop, shard, "fin")),
        "rst": (f"shard {shard}", partial(_drop, shard, "rst")),
        "op-7": (f"shard {shard}", partial(_reconnect, shard)),
        "op-9-true": (f"shard {shard}", partial(_invalidate, shard)),
        "corrupt": (f"shard {shard}", partial(_corrupt, shard)),
        "split": (f"shard {shard}, {pieces} pieces, segments of {segment}", partial(_split, shard, pieces, segment)),
    }
    return choices[kind]


OF_PROCESSES = ("kill-child", "kill-parent", "kill-tree", "sigterm")
OF_BROKER = ("broker-killed", "broker-hangs", "broker-blocks", "full-disk")
OF_CONNECTIONS = ("fin", "rst", "op-7", "op-9-true", "corrupt", "split")
KINDS = OF_PROCESSES + OF_BROKER + OF_CONNECTIONS

COMPANY = 0.6
"""How often what follows on trouble with the broker is something that happens to a process, while the trouble lasts:
events that nothing but memory holds are at stake then."""


def draw(random: Random, shards: int, clusters: int) -> Iterator[Fault]:
    """Faults without end, each kind about as likely as any other."""
    kind = ""
    while True:
        together = kind in OF_BROKER and random.random() < COMPANY
        kind = random.choice(OF_PROCESSES if together else KINDS)
        words, do = _draw(kind, random, shards, clusters)
        gap = random.uniform(0.3, 1.2) if kind in OF_BROKER else random.uniform(0.0, 2.0)
        yield Fault(kind, f"{kind} {words}".strip(), round(gap, 1), do)
