"""rateway in every scenario that comes with the simulator: acceptance criteria 1 to 36, and some bad days."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rateway.simulator.scenario.reading import load, packaged

from .ensemble import Ensemble
from .stage import Run, StageTestCase

PRIVILEGED = ("GUILD_MEMBERS", "GUILD_PRESENCES", "MESSAGE_CONTENT")


REASONS = {
    "4010": "invalid shard: the total of shards must fit",
    "4011": "sharding required: the bot is in too many guilds",
    "4012": "invalid API version: this rateway speaks",
    "4013": "invalid intents: INTENTS has a bit",
    "4014": "disallowed intents: enable the privileged intents",
}
"""What the operator is told after each final close code."""


def own_faults_are_logged(test: StageTestCase, run: Run) -> None:
    """Criterion 13: codes that mean a fault of rateway's are errors in the log, and no others are."""
    errors = [line for line in run.program.lines if "Z error " in line]
    for code in (4000, 4001, 4002, 4005, 4008):
        told = [line for line in errors if f"closed by Discord with {code}" in line]
        test.assertEqual(len(told), int(code != 4000), run.program.text)


def ended_by_itself(test: StageTestCase, run: Run) -> None:
    """Criterion 16: a non-zero exit, and a last word about the token."""
    test.assertEqual(run.ended, 1, run.program.text)
    test.assertRegex(last_word(run), "Discord (refuses the token|closed shard [01] with 4004).*developer portal")


def ended_for_a_reason(test: StageTestCase, run: Run) -> None:
    """Criterion 17: a non-zero exit, and why; 4014 names the privileged intents asked for."""
    test.assertEqual(run.ended, 1, run.program.text)
    test.assertIn(f"closed shard 0 with {run.case.variant}, {REASONS[run.case.variant]}", last_word(run))
    if run.case.variant == "4014":
        for intent in PRIVILEGED:
            test.assertIn(intent, last_word(run))


def last_word(run: Run) -> str:
    """Why rateway ended."""
    return next((line for line in run.program.lines if "rateway stops: " in line), run.program.text)


def guilds_came_anew(test: StageTestCase, run: Run) -> None:
    """Criterion 18: the new session brought the guilds that are left."""
    (session,) = run.simulator.sessions
    guilds = [name for _, name, _ in run.arrived()[session.id] if name == "GUILD_CREATE"]
    test.assertEqual(len(guilds), len(run.simulator.world.guilds))


CHECKS: Mapping[str, Callable[[StageTestCase, Run], None]] = {
    "criterion_13": own_faults_are_logged,
    "criterion_16": ended_by_itself,
    "criterion_17": ended_for_a_reason,
    "criterion_18": guilds_came_anew,
}
"""What is not to be seen from Discord's side."""

ENSEMBLE = Ensemble.of_this_run(packaged())


