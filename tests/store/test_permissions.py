"""Permissions, out of what the store knows of a guild."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ujson
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.permissions import ALL, IN_TIME_OUT, Permission
from rateway.store.cache import Cache
from rateway.store.permissions import member_permissions

from . import samples as s
from .memory import MemoryStore, kept
from .stores import dispatch, feed, open_store

P = Permission
BASE = int(P.VIEW_CHANNEL | P.SEND_MESSAGES | P.READ_MESSAGE_HISTORY | P.SEND_MESSAGES_IN_THREADS)
MUTED = 501


def role(role_id: int, permissions: int) -> dict[str, Any]:
    """A role with these bits."""
    return s.role(role_id, "role") | {"permissions": str(permissions)}


def deny(target: int, bits: int, type: int = 0) -> dict[str, Any]:
    """An overwrite that denies."""
    return {"id": str(target), "type": type, "allow": "0", "deny": str(bits)}


class PermissionsTests(SynchronousTestCase):
    """The sample guild: alice owns it, bob is muted in general, carol is not known."""

    def setUp(self) -> None:
        self.store = MemoryStore(kept())
        self.store.happens("READY", s.ready(s.GUILD))
        guild = s.guild(
            roles=[role(s.GUILD, BASE), role(MUTED, 0), role(s.BOOSTER, int(P.ATTACH_FILES))],
            channels=[
                s.channel(s.GENERAL, permission_overwrites=[deny(MUTED, int(P.SEND_MESSAGES))]),
                s.channel(s.FORUM, 15, permission_overwrites=[deny(MUTED, int(P.SEND_MESSAGES_IN_THREADS))]),
                s.hidden(),
            ],
        )
        guild["members"][2]["roles"] = [str(MUTED), str(s.BOOSTER), "99"]
        self.store.happens("GUILD_CREATE", guild)

    def ask(self, user: int, channel: int | None = None, guild: int = s.GUILD, now: float = 0.0) -> int | None:
        """The bits."""
        body = member_permissions(self.store, guild, user, channel, lambda: now)
        if body is None:
            return None
        answer = ujson.loads(body)
        self.assertEqual(list(answer), ["permissions"])
        self.assertIsInstance(answer["permissions"], str)
        return int(answer["permissions"])

    def test_roles(self) -> None:
        """@everyone's and the member's own roles; one that is gone counts for nothing."""
        self.assertEqual(self.ask(s.BOB), BASE | P.ATTACH_FILES)
        self.assertEqual(self.ask(s.BOT), BASE)

    def test_owner(self) -> None:
        """The owner may do all, known as a member or not."""
        self.assertEqual(self.ask(s.ALICE), ALL)
        self.assertEqual(self.ask(s.ALICE, s.HIDDEN), ALL)
        self.store.happens("GUILD_UPDATE", {"id": str(s.GUILD), "owner_id": str(s.CAROL)})
        self.assertEqual(self.ask(s.CAROL), ALL)
        self.assertNotEqual(self.ask(s.ALICE), ALL)

    def test_channel(self) -> None:
        """A channel's overwrites: who may not send there may not attach files either."""
        self.assertEqual(self.ask(s.BOB, s.GENERAL), BASE & ~P.SEND_MESSAGES)
        self.assertEqual(self.ask(s.BOT, s.GENERAL), BASE)

    def test_thread(self) -> None:
        """A thread goes by its parent, and by SEND_MESSAGES_IN_THREADS."""
        self.assertEqual(self.ask(s.BOT, s.POST), BASE & ~P.SEND_MESSAGES)
        self.assertEqual(self.ask(s.BOB, s.POST), int(P.VIEW_CHANNEL | P.READ_MESSAGE_HISTORY))

    def test_time_out(self) -> None:
        """In time-out only seeing and reading are left, until it is over."""
        until = datetime(2026, 5, 1, 12, tzinfo=UTC)
        update = s.member(s.BOB, "bob", roles=[], communication_disabled_until=until.isoformat())
        self.store.happens("GUILD_MEMBER_UPDATE", update | {"guild_id": str(s.GUILD)})
        self.assertEqual(self.ask(s.BOB, now=(until - timedelta(seconds=1)).timestamp()), IN_TIME_OUT)
        self.assertEqual(self.ask(s.BOB, s.GENERAL, now=(until - timedelta(seconds=1)).timestamp()), BASE & IN_TIME_OUT)
        self.assertEqual(self.ask(s.BOB, now=until.timestamp()), BASE)
        for odd in ("", "soon", "2026-05-01T12:00:00"):
            update["communication_disabled_until"] = odd
            self.store.happens("GUILD_MEMBER_UPDATE", update | {"guild_id": str(s.GUILD)})
            self.assertEqual(self.ask(s.BOB, now=until.timestamp()), BASE, odd)

    def test_hidden_channel(self) -> None:
        """Of a channel the bot can't see, only the bot's own permissions are known: none."""
        self.assertEqual(self.ask(s.BOT, s.HIDDEN), 0)
        self.assertIsNone(self.ask(s.BOB, s.HIDDEN))

    def test_not_known(self) -> None:
        """Somebody, a channel, or a guild that isn't known; a channel of another guild."""
        self.assertIsNone(self.ask(s.CAROL))
        self.assertIsNone(self.ask(s.BOB, 5))
        self.assertIsNone(self.ask(s.BOB, guild=s.OTHER))
        self.store.happens("GUILD_CREATE", s.guild(s.OTHER, channels=[s.channel(5)]))
        self.assertIsNone(self.ask(s.BOB, 5))
        self.assertIsNotNone(self.ask(s.BOB, 5, s.OTHER))
        self.assertIsNone(self.ask(s.BOB, s.GENERAL, s.OTHER))

    def test_outage_from_the_start(self) -> None:
        """Of a guild that never came nothing can be worked out."""
        self.store.happens("GUILD_CREATE", {"id": str(s.OTHER), "unavailable": True})
        self.assertIsNone(self.ask(s.BOB, guild=s.OTHER))

    def test_data_of_another_shape(self) -> None:
        """What can't be read is not known, and no fault."""
        self.store.happens(
            "GUILD_ROLE_UPDATE", {"guild_id": str(s.GUILD), "role": role(MUTED, 0) | {"permissions": "x"}}
        )
        self.assertIsNone(self.ask(s.BOB))
        self.assertEqual(self.ask(s.BOT), BASE)

    def test_asked_as_a_bot_does(self) -> None:
        """By the query, with and without a channel."""
        folder = Path(self.mktemp()).absolute()
        store = open_store(folder / "cluster-1")
        self.addCleanup(store.close)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()))
        cache = Cache(folder, total=1, per_cluster=1, own={1: store}, enabled=True)
        self.addCleanup(cache.close)
        whole = b'{"permissions":"%d"}' % ALL
        self.assertEqual(cache.query("Permissions", [s.GUILD, s.ALICE]), whole)
        self.assertEqual(cache.query("Permissions", [str(s.GUILD), s.ALICE, s.GENERAL]), whole)
        self.assertEqual(cache.query("Permissions", [s.GUILD, s.ALICE, None]), whole)
        self.assertIsNone(cache.query("Permissions", [s.GUILD, s.CAROL]))
