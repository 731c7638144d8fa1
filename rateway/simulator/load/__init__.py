"""Far more events than a world can live through: packed once, sent over and over to all sessions at a chosen rate.

``tidings`` makes the events of the world, ``stock`` keeps those for a session, ``load`` sends them.
"""
