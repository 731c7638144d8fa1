"""Commands that name a guild, not a shard: any cluster's inbox takes them, over process borders too."""

from __future__ import annotations

from .harness import WorldTestCase


class RelayTests(WorldTestCase):
    """Four shards, two clusters, two processes."""

    async def test_a_guild_of_another_process(self) -> None:
        """A voice command to either exchange reaches the shard that owns the guild, and is answered."""
        simulator = await self.simulator(shards=4, max_concurrency=4, guilds=4)
        worker = await self.worker(1, 2)
        self.rateway(simulator, SHARDS_PER_CLUSTER=2, PROCESSES=2)
        await self.all_active(simulator, 4)
        for cluster in (1, 2):
            for index in range(4):
                guild = simulator.guild(index).id
                d = {"guild_id": str(guild), "channel_id": None, "self_mute": False, "self_deaf": False}
                seen = len(simulator.commands)
                self.assertEqual(await worker.command(cluster, {"op": 4, "d": d}), {"status": "sent"})
                await self.until(lambda: len(simulator.commands) > seen, "the command")  # noqa: B023
                sent = simulator.commands[-1]
                self.assertEqual((sent.shard, sent.d["guild_id"]), ((guild >> 22) % 4, str(guild)))

    async def test_a_guild_of_a_process_that_died(self) -> None:
        """While the other process is away, the command is refused with the reason."""
        simulator = await self.simulator(shards=2, max_concurrency=2, guilds=2)
        worker = await self.worker(1, 2)
        program = self.rateway(simulator, SHARDS_PER_CLUSTER=1, PROCESSES=2)
        await self.all_active(simulator, 2)
        guild = next(guild for guild in simulator.world.guilds if (guild >> 22) % 2 == 1)
        self.assertEqual(len(program.children()), 2)
        program.kill_child(1)
        await program.until_said("it is started again in")
        d = {"guild_id": str(guild), "channel_id": None, "self_mute": False, "self_deaf": False}
        answer = await worker.command(1, {"op": 4, "d": d})
        self.assertEqual(answer["status"], "refused", answer)
        self.assertIn("not running", answer["error"])
        await self.all_active(simulator, 2)
