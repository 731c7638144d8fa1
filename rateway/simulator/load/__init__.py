"""Far more events than a world can live through: packed once, sent over and over to all sessions at a chosen rate.

``stock`` has the events of a shard, made from the world; ``load`` sends them.
"""
