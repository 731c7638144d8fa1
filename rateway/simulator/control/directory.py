"""Who is there: connections and sessions by the number of their shard."""

from __future__ import annotations

from ..gateway.connection import Connection
from ..gateway.sessions import GatewaySession
from ..hub import Hub


class Directory:
    """Finds what a shard has; the newest connection, or session, counts."""

    hub: Hub

    def connection(self, shard: int) -> Connection:
        """The newest connection of a shard.

        :raises LookupError: when the shard has none.
        """
        for number in sorted(self.hub.connections, reverse=True):
            connection = self.hub.connections[number]
            if connection.shard == shard and not connection.over:
                return connection
        raise LookupError(f"shard {shard} has no connection")

    def session(self, shard: int) -> GatewaySession:
        """The newest session of a shard, with a connection or without.

        :raises LookupError: when the shard has none.
        """
        sessions = self.hub.sessions.of_shard(shard, self.hub.world_time())
        if not sessions:
            raise LookupError(f"shard {shard} has no session")
        return sessions[-1]

    def is_connected(self, shard: int) -> bool:
        """Whether the shard's session has a connection that gets its events (after READY or RESUMED)."""
        return any(
            session.connection is not None for session in self.hub.sessions.of_shard(shard, self.hub.world_time())
        )

    def connected_shards(self) -> set[int]:
        """The shards for which :meth:`is_connected` holds."""
        return {session.shard for session in self.hub.sessions if session.connection is not None}

    def shards_with_connection(self) -> set[int]:
        """The shards for which :meth:`connection` finds one, identified or not."""
        return {c.shard for c in self.hub.connections.values() if c.shard is not None and not c.over}

    def shards_with_session(self) -> set[int]:
        """The shards for which :meth:`session` finds one."""
        now = self.hub.world_time()
        return {session.shard for session in self.hub.sessions if not session.is_over(now)}
