"""A transaction that is worked on in slices, while the process sees to other things in between.

LMDB has one writer at a time: until it is committed or given up, nothing else is written to the environment. Readers
see what was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Generic, TypeVar

import lmdb
from attrs import define, field

from .environment import Environment

T = TypeVar("T")


@define(eq=False)
class LongWork(Generic[T]):
    """Some work in one transaction.

    What LMDB raises comes out of either method, and costs the transaction: the next step begins anew.

    :ivar committed: whether it is over.
    :ivar result: what the work came to, once it is done.
    """

    _environment: Environment
    _job: Callable[[lmdb.Transaction[bytes]], Generator[None, None, T]]
    committed: bool = field(default=False, init=False)
    result: T | None = field(default=None, init=False)
    _transaction: lmdb.Transaction[bytes] | None = field(default=None, init=False)
    _steps: Generator[None, None, T] | None = field(default=None, init=False)
    _done: bool = field(default=False, init=False)

    @property
    def done(self) -> bool:
        """Whether only the commit is left."""
        return self._done

    def step(self) -> None:
        """Do a slice."""
        try:
            if self._steps is None:
                self._transaction = self._environment.writing()
                self._steps = self._job(self._transaction)
            next(self._steps)
        except StopIteration as end:
            self.result, self._done = end.value, True
        except BaseException:
            self._abort()
            raise

    def commit(self, last: Callable[[lmdb.Transaction[bytes], T], None] | None = None) -> None:
        """Make it lasting, once it is done.

        :param last: what is to be written besides, in the same transaction, given the work's result.
        """
        assert self._transaction is not None and self._done, "it is not done yet"
        try:
            if last is not None:
                last(self._transaction, self.result)  # type: ignore[arg-type]
            self._transaction.commit()
        except BaseException:
            self._abort()
            raise
        self.committed = True

    def _abort(self) -> None:
        transaction, self._transaction, self._steps = self._transaction, None, None
        self.result, self._done = None, False
        if transaction is not None:
            transaction.abort()
