"""How long one piece of a huge guild's work holds a process up: in one go, and in slices.

``python -m bench.slices [--members 100000]``: CPU time of GUILD_CREATE and GUILD_DELETE of a guild with so many
members, and the longest piece between two pauses, as the pipeline takes them (5 ms of slices, then the reactor's turn).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import ujson

from rateway.cluster.pipeline import SLICE
from rateway.model.dispatch import Dispatch
from rateway.model.intents import ALL
from rateway.model.session import Session
from rateway.store.cluster import ClusterStore

GUILD = 41771983423143937
SESSION = Session("one", "wss://resume.example.invalid", 0)


def guild(members: int) -> bytes:
    """A GUILD_CREATE with members, and presences of a quarter of them."""
    people = [
        {
            "id": str(GUILD + number),
            "username": f"user{number}",
            "discriminator": "0",
            "global_name": f"User {number}",
            "avatar": "8342729096ea3675442027381ff50dfe",
            "public_flags": 64,
            "bot": False,
        }
        for number in range(members)
    ]
    return ujson.dumps(
        {
            "id": str(GUILD),
            "name": "huge",
            "member_count": members,
            "roles": [],
            "channels": [],
            "threads": [],
            "members": [
                {
                    "user": person,
                    "nick": None,
                    "avatar": None,
                    "roles": [],
                    "joined_at": "2015-04-26T06:26:56.936000+00:00",
                    "deaf": False,
                    "mute": False,
                    "flags": 0,
                }
                for person in people
            ],
            "presences": [
                {"user": {"id": person["id"]}, "status": "online", "activities": [], "client_status": {"web": "online"}}
                for person in people[::4]
            ],
        }
    ).encode()


def open_store(folder: str) -> ClusterStore:
    """A store that keeps everything."""
    return ClusterStore.open(
        Path(folder), shards=range(1), total=1, intents=ALL, cache=True, kinds=None, messages_per_channel=0
    )


def measure(store: ClusterStore, event: Dispatch, sliced: bool) -> tuple[float, float, int]:
    """CPU seconds of the whole, of the longest piece, and the number of pieces."""
    batch = [(0, SESSION.at(event[0]), [event])]
    began = time.process_time()
    if not sliced:
        store.apply(batch, {})
        took = time.process_time() - began
        return took, took, 1
    pieces = []
    at = began
    assert store.begin(batch), "it is no long event"
    while store.busy:
        until = time.perf_counter() + SLICE
        while not store.step() and time.perf_counter() < until:
            pass
        if store.step():
            store.finish()
        now = time.process_time()
        pieces.append(now - at)
        at = now
    return at - began, max(pieces), len(pieces)


def main() -> None:
    """Measure both ways, each in a store of its own that has grown before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=100_000)
    members: int = parser.parse_args().members
    body, gone = guild(members), b'{"id":"%d"}' % GUILD
    print(f"a guild of {members} members, {len(body) / 1e6:.1f} MB")
    for sliced in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(folder)
            ready = b'{"user":{"id":"1"},"guilds":[]}'
            store.apply(
                [(0, SESSION.at(1), [(1, "READY", ready), (2, "GUILD_CREATE", body), (3, "GUILD_DELETE", gone)])], {}
            )
            for seq, name, d in ((4, "GUILD_CREATE", body), (5, "GUILD_CREATE", body), (6, "GUILD_DELETE", gone)):
                whole, longest, pieces = measure(store, (seq, name, d), sliced)
                kind = "in slices" if sliced else "in one go"
                print(f"{kind} {name:13}{whole * 1000:8.0f} ms CPU, longest piece {longest * 1000:6.1f} ms of {pieces}")
            store.close()


if __name__ == "__main__":
    main()
