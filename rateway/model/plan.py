"""The plan: how many shards, which of them make a cluster, and which clusters a process runs."""

from __future__ import annotations

from attrs import frozen

LARGE_BOT_CONCURRENCY = 16
"""From this ``max_concurrency`` on, Discord shards a bot as a large one and wants a multiple (close 4010)."""


@frozen
class Cluster:
    """One worker on the bot's side: a run of shards with one exchange.

    :ivar number: counted from 1.
    """

    number: int
    shards: range


@frozen
class Plan:
    """Every shard, each in exactly one cluster."""

    total: int
    per_cluster: int
    clusters: tuple[Cluster, ...]

    def cluster_of(self, shard_id: int) -> Cluster:
        """The cluster that holds a shard.

        :raises IndexError: if there is no such shard.
        """
        if not 0 <= shard_id < self.total:
            raise IndexError(f"there is no shard {shard_id} among {self.total}")
        return self.clusters[shard_id // self.per_cluster]


@frozen
class Total:
    """How many shards there shall be, and why.

    :ivar note: a sentence for the log where the number is not simply recommended plus extra; else empty.
    """

    shards: int
    note: str = ""


def multiple_for(max_concurrency: int, chosen: int | None = None) -> int:
    """The number the total must be a multiple of: SHARDS_MULTIPLE, else that of a large bot, else 1."""
    if chosen is not None:
        return chosen
    return max_concurrency if max_concurrency >= LARGE_BOT_CONCURRENCY else 1


def decide_total(
    recommended: int, *, extra: int, multiple: int, chosen: int | None = None, remembered: int | None = None
) -> Total:
    """How many shards to run.

    TOTAL_SHARDS is taken as it is. Otherwise a total remembered from an earlier run is kept while Discord's
    recommendation doesn't exceed it and it is a valid multiple: changing it would throw every session away.

    :param recommended: ``shards`` of GET /gateway/bot.
    :param multiple: from :func:`multiple_for`.
    :param chosen: TOTAL_SHARDS.
    :param remembered: what STATE_DIR holds of the last run.
    """
    fresh = -(-(recommended + extra) // multiple) * multiple
    if chosen is not None:
        note = "" if chosen >= recommended else f"TOTAL_SHARDS={chosen} is below the {recommended} Discord recommends"
        return Total(chosen, note)
    if remembered is None or remembered == fresh:
        return Total(fresh)
    if remembered >= recommended and remembered % multiple == 0:
        return Total(
            remembered,
            f"keeping the {remembered} shards of the last run, so that sessions survive; "
            f"a fresh start would take {fresh} (set TOTAL_SHARDS to change it)",
        )
    return Total(fresh, f"the {remembered} shards of the last run no longer fit: starting {fresh}")


def make_plan(total: int, per_cluster: int) -> Plan:
    """Contiguous clusters of ``per_cluster`` shards, the last one perhaps shorter."""
    if total < 1 or per_cluster < 1:
        raise ValueError("a plan needs at least one shard, and at least one shard per cluster")
    starts = range(0, total, per_cluster)
    return Plan(
        total,
        per_cluster,
        tuple(Cluster(i, range(s, min(s + per_cluster, total))) for i, s in enumerate(starts, start=1)),
    )


def share_out(plan: Plan, processes: int) -> tuple[tuple[Cluster, ...], ...]:
    """Which clusters each process runs: contiguous, as even as can be, no process without a cluster."""
    if processes < 1:
        raise ValueError("at least one process is needed")
    count = min(processes, len(plan.clusters))
    base, more = divmod(len(plan.clusters), count)
    shares, start = [], 0
    for index in range(count):
        size = base + (index < more)
        shares.append(plan.clusters[start : start + size])
        start += size
    return tuple(shares)
