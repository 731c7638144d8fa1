"""What the simulator's load costs: CPU time of its process per event. It must never be the bottleneck of a benchmark.

The simulator runs as a process of its own, as people start it (``rateway-simulator --load RATE``). The clients are this
process; a few of them read and check all that comes. Which share of a core each side took is told apart.

    python -m bench.simulator [--connections 4 64 1000] [--transports zlib-stream zstd-stream none]
                              [--rate 20000] [--seconds 10] [--sample 4]
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from bench.cputime import cpu_seconds, resident_bytes
from bench.gatewayclients import Clients, Wrong
from rateway.simulator.openfiles import allow_most

_WARM_UP = 2.0
"""Seconds of load before the measurement."""
_START = 60.0
_LISTENS = re.compile(r"DISCORD_API_URL=http://127\.0\.0\.1:(\d+)/")
LOAD = re.compile(r"load of ([\d.]+) events/s \((\d+) sent, (\d+) left out\)")


@frozen
class Result:
    """One run.

    :ivar rate: events a second that the clients got.
    :ivar per_event: microseconds of the simulator's CPU time per event.
    :ivar core: share of a core that the simulator took; ``client_core``: that the clients took.
    :ivar left_out: events that the simulator owns up to not having sent.
    """

    transport: str
    connections: int
    rate: float
    per_event: float
    core: float
    client_core: float
    resident: int
    left_out: int

    def row(self) -> str:
        return (
            f"| {self.transport} | {self.connections} | {self.rate:.0f} | {self.left_out} | {self.per_event:.1f} "
            f"| {self.core:.2f} | {self.resident / 1e6:.0f} | {self.client_core:.2f} |"
        )


class Simulator:
    """The simulator's process, and its log."""

    def __init__(self, folder: Path, connections: int, rate: float, world: Mapping[str, object] | None = None) -> None:
        """
        :param world: options of the command line, beside or instead of the usual ones.
        """
        self._log = folder / "log"
        options: dict[str, object] = {
            "port": 0,
            "shards": connections,
            "max-concurrency": connections,
            "identify-window": 0,
            "session-total": connections * 2,
            "guilds": max(connections, 64),
            "members": 10,
            "heartbeat-interval": 600,
            "load": rate,
            "load-sessions": connections,
            **(world or {}),
        }
        command = [sys.executable, "-m", "twisted", "--log-format=text", "rateway-simulator"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with self._log.open("wb") as log:
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def port(self) -> int:
        """Where it listens, as soon as it does."""
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            found = _LISTENS.search(self.log)
            if found:
                return int(found[1])
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise Wrong(f"the simulator doesn't listen:\n{self.log}")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def measure(
    transport: str, connections: int, rate: float, seconds: float, sample: int
) -> tuple[Result, dict[str, int]]:
    """One run, and the events by name that the sample of connections got.

    :raises Wrong: when something came that may not, or not all of the connections got events.
    """
    with tempfile.TemporaryDirectory(prefix="rateway-bench-") as folder:
        simulator = Simulator(Path(folder), connections, rate)
        clients = Clients(simulator.port(), connections, transport, sample)
        try:
            clients.connect(_START + connections / 10)
            deadline = time.monotonic() + _START
            while "the load begins" not in simulator.log:
                clients.run(0.1)
                if time.monotonic() > deadline:
                    raise Wrong(f"the load doesn't begin:\n{simulator.log[-2000:]}")
            clients.run(_WARM_UP)
            before, least = clients.messages, clients.least
            cpu, own, start = cpu_seconds(simulator.pid), time.process_time(), time.monotonic()
            clients.run(seconds)
            wall = time.monotonic() - start
            cpu, own = cpu_seconds(simulator.pid) - cpu, time.process_time() - own
            events, resident = clients.messages - before, resident_bytes(simulator.pid)
            if clients.least == least and rate * seconds > 2 * connections:
                raise Wrong("a connection got nothing")
            names = clients.names
        finally:
            clients.close()
            simulator.stop()
        told = LOAD.search(simulator.log)
        if told is None or "no rule broken" not in simulator.log:
            raise Wrong(f"the simulator's log doesn't end as it should:\n{simulator.log[-2000:]}")
        result = Result(
            transport, connections, events / wall, cpu / events * 1e6, cpu / wall, own / wall, resident, int(told[3])
        )
        return result, names


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulator", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--connections", type=int, nargs="+", default=[4, 64, 1000], help="(default %(default)s)")
    parser.add_argument(
        "--transports",
        nargs="+",
        default=["zlib-stream", "zstd-stream", "none"],
        choices=["zlib-stream", "zstd-stream", "none"],
    )
    parser.add_argument("--rate", type=float, default=20_000, help="events a second asked for (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="measured for so long (default %(default)s)")
    parser.add_argument("--sample", type=int, default=4, help="connections that are read whole (default %(default)s)")
    options = parser.parse_args(argv)
    allow_most()
    print("| transport | connections | events/s | left out | µs CPU per event | cores | MB resident | clients' cores |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    names: dict[str, int] = {}
    for transport in options.transports:
        for connections in options.connections:
            result, names = measure(transport, connections, options.rate, options.seconds, options.sample)
            print(result.row(), flush=True)
    total = sum(names.values())
    shares = sorted(names.items(), key=lambda item: -item[1])
    print("\nthe sample of the last run: " + ", ".join(f"{name} {count / total:.1%}" for name, count in shares[:9]))


if __name__ == "__main__":
    main()
