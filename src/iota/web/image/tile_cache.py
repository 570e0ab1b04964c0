"""Tiles that were asked for last, deflated, so that what several people look at is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

Tile = tuple[int, int, int, int]  # panel, level, x, y
_MAX_BYTES = 64_000_000


class TileCache:
    """Deflated tiles up to a number of bytes; several threads use it."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...]) -> bytes | None:
        """A tile, or None where it is not kept."""
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
            return self._tiles.get(key)

    def put(self, key: tuple[Any, ...], data: bytes) -> None:
        """Keep a tile, and forget the oldest ones."""
        with self._lock:
            self._n_bytes += len(data) - len(self._tiles.get(key, b""))
            self._tiles[key] = data
            while self._n_bytes > _MAX_BYTES:
                self._n_bytes -= len(self._tiles.popitem(last=False)[1])
