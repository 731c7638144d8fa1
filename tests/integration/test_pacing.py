"""More commands than a connection may carry (acceptance criterion 41): a minute of patience."""

from __future__ import annotations

import itertools
from typing import Any

import ujson

from .harness import WorldTestCase
from .payloads import members

INTERVAL = 5.0
LATE = 2.5
"""Seconds by which a busy machine may delay one; the next one isn't later for it."""
SENT = {"status": "sent"}


class PacingTests(WorldTestCase):
    """120 payloads in 60 s, heartbeats included."""

    timeout = 300

    async def test_criterion_41_floods(self) -> None:
        """150 commands at once on one shard all arrive, in order; of 500 on another, each is sent or refused.

        No window of 60 s has more than 120 payloads, and no heartbeat is late.
        """
        simulator, _, worker = await self.up(
            shards=2, max_concurrency=2, heartbeat_interval=INTERVAL, settings={"COMMAND_TTL": "65s"}
        )
        guilds = [simulator.guild(index).id for index in range(2)]
        answers: dict[tuple[int, int], Any] = {}

        def ask(shard: int, number: int) -> None:
            body = ujson.dumps(members(guilds[shard], str(number))).encode()
            asked = worker.ask(1, "gateway", body, {"shard_id": shard})
            asked.addCallback(lambda got: answers.__setitem__((shard, number), ujson.loads(got.body)))

        for number in range(500):
            ask(1, number)
            if number < 150:
                ask(0, number)
        await self.until(lambda: len(answers) == 650, "an answer to each", 180)
        self.assertEqual([answers[0, number] for number in range(150)], [SENT] * 150)
        for shard, count in ((0, 150), (1, 500)):
            sent = [str(number) for number in range(count) if answers[shard, number] == SENT]
            got = [command.d["nonce"] for command in simulator.commands if command.shard == shard]
            self.assertEqual(got, sent)
            refused = [answers[shard, n]["error"] for n in range(count) if answers[shard, n] != SENT]
            self.assertEqual(len(refused), count - len(sent))
            self.assertTrue(all("120 payloads in 60 s" in reason for reason in refused), refused[:1])
            times = [frame.at for frame in simulator.frames if frame.shard == shard]
            for at in times:
                self.assertLessEqual(sum(at <= other < at + 60.0 for other in times), 120)
            beats = [frame.at for frame in simulator.frames if frame.shard == shard and frame.op == 1]
            self.assertGreaterEqual(len(beats), 12)
            self.assertTrue(
                all(later - earlier < INTERVAL + LATE for earlier, later in itertools.pairwise(beats)), beats
            )
        self.assertGreater(len([answer for answer in answers.values() if answer == SENT]), 300)
        self.assertEqual((len(simulator.connections), simulator.closes), (2, []))
