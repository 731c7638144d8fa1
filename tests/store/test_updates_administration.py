"""Tests of what invites, integrations and moderation rules become."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from . import samples as s
from .memory import MemoryStore, kept

OF_GUILD = {"guild_id": str(s.GUILD)}


class StoreTestCase(SynchronousTestCase):
    """A store with the sample guild."""

    def setUp(self) -> None:
        self.store = MemoryStore(kept())
        self.store.happens("READY", s.ready(s.GUILD))
        self.store.happens("GUILD_CREATE", s.guild())


class InviteTests(StoreTestCase):
    """Invites."""

    def made(self, code: str, **more: object) -> None:
        """An invite is made."""
        self.store.happens("INVITE_CREATE", {"code": code, "channel_id": str(s.GENERAL)} | OF_GUILD | more)

    def codes(self) -> list[str]:
        """Of the guild's invites."""
        return [invite["code"] for invite in self.store.ask("GuildInvites", s.GUILD)]

    def test_made_and_deleted(self) -> None:
        """Each is known until it is deleted, also where the deletion doesn't name the guild."""
        for code in ("b", "a", "c", "a"):
            self.made(code)
        self.assertEqual(self.codes(), ["a", "b", "c"])
        self.store.happens("INVITE_DELETE", {"code": "b", "channel_id": str(s.GENERAL)} | OF_GUILD)
        self.store.happens("INVITE_DELETE", {"code": "c", "channel_id": str(s.GENERAL)})
        self.store.happens("INVITE_DELETE", {"code": "of nobody", "channel_id": "5"})
        self.assertEqual(self.codes(), ["a"])

    def test_expired(self) -> None:
        """Those that expired go when one more is made; a time that can't be read is none."""
        self.store.now_ms = 1_775_000_000_000
        self.made("over", expires_at="2026-03-31T23:33:19.000000+00:00")
        self.made("yet to come", expires_at="2026-03-31T23:33:21.000000+00:00")
        self.made("for ever", expires_at=None)
        self.made("odd", expires_at="some day")
        self.assertEqual(self.codes(), ["for ever", "odd", "yet to come"])
        self.assertEqual([key for key in self.store.rows if key == b"fover"], [])

    def test_channel_gone(self) -> None:
        """They go with their channel."""
        self.made("a")
        self.store.happens("CHANNEL_DELETE", s.channel(s.GENERAL) | OF_GUILD)
        self.assertEqual(self.codes(), [])

    def test_unknown_guild(self) -> None:
        """Of a guild the bot isn't in, and of none, nothing is kept."""
        before = dict(self.store.rows)
        self.made("a", guild_id=str(s.OTHER))
        self.store.happens("INVITE_CREATE", {"code": "b", "channel_id": "5"})
        self.assertEqual(self.store.rows, before)


class OneByOneTests(StoreTestCase):
    """Integrations and moderation rules: made, changed, deleted; and kept when the guild is listed anew."""

    def test_each(self) -> None:
        """As last seen; a guild's listing doesn't name them, and changes nothing."""
        for prefix, table, kind in (
            ("INTEGRATION", "GuildIntegrations", None),
            ("AUTO_MODERATION_RULE", "GuildAutoModerationRules", "AutoModerationRule"),
        ):
            made = {"id": "77", "name": "one"} | OF_GUILD
            self.store.happens(f"{prefix}_CREATE", made)
            self.store.happens(f"{prefix}_UPDATE", made | {"name": "two"})
            self.store.happens("GUILD_CREATE", s.guild())
            rows = self.store.rows_of(77)
            self.assertEqual(len(rows), 2, table)
            if kind is not None:
                self.assertEqual(self.store.ask(kind, 77), made | {"name": "two"})
            self.store.happens(f"{prefix}_CREATE", made | {"id": "78", "guild_id": str(s.OTHER)})
            self.assertEqual(self.store.rows_of(78), [], table)
            self.store.happens(f"{prefix}_DELETE", made)
            self.assertEqual(self.store.rows_of(77), [], table)
