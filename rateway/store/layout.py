"""Which cluster has what."""

from __future__ import annotations

from attrs import frozen

from rateway.model.snowflake import shard_of


@frozen
class Layout:
    """The fleet's shards, as clusters.

    :ivar total: of shards.
    """

    total: int
    per_cluster: int

    @property
    def clusters(self) -> range:
        """The numbers of all clusters."""
        return range(1, -(-self.total // self.per_cluster) + 1)

    def shard(self, guild: int) -> int:
        """The shard that owns the guild."""
        return shard_of(guild, self.total)

    def cluster(self, shard: int) -> int:
        """The cluster that has the shard."""
        return shard // self.per_cluster + 1

    def owner(self, guild: int) -> int:
        """The cluster that owns the guild."""
        return self.cluster(shard_of(guild, self.total))
