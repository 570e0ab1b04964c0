"""Creates the secrets of a server at each start: token, cookie, private path, one-time word."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

WORD_S = 3600.0  # how long the word in an address may be used
PRIVATE = "/~"  # with which a private path begins


class Keys:
    """What a server asks of those who talk to it."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)  # of programs, which send it as a bearer token; it also makes words
        self._cookie = secrets.token_urlsafe(32)
        self._path = secrets.token_urlsafe(16)
        self._spent: dict[str, float] = {}  # word -> when it expires

    @property
    def cookie(self) -> str:
        """What a browser sends that has been let in; it counts on the private path only."""
        return self._cookie

    @property
    def private_path(self) -> str:
        """Where pages are for browsers: cookies set for it are not sent to other ports, whose paths are others."""
        return PRIVATE + self._path

    def is_token(self, given: str) -> bool:
        """Whether this is the token of programs."""
        return _same(given, self.token)

    def is_cookie(self, given: str | None) -> bool:
        """Whether this is the cookie."""
        return given is not None and _same(given, self._cookie)

    def is_private_path(self, given: str) -> bool:
        """Whether this is the private path."""
        return _same(given, self.private_path)

    def spend(self, word: str) -> bool:
        """Whether the word of an address lets its bearer in; if so, it does it no second time."""
        now = time.time()
        expires = _expiry(word, self.token)
        if expires is None or expires < now or word in self._spent:
            return False
        self._spent = {known: end for known, end in self._spent.items() if end >= now}
        self._spent[word] = expires
        return True


def new_word(token: str) -> str:
    """A word for an address, made by whoever knows the token of a server: when it expires, a number, a signature."""
    told = f"{int(time.time() + WORD_S):x}.{secrets.token_hex(8)}"
    return f"{told}.{_signature(told, token)}"


def _expiry(word: str, token: str) -> float | None:
    """When a word expires, in s since the epoch; None where the signature is not that of the token."""
    told, _, signature = word.rpartition(".")
    if not _same(signature, _signature(told, token)):
        return None
    return float(int(told.partition(".")[0], 16))


def _signature(told: str, token: str) -> str:
    return hmac.new(token.encode(), b"word " + told.encode(), hashlib.sha256).hexdigest()[:32]


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
