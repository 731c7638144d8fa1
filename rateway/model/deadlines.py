"""How long an orderly stop may take: the whole, and the parts it is made of.

Service managers and containers give ten seconds before they kill. Everything below is cut out of them: whoever gives a
part of the time away takes less than it was given, so that the next one outside still has its turn.
"""

from __future__ import annotations

STOP = 9.5
"""Seconds after which the kernel ends the parent, whatever hangs."""

KILL = 8.0
"""Seconds after which the parent kills the children that still run."""

BURY = 0.5
"""Seconds the parent waits for the end of a killed child, and for its own connections to close."""

ALARM = 8
"""Seconds (whole ones: the kernel counts them) after which a child without a parent is ended, whatever hangs."""

ORPHAN = 7.5
"""Seconds after which a child without a parent waits for nothing any more."""

CLUSTER = 6.5
"""Seconds a cluster has for all phases of its stop; each phase has at most its own, and what is left of this."""

INBOX = 1.0
"""Seconds for the broker to end the consumer."""

SHARDS = 2.5
"""Seconds for the shards' connections to close; Discord has two of them to answer the close frame."""

FLUSH = 2.0
"""Seconds for the broker to confirm what is in flight."""

SESSIONS = 1.0
"""Seconds for the disk to have what a power cut must not take."""

GOODBYE = 2.0
"""Seconds for the broker to close the connection."""

UNANSWERED = 0.5
"""Seconds for confirms, and for the goodbye, from a broker that left something unanswered before: it hangs."""
