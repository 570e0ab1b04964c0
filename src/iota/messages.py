"""Messages between the server and its helper processes: JSON and raw bytes, over pipes; nothing is pickled."""

from __future__ import annotations

import struct
from typing import IO, Any, TypeVar

import msgspec

_SIZES = struct.Struct("<II")  # bytes of the JSON, and of what follows
_LARGEST = 1 << 30

T = TypeVar("T")


class Request(msgspec.Struct, frozen=True):
    """What a helper is asked to do, and with what."""

    do: str
    given: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it; ``error`` is a sentence for people where nothing did."""

    result: Any = None
    error: str = ""


def write_message(pipe: IO[bytes], head: Request | Reply, body: bytes = b"") -> None:
    """Send a message. Raises OSError when nobody reads."""
    text = msgspec.json.encode(head)
    pipe.write(_SIZES.pack(len(text), len(body)) + text)
    pipe.write(body)
    pipe.flush()


def read_message(pipe: IO[bytes], kind: type[T]) -> tuple[T, bytes]:
    """Receive a message.

    Raises:
        EOFError: the other side has ended.
        ValueError: what came is no message.
    """
    n_text, n_body = _SIZES.unpack(_exactly(pipe, _SIZES.size))
    if max(n_text, n_body) > _LARGEST:
        raise ValueError("a message of more than 1 GB")
    text = _exactly(pipe, n_text)
    return msgspec.json.decode(text, type=kind), _exactly(pipe, n_body)


def _exactly(pipe: IO[bytes], n: int) -> bytes:
    data = pipe.read(n)
    if len(data) < n:
        raise EOFError
    return data
