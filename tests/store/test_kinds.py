"""Tests of CACHE_ENTITIES: each kind by itself left out, and each kept alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rateway.model.kinds import KINDS
from rateway.store import kinds
from rateway.store.cache import Cache

from . import samples as s
from .stores import ask, dispatch, feed, open_store, rows

OF_GUILD = {"guild_id": str(s.GUILD)}
MESSAGE = 300000000000000020
DIRECT = 300000000000000021
RULE = 210000000000000001
MEMBERSHIP = {"id": str(s.POST), "user_id": str(s.BOB), "flags": 0, "join_timestamp": "2026-03-01T10:05:00+00:00"}

EVENTS: list[tuple[str, Any]] = [
    ("READY", s.ready(s.GUILD)),
    ("GUILD_CREATE", s.guild()),
    ("MESSAGE_CREATE", s.message(MESSAGE)),
    ("MESSAGE_CREATE", s.private_message(DIRECT, s.user(s.CAROL, "carol"))),
    ("THREAD_MEMBERS_UPDATE", {"id": str(s.POST), "member_count": 3, "added_members": [MEMBERSHIP]} | OF_GUILD),
    ("VOICE_CHANNEL_STATUS_UPDATE", {"id": str(s.VOICE), "status": "we talk"} | OF_GUILD),
    ("INVITE_CREATE", {"code": "abc", "channel_id": str(s.GENERAL), "uses": 0} | OF_GUILD),
    ("INTEGRATION_CREATE", {"id": "220000000000000001", "name": "of mine"} | OF_GUILD),
    ("AUTO_MODERATION_RULE_CREATE", {"id": str(RULE), "name": "no spam"} | OF_GUILD),
]

QUESTIONS: dict[str, list[tuple[Any, ...]]] = {
    "CurrentUser": [("CurrentUser",)],
    "Guild": [("Guild", s.GUILD)],
    "GuildChannel": [("GuildChannel", s.GENERAL), ("GuildChannel", s.POST), ("GuildThreads", s.GUILD)],
    "PrivateChannel": [("PrivateChannel", s.PRIVATE)],
    "Role": [("Role", s.BOOSTER), ("GuildRoles", s.GUILD)],
    "Emoji": [("Emoji", s.WAVE), ("GuildEmojis", s.GUILD)],
    "Sticker": [("Sticker", 400000000000000101), ("GuildStickers", s.GUILD)],
    "SoundboardSound": [("SoundboardSound", 100000000000000001), ("GuildSoundboardSounds", s.GUILD)],
    "StageInstance": [("StageInstance", 200000000000000001), ("GuildStageInstances", s.GUILD)],
    "ScheduledEvent": [("ScheduledEvent", 200000000000000002), ("GuildScheduledEvents", s.GUILD)],
    "ThreadMember": [("ThreadMembers", s.POST)],
    "ChannelInfo": [("ChannelInfo", s.GUILD, s.VOICE)],
    "Invite": [("GuildInvites", s.GUILD)],
    "Integration": [("GuildIntegrations", s.GUILD)],
    "AutoModerationRule": [("AutoModerationRule", RULE), ("GuildAutoModerationRules", s.GUILD)],
    "Member": [("Member", s.GUILD, s.ALICE), ("GuildMembers", s.GUILD)],
    "User": [("User", s.ALICE)],
    "Presence": [("Presence", s.GUILD, s.ALICE), ("GuildPresences", s.GUILD)],
    "VoiceState": [("VoiceState", s.BOB, s.GUILD), ("VoiceChannelStates", s.VOICE)],
    "Message": [("Message", s.GENERAL, MESSAGE), ("Message", s.PRIVATE, DIRECT)],
}
NEEDS = {"ThreadMember": "GuildChannel"}
"""A kind that is kept only where another is."""


class KindsTests(SynchronousTestCase):
    """A guild with one of everything."""

    def answers(self, chosen: frozenset[str] | None) -> dict[str, list[Any]]:
        """Kind → the answers about it where these kinds are kept. In the end all is left, and nothing is behind."""
        folder = Path(self.mktemp()).absolute()
        store = open_store(folder / "cluster-1", kinds=chosen, messages=5)
        cache = Cache(folder, total=1, per_cluster=1, own={1: store}, enabled=True)
        try:
            feed(store, *(dispatch(seq, *event) for seq, event in enumerate(EVENTS, start=1)))
            found = {kind: [ask(cache, *each) for each in asked] for kind, asked in QUESTIONS.items()}
            feed(store, dispatch(len(EVENTS) + 1, "GUILD_DELETE", {"id": str(s.GUILD)}))
            guild = s.GUILD.to_bytes(8, "big")
            self.assertEqual([key for key in rows(store) if guild in key], [])
            self.assertEqual(store.failures, 0)
        finally:
            cache.close()
            store.close()
        return found

    def test_names(self) -> None:
        """The names that CACHE_ENTITIES takes are those the store knows, and each is asked about here."""
        self.assertEqual(KINDS, set(kinds.KINDS))
        self.assertEqual(KINDS, set(QUESTIONS))

    def test_each_left_out(self) -> None:
        """What is about the kind left out has no answer; everything else has the one it has with all."""
        whole = self.answers(None)
        for answers in whole.values():
            for answer in answers:
                self.assertTrue(answer)
        for left_out in sorted(KINDS):
            found = self.answers(KINDS - {left_out})
            for kind, answers in found.items():
                if kind == left_out or NEEDS.get(kind) == left_out:
                    self.assertEqual(answers, [None] * len(answers), f"{kind} without {left_out}")
                else:
                    self.assertEqual(answers, whole[kind], f"{kind} without {left_out}")

    def test_each_alone(self) -> None:
        """A kind kept alone is as it is with all; nothing else is known."""
        whole = self.answers(None)
        for alone in sorted(KINDS):
            for kind, answers in self.answers(frozenset({alone})).items():
                if kind == alone and kind not in NEEDS:
                    self.assertEqual(answers, whole[kind], f"{alone} alone")
                else:
                    self.assertEqual(answers, [None] * len(answers), f"{kind} where only {alone} is kept")
