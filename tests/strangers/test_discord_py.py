"""discord.py against the simulator."""

from __future__ import annotations

from .course import CourseTestCase


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
