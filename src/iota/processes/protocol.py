"""Messages between the process that asks and the one that answers: JSON and bytes over pipes; nothing is pickled."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

SIZES = struct.Struct("<II")  # bytes of the JSON, and of what follows
_LARGEST = 1 << 30

Tell = Callable[[float], object]  # takes how far the work is, in whatever the question counts


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message of the answering process: its progress and, finally, the answer or the reason why there is none."""

    progress: int | float | None = None
    answer: msgspec.Raw = msgspec.Raw(b"")
    refusal: str = ""  # a sentence for people
    refused_as: str = ""  # name of its class in iota.errors
    over: str = ""  # the limit that was reached: "at 700 MB of memory"
    failure: str = ""  # an error that nobody expected


class WithBytes(NamedTuple):
    """An answer that is followed by bytes."""

    answer: Any
    body: bytes


class OverLimitError(Exception):
    """A limit on the amount of work would be exceeded; the text is such as "20 names"."""


def packed(reply: Reply, body: bytes = b"") -> bytes:
    """A message as it is sent, without its body."""
    text = msgspec.json.encode(reply)
    return SIZES.pack(len(text), len(body)) + text


def sizes(head: bytes) -> tuple[int, int]:
    """Bytes of the JSON of a message and of its body.

    Raises:
        ValueError: this is no message.
    """
    n_text, n_body = SIZES.unpack(head)
    if max(n_text, n_body) > _LARGEST:
        raise ValueError("a message of more than 1 GB")
    return n_text, n_body
