"""A transaction that tells how much is asked of it."""

from __future__ import annotations

from typing import Any

import lmdb


class Counting:
    """A transaction that counts what is asked of it, and may be full once."""

    def __init__(self, transaction: Any, full_at: int = 0) -> None:
        self.transaction = transaction
        self.full_at = full_at
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.transaction, name)

        def call(*arguments: Any) -> Any:
            self.count += 1
            if name == "delete" and self.count > self.full_at > 0:
                raise lmdb.MapFullError("mdb_del")
            return method(*arguments)

        return call
