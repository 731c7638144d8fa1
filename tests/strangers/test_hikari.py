"""hikari against the simulator."""

from __future__ import annotations

from .course import CourseTestCase


class HikariTests(CourseTestCase):
    """It sends its JSON in binary messages."""

    client = "hikari_bot.py"
    resume_code = 3000
    end_code = 1001

    async def test_none(self) -> None:
        """The whole course without compression."""
        await self.run_course("none")

    async def test_payload(self) -> None:
        """The whole course with single payloads compressed, as IDENTIFY asks for."""
        await self.run_course("payload")

    async def test_zlib(self) -> None:
        """The whole course over zlib-stream."""
        await self.run_course("zlib")

    async def test_zstd(self) -> None:
        """The whole course over zstd-stream."""
        await self.run_course("zstd")

    async def test_traffic(self) -> None:
        """A stream of events, both shards dropped meanwhile: all arrive, once."""
        await self.run_traffic("zstd")
