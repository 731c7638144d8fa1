"""The parent, its children, and what they say to each other.

The parent asks Discord how many shards there shall be, plans clusters, runs them in child processes, and says who may
identify. A child runs its clusters and nothing else. They talk AMP over the child's file descriptors 3 and 4; when
that link closes, each knows that the other is gone.

``commands``    the AMP contract, both directions
``link``        AMP over file descriptors 3 and 4, at both ends
``child``       a child's ``main``: ``python -m rateway.process.child``
``inside``      a child's end of the link: what it answers to the parent
``compose``     a child's composition root: stores, cache, clusters
``parent``      the parent as a service: start, plan, ordered stop
``discovery``   GET /gateway/bot, waited for with patience
``supervisor``  keeps one child alive
``spawning``    a child's arguments and environment, and its process as Twisted sees it
``restarts``    PURE: when a dead child comes back
``relay``       a child's log lines, into the parent's log
``gate``        identify permits: the fleet's queue at the parent, its face in a child
``state``       what STATE_DIR keeps for the parent: the lock, the total, identify times
``wording``     numbers and names as an operator reads them
``signals``     SIGINT and SIGTERM at the parent
``ending``      how rateway ends: one sentence, and an exit code
"""
