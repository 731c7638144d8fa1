"""@discordjs/ws, discord.js' side of the gateway, against the simulator."""

from __future__ import annotations

from .course import CourseTestCase


class DiscordJsTests(CourseTestCase):
    """After op 9 true it resumes on the connection it has, which Discord accepts."""

    client = "discordjs.cjs"
    resume_code = 4200
    anew_code = 1000
    end_code = 1000
    resumes_in_place = True
    beats_at_once = False

    async def test_none(self) -> None:
        """The whole course without compression."""
        await self.run_course("none")

    async def test_identify(self) -> None:
        """The whole course with single payloads compressed, as IDENTIFY asks for."""
        await self.run_course("identify")

    async def test_zlib(self) -> None:
        """The whole course over zlib-stream."""
        await self.run_course("zlib")

    async def test_zstd(self) -> None:
        """The whole course over zstd-stream, by the next major version."""
        await self.run_course("zstd")

    async def test_traffic(self) -> None:
        """A stream of events, both shards dropped meanwhile: all arrive, once."""
        await self.run_traffic("zlib")

    async def test_everything(self) -> None:
        """Events of every kind there is."""
        await self.run_everything("none")
