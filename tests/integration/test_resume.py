"""Sessions that survive: every way a connection ends, and what follows (acceptance criteria 7-19, 21-23, 29)."""

from __future__ import annotations

from rateway.model.closecodes import OwnClose
from rateway.simulator.gateway.behaviour import Behaviour
from rateway.simulator.simulator import Simulator
from tests.support.waiting import PATIENCE

from .harness import WorldTestCase
from .worker import Worker

KEEPING = {code.value for code in OwnClose} - {OwnClose.FINAL}


def numbers(worker: Worker, shard: int = 0) -> list[str]:
    """The bodies of a shard's TEST events, in order of arrival."""
    return [event.body.decode() for event in worker.of_shard(shard) if event.key == "TEST"]


class ResumeTests(WorldTestCase):
    """One shard whose connection ends, in every way it can."""

    async def send(self, simulator: Simulator, first: int, count: int) -> None:
        """Numbered events on shard 0."""
        for number in range(first, first + count):
            simulator.dispatch(0, "TEST", str(number).encode())

    async def arrived(self, worker: Worker, count: int) -> None:
        """Events 0 to count - 1 arrived, each once, in order."""
        await self.until(lambda: len(numbers(worker)) >= count, f"{count} events, not {len(numbers(worker))}")
        self.assertEqual(numbers(worker), [str(number) for number in range(count)])

    async def resumed(self, simulator: Simulator, times: int = 1, timeout: float = PATIENCE) -> None:
        """Discord accepted so many RESUMEs, and has one IDENTIFY on record."""
        await self.until(
            lambda: (
                sum(resume.answer == "resumed" for resume in simulator.resumes) >= times and simulator.is_connected(0)
            ),
            f"{times} resumes",
            timeout,
        )
        self.assertEqual(len(simulator.identifies), 1)

    def assert_kept(self, simulator: Simulator) -> None:
        """No close of rateway's own ended a session."""
        self.assertEqual([close for close in simulator.closes if close.code not in KEEPING], [])
        self.assertEqual(simulator.wasted, [])

    async def test_criterion_07_reconnect_before_hello(self) -> None:
        """Op 7 instead of HELLO: rateway connects again, and only then identifies."""
        simulator = await self.simulator()
        simulator.on_connect(Behaviour(first=((7, None),), hello=False))
        self.rateway(simulator)
        await self.all_active(simulator, 1)
        self.assertEqual([identify.connection for identify in simulator.identifies], [simulator.connections[1].number])
        self.assert_kept(simulator)

    async def test_criterion_08_reconnect_while_active(self) -> None:
        """Op 7: the session goes on, no event is lost and none comes twice."""
        simulator, _, worker = await self.up()
        await self.send(simulator, 0, 50)
        simulator.request_reconnect(0)
        await self.send(simulator, 50, 50)
        await self.resumed(simulator)
        await self.send(simulator, 100, 50)
        await self.arrived(worker, 150)
        self.assertIn("RESUMED", worker.names())
        self.assert_kept(simulator)

    async def test_criterion_09_reconnect_right_after_a_burst(self) -> None:
        """What came before op 7 in the same read is taken first: the RESUME is behind all of it."""
        simulator, _, worker = await self.up()
        await self.until(lambda: worker.names().count("GUILD_CREATE") == len(simulator.world.guilds), "the backfill")
        await self.send(simulator, 0, 500)
        last = simulator.session(0).seq
        simulator.request_reconnect(0)
        await self.resumed(simulator)
        self.assertEqual(simulator.resumes[0].seq, last)
        await self.arrived(worker, 500)

    async def test_criterion_10_tcp_reset(self) -> None:
        """A reset connection is resumed."""
        simulator, _, worker = await self.up()
        await self.send(simulator, 0, 10)
        await self.arrived(worker, 10)
        simulator.drop(0, "rst")
        await self.send(simulator, 10, 10)
        await self.resumed(simulator)
        await self.arrived(worker, 20)

    async def test_criterion_11_end_without_a_close_frame(self) -> None:
        """A connection that ends without a code is resumed."""
        simulator, _, worker = await self.up()
        simulator.drop(0, "fin")
        await self.send(simulator, 0, 10)
        await self.resumed(simulator)
        await self.arrived(worker, 10)

    async def test_criterion_12_close_1000_and_1001(self) -> None:
        """Discord's own clean closes are no reason to give the session up."""
        simulator, program, worker = await self.up()
        for times, code in enumerate((1000, 1001), start=1):
            simulator.close(0, code)
            await self.resumed(simulator, times)
        await self.send(simulator, 0, 10)
        await self.arrived(worker, 10)
        self.assertIsNone(program.exit_code)

    async def test_criterion_13_resumable_close_codes(self) -> None:
        """4000, 4001, 4002, 4005 and 4008 are resumed, 4008 later than the rest; our faults are errors in the log."""
        simulator, program, worker = await self.up()
        waits = {}
        for times, code in enumerate((4000, 4001, 4002, 4005, 4008), start=1):
            started = self.reactor.seconds()
            simulator.close(0, code)
            await self.resumed(simulator, times)
            waits[code] = self.reactor.seconds() - started
        await self.send(simulator, 0, 10)
        await self.arrived(worker, 10)
        self.assertGreater(waits[4008], 1.0)
        for code in (4001, 4002, 4005, 4008):
            await program.until_said(str(code))

    async def test_criterion_14_codes_that_end_the_session(self) -> None:
        """4003, 4006 and 4007 are followed by a new IDENTIFY on the general URL; the old session is never used."""
        simulator, _, worker = await self.up()
        for count, code in enumerate((4003, 4006, 4007), start=2):
            simulator.close(0, code)
            await self.until(lambda: len(simulator.identifies) == count, f"IDENTIFY after {code}")  # noqa: B023
            await self.all_active(simulator, 1)
        self.assertEqual(simulator.resumes, [])
        self.assertEqual({identify.host for identify in simulator.identifies}, {"127.0.0.1"})
        await self.send(simulator, 0, 10)
        await self.arrived(worker, 10)

    async def test_criterion_15_session_timed_out(self) -> None:
        """4009 ends in a new session."""
        simulator, _, worker = await self.up()
        simulator.close(0, 4009)
        await self.until(lambda: len(simulator.identifies) == 2 and simulator.is_connected(0), "a new session")
        await self.send(simulator, 0, 10)
        await self.arrived(worker, 10)

    async def test_criterion_18_resume_refused(self) -> None:
        """Op 9 false after RESUME: after 1 to 5 s a new IDENTIFY on the general URL, and the cache is filled anew."""
        simulator, program, worker = await self.up(guilds=2)
        guild = simulator.guild(0).id
        await self.until(lambda: worker.names().count("GUILD_CREATE") == 2, "the guilds")
        simulator.forget_session(0)
        simulator.leave_guild(simulator.guild(1).id, how="silently")
        simulator.drop(0)
        await self.until(lambda: len(simulator.identifies) == 2 and simulator.is_connected(0), "a new session")
        (resume,) = simulator.resumes
        self.assertGreaterEqual(simulator.identifies[1].at - resume.at, 1.0)
        self.assertEqual(simulator.identifies[1].host, "127.0.0.1")
        await self.until(lambda: worker.names().count("GUILD_CREATE") == 3, "the guild again")
        self.assertEqual((await worker.query(1, "Guild", guild))["id"], str(guild))
        (told,) = (line for line in program.lines if "what Discord sent between the last one and it is missing" in line)
        self.assertIn(" warn ", told)

    async def test_criterion_19_invalid_but_resumable(self) -> None:
        """Op 9 true while active: the session is resumed."""
        simulator, _, worker = await self.up()
        simulator.invalidate(0, resumable=True)
        await self.send(simulator, 0, 10)
        await self.resumed(simulator)
        await self.arrived(worker, 10)

    async def test_criterion_21_long_replay(self) -> None:
        """5000 missed events are replayed: each arrives once, in order, while heartbeats go on."""
        simulator, _, worker = await self.up(heartbeat_interval=1.0)
        simulator.drop(0)
        await self.send(simulator, 0, 5000)
        await self.resumed(simulator)
        await self.arrived(worker, 5000)
        await self.until(lambda: "RESUMED" in worker.names(), "RESUMED")
        last = worker.events[-1]
        self.assertEqual((last.key, worker.names().count("RESUMED")), ("RESUMED", 1))

    async def test_criterion_22_resume_host_refuses(self) -> None:
        """When the resume host can't be reached, the session is resumed by the general URL after some tries."""
        simulator, _, worker = await self.up()
        await simulator.close_resume_host()
        simulator.drop(0)
        await self.send(simulator, 0, 10)
        await self.resumed(simulator, timeout=2 * PATIENCE)
        self.assertEqual(simulator.resumes[-1].host, "127.0.0.1")
        await self.arrived(worker, 10)

    async def test_criterion_23_resume_host_is_silent(self) -> None:
        """A resume host that accepts and says nothing is given up after a while; the session isn't."""
        simulator, _, worker = await self.up()
        simulator.on_connect(Behaviour(hello=False), host="127.0.0.2")
        simulator.drop(0)
        await self.send(simulator, 0, 10)
        await self.resumed(simulator, timeout=2 * PATIENCE)
        await self.arrived(worker, 10)
        self.assert_kept(simulator)

    async def test_criterion_29_resume_does_not_wait_for_permits(self) -> None:
        """While other shards wait for their turn to identify, a dropped one resumes at once."""
        simulator = await self.simulator(shards=4)
        self.rateway(simulator)
        await self.until(lambda: simulator.is_connected(0), "shard 0")
        simulator.drop(0)
        await self.until(lambda: simulator.resumes, "the resume")
        # The last of the others identifies fifteen seconds after the first.
        self.assertLess(len(simulator.identifies), 4)
        await self.all_active(simulator, 4)
