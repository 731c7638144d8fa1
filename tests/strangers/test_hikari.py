"""hikari against the simulator."""

from __future__ import annotations

from .course import CourseTestCase


class HikariTests(CourseTestCase):
    """It sends its JSON in binary messages."""

    client = "hikari_bot.py"
    resume_code = 3000
    anew_code = 3000
    end_code = 1001
    minds_window = False

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

    async def test_identifies_too_soon(self) -> None:
        """It waits for nobody before it identifies anew, and so breaks a rule: one IDENTIFY per key in five seconds.

        "Re-identifies go through the same queue": hikari has one for its start only. It gets there by being refused.
        """
        await self.begin("zlib", identify_window=6.0)
        simulator = self.simulator
        simulator.invalidate(0, resumable=False)
        await self.assert_ready(0, 2)
        answers = [each.answer for each in simulator.identifies if each.shard == 0]
        self.assertEqual((answers[0], answers[-1]), ("ready", "ready"))
        self.assertEqual(set(answers[1:-1]), {"invalid"})
        self.assertEqual([each.rule for each in simulator.breaches], ["identify-concurrency"] * (len(answers) - 2))
        await self.assert_whole(expected_breaches=frozenset({"identify-concurrency"}))

    async def test_everything(self) -> None:
        """Events of every kind there is."""
        await self.run_everything("zlib")
