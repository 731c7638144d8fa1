"""What the pages of an LMDB file hold, kind of row by kind of row: read from the file, for LMDB counts pages only.

The layout is that of LMDB 0.9's data version 1 on a 64-bit little-endian machine (its ``mdb.c``: ``MDB_page``,
``MDB_node``, ``MDB_meta``). The file must be at rest: no write transaction may be under way.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field

_HEADER = 16
_BRANCH, _LEAF, _OVERFLOW = 0x01, 0x02, 0x04
_ELSEWHERE = 0x01
"""Flag of a node whose value has pages of its own."""
_PAGE = struct.Struct("<QHHHH")
_NODE = struct.Struct("<HHHH")
_META = struct.Struct("<IIQQ")
_TREE = struct.Struct("<IHHQQQQQ")
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_NO_PAGE = (1 << 64) - 1


@define
class Kind:
    """The rows of one kind.

    :ivar keys: bytes of the keys; ``values``: of the values.
    :ivar pages: bytes of the pages they lie in, what is free in these and LMDB's own bytes included.
    """

    rows: int = 0
    keys: int = 0
    values: int = 0
    pages: float = 0


@define
class Usage:
    """What a file's pages are used for, all in bytes.

    :ivar kinds: the first byte of the keys → what they take.
    :ivar branches: pages that only lead to others.
    :ivar free: pages to be used again, those that list them included.
    :ivar reached: up to the last page that was ever used: what a file must have.
    :ivar allocated: what the disk gives the file.
    """

    kinds: dict[bytes, Kind] = field(factory=dict)
    branches: int = 0
    free: int = 0
    reached: int = 0
    allocated: int = 0

    @property
    def used(self) -> int:
        """Pages that hold something."""
        return self.reached - self.free

    def of(self, kinds: bytes) -> float:
        """The pages of some kinds, and their share of the branches."""
        leaves = sum(kind.pages for kind in self.kinds.values())
        own = sum(self.kinds[bytes([kind])].pages for kind in kinds if bytes([kind]) in self.kinds)
        return own * (1 + self.branches / leaves) if leaves else 0.0


def usage(data: Path) -> Usage:
    """Read an environment's ``data.mdb``.

    :raises ValueError: if it is of another layout.
    """
    fd = os.open(data, os.O_RDONLY)
    try:
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as file:
            found = _Walk(file).usage()
        found.allocated = os.fstat(fd).st_blocks * 512
        return found
    finally:
        os.close(fd)


class _Walk:
    def __init__(self, file: mmap.mmap) -> None:
        self._file = file
        self._size, last, self._free_root, self._root = max(
            (self._meta(file, at) for at in (0, self._page_size(file))), key=lambda meta: meta[0]
        )[1]
        self._usage = Usage(reached=(last + 1) * self._size)

    def usage(self) -> Usage:
        """Walk both trees."""
        for _ in self._leaves(self._root, count=True):
            pass
        listed = pages = 0
        for value, own in self._leaves(self._free_root, count=False):
            listed += struct.unpack_from("<Q", self._file, value)[0]
            pages += own
        self._usage.free = (listed + pages) * self._size
        return self._usage

    @staticmethod
    def _page_size(file: mmap.mmap) -> int:
        """It stands where the first tree's padding would (``mm_psize``)."""
        return int(_TREE.unpack_from(file, _HEADER + _META.size)[0])

    @staticmethod
    def _meta(file: mmap.mmap, at: int) -> tuple[int, tuple[int, int, int, int]]:
        """The transaction's number; the size of a page, the last one, the roots of the free list and of the rows."""
        magic, version, _, _ = _META.unpack_from(file, at + _HEADER)
        if (magic, version) != (_MAGIC, _VERSION):
            raise ValueError("the file is none of LMDB 0.9 on this kind of machine")
        trees = at + _HEADER + _META.size
        free, rows = (_TREE.unpack_from(file, trees + n * _TREE.size) for n in range(2))
        last, transaction = struct.unpack_from("<QQ", file, trees + 2 * _TREE.size)
        return transaction, (free[0], last, free[-1], rows[-1])

    def _leaves(self, root: int, count: bool) -> Iterator[tuple[int, int]]:
        """Count what is in the leaves; or else each value's place in the file, and the pages met since the one before.

        The root and its branches are met before any value.
        """
        stack, met = [] if root == _NO_PAGE else [root], 0
        while stack:
            start = stack.pop() * self._size
            _, _, flags, lower, _ = _PAGE.unpack_from(self._file, start)
            met += 1
            pointers = struct.unpack_from(f"<{(lower - _HEADER) // 2}H", self._file, start + _HEADER)
            if flags & _BRANCH:
                if count:
                    self._usage.branches += self._size
                for pointer in pointers:
                    low, high, more, _ = _NODE.unpack_from(self._file, start + pointer)
                    stack.append(low | high << 16 | more << 32)
                continue
            if count:
                self._count(start, pointers)
                continue
            for pointer in pointers:
                _, _, more, key = _NODE.unpack_from(self._file, start + pointer)
                value = start + pointer + _NODE.size + key
                if more & _ELSEWHERE:
                    page = struct.unpack_from("<Q", self._file, value)[0] * self._size
                    met += struct.unpack_from("<I", self._file, page + 12)[0]
                    value = page + _HEADER
                yield value, met
                met = 0

    def _count(self, start: int, pointers: tuple[int, ...]) -> None:
        """A leaf's rows; the page is shared out among their kinds by what they take of it."""
        taken: dict[bytes, int] = {}
        for pointer in pointers:
            low, high, flags, length = _NODE.unpack_from(self._file, start + pointer)
            at, size = start + pointer + _NODE.size, low | high << 16
            name = self._file[at : at + 1]
            kind = self._usage.kinds.setdefault(name, Kind())
            kind.rows += 1
            kind.keys += length
            kind.values += size
            inside = 8 if flags & _ELSEWHERE else size
            taken[name] = taken.get(name, 0) + _NODE.size + 2 + (length + inside + 1 & ~1)
            if flags & _ELSEWHERE:
                page = struct.unpack_from("<Q", self._file, at + length)[0] * self._size
                kind.pages += struct.unpack_from("<I", self._file, page + 12)[0] * self._size
        whole = sum(taken.values())
        for name, part in taken.items():
            self._usage.kinds[name].pages += self._size * part / whole