class CriteriaTests(StageTestCase):
    """What Discord does, and what rateway must do."""

    async def holds(self, name: str) -> None:
        """The scenario holds for rateway, and its worker gets every event once, in order."""
        wrong = await ENSEMBLE.result(self.reactor, name, self._play_and_check)
        if wrong:
            self.fail(wrong)

    async def _play_and_check(self, name: str) -> None:
        for run in await self.play(name):
            CHECKS.get(name, lambda test, run: None)(self, run)

    async def test_each_has_a_test(self) -> None:
        """No scenario is left out."""
        tests = {name.removeprefix("test_") for name in dir(self) if name.startswith("test_")}
        self.assertEqual(set(packaged()) - tests, set())

    async def test_nothing_goes_unseen(self) -> None:
        """What a scenario leaves to whoever runs it is looked at here."""
        scenarios = {name: load(name).cases for name in packaged()}
        unseen = {name for name, cases in scenarios.items() if any(case.unseen for case in cases)}
        self.assertEqual(unseen, CHECKS.keys())

    async def test_criterion_01(self) -> None:
        """A normal start."""
        await self.holds("criterion_01")

    async def test_criterion_02(self) -> None:
        """The gateway's address with and without a slash."""
        await self.holds("criterion_02")

    async def test_criterion_03(self) -> None:
        """Heartbeats."""
        await self.holds("criterion_03")

    async def test_criterion_04(self) -> None:
        """A heartbeat on demand."""
        await self.holds("criterion_04")

    async def test_criterion_05(self) -> None:
        """No ACK."""
        await self.holds("criterion_05")

    async def test_criterion_06(self) -> None:
        """Bare ACKs."""
        await self.holds("criterion_06")

    async def test_criterion_07(self) -> None:
        """Op 7 before HELLO."""
        await self.holds("criterion_07")

    async def test_criterion_08(self) -> None:
        """Op 7 while active."""
        await self.holds("criterion_08")

    async def test_criterion_09(self) -> None:
        """Op 7 right behind a burst of events."""
        await self.holds("criterion_09")

    async def test_criterion_10(self) -> None:
        """TCP reset."""
        await self.holds("criterion_10")

    async def test_criterion_11(self) -> None:
        """Ends without a code."""
        await self.holds("criterion_11")

    async def test_criterion_12(self) -> None:
        """Discord closes with 1000 and 1001."""
        await self.holds("criterion_12")

    async def test_criterion_13(self) -> None:
        """Close codes that keep the session."""
        await self.holds("criterion_13")

    async def test_criterion_14(self) -> None:
        """Close codes that end the session."""
        await self.holds("criterion_14")

    async def test_criterion_15(self) -> None:
        """Session timed out."""
        await self.holds("criterion_15")

    async def test_criterion_16(self) -> None:
        """The token is refused."""
        await self.holds("criterion_16")

    async def test_criterion_17(self) -> None:
        """Close codes that are final."""
        await self.holds("criterion_17")

    async def test_criterion_18(self) -> None:
        """A RESUME that is refused."""
        await self.holds("criterion_18")

    async def test_criterion_19(self) -> None:
        """Op 9 true while active."""
        await self.holds("criterion_19")

    async def test_criterion_20(self) -> None:
        """Op 9 false after IDENTIFY."""
        await self.holds("criterion_20")

    async def test_criterion_21(self) -> None:
        """A long replay."""
        await self.holds("criterion_21")

    async def test_criterion_22(self) -> None:
        """The resume address refuses TCP."""
        await self.holds("criterion_22")

    async def test_criterion_23(self) -> None:
        """The resume address accepts, but never greets."""
        await self.holds("criterion_23")

    async def test_criterion_24(self) -> None:
        """READY never comes."""
        await self.holds("criterion_24")

    async def test_criterion_25(self) -> None:
        """Four shards, one at a time."""
        await self.holds("criterion_25")

    async def test_criterion_26(self) -> None:
        """Thirty-two shards, sixteen at a time."""
        await self.holds("criterion_26")

    async def test_criterion_27(self) -> None:
        """Two IDENTIFYs left for four shards."""
        await self.holds("criterion_27")

    async def test_criterion_28(self) -> None:
        """Connections that drop after READY."""
        await self.holds("criterion_28")

    async def test_criterion_29(self) -> None:
        """A RESUME while others wait to identify."""
        await self.holds("criterion_29")

    async def test_criterion_30(self) -> None:
        """zlib-stream."""
        await self.holds("criterion_30")

    async def test_criterion_31(self) -> None:
        """zlib-stream in pieces."""
        await self.holds("criterion_31")

    async def test_criterion_32(self) -> None:
        """A new connection begins a new zlib stream."""
        await self.holds("criterion_32")

    async def test_criterion_33(self) -> None:
        """zstd-stream."""
        await self.holds("criterion_33")

    async def test_criterion_35(self) -> None:
        """A corrupt stream."""
        await self.holds("criterion_35")

    async def test_criterion_36(self) -> None:
        """Twenty megabytes in one payload."""
        await self.holds("criterion_36")

    async def test_bad_day(self) -> None:
        """A bad day."""
        await self.holds("bad_day")

    async def test_deploy(self) -> None:
        """Discord deploys."""
        await self.holds("deploy")

    async def test_outage(self) -> None:
        """Discord is out."""
        await self.holds("outage")

    async def test_rate_limited(self) -> None:
        """Told to wait."""
        await self.holds("rate_limited")
