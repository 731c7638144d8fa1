"""discord.py against the simulator."""

from __future__ import annotations

from .course import SHARDS, CourseTestCase


class DiscordPyTests(CourseTestCase):
    """It offers no way to do without compression."""

    client = "discord_py.py"
    resume_code = 4000
    anew_code = 1000
    end_code = 1000

    async def test_zlib(self) -> None:
        """The whole course over zlib-stream."""
        await self.run_course("zlib")

    async def test_zstd(self) -> None:
        """The whole course over zstd-stream."""
        await self.run_course("zstd")

    async def test_traffic(self) -> None:
        """A stream of events, both shards dropped meanwhile: all arrive, once."""
        await self.run_traffic("zstd")

    async def test_everything(self) -> None:
        """Events of every kind there is, but those of the next test."""
        await self.run_everything("zlib", but="partial-edit")

    async def test_partial_edit(self) -> None:
        """It ends at a MESSAGE_UPDATE with some keys only.

        The docs describe a whole message now, and Discord's practice was the other one for years: a client should
        merge by key. discord.py relies on the docs; so the simulator sends none of these unless it is asked to.
        """
        await self.begin("zlib")
        guild = self.simulator.world.guilds_of(0, SHARDS)[0]
        head = {"id": "310000000000000000", "guild_id": str(guild.id), "channel_id": str(guild.text_channels()[0])}
        self.simulator.emit(guild.id, "MESSAGE_UPDATE", {**head, "embeds": []})
        code = await self.stranger.ends()
        self.assertEqual((code, self.stranger.log[-1]), (1, "KeyError: 'type'"), self.stranger.blame("otherwise"))
        self.assertEqual(self.simulator.breaches, [])
