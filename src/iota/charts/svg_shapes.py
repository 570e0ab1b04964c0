"""SVG text: shapes, letters, pictures of pixels, and the document around them."""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape

import numpy as np
import numpy.typing as npt

LETTER_PX = 6.0  # mean width of a letter of the size below
_WIDE_PX = 7.0  # width of a digit of wide fonts
_FONT = 'font-family="inherit" font-size="11"'


def shape(name: str, inner: str = "", /, **attributes: object) -> str:
    """One element; ``stroke_width`` becomes ``stroke-width``, and None is left out."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{words}>{inner}</{name}>" if inner else f"<{name}{words}/>"


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def label(x: float, y: float, words: str, anchor: str = "middle", **attributes: object) -> str:
    """Letters at a place."""
    return shape("text", escape(words), x=round(x, 1), y=round(y, 1), text_anchor=anchor, **attributes)


def label_within(x: float, y: float, words: str, width: float, opacity: float | None = None) -> str:
    """Letters in the middle of a place, or at the edge of a picture of this width, over which they do not go."""
    half = len(words) * _WIDE_PX / 2
    if x + half > width:
        return label(width - 1, y, words, "end", opacity=opacity)
    return label(x, y, words, opacity=opacity) if x > half else label(1.0, y, words, "start", opacity=opacity)


def tip(words: str) -> str:
    """What is shown under the pointer."""
    return f"<title>{escape(words)}</title>" if words else ""


def document(width: float, height: float, title: str, inner: str) -> str:
    """A whole picture, as wide as the room it gets; the title is what screen readers say."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" width="100%"'
        f' style="display:block" fill="currentColor" {_FONT}><title>{escape(title)}</title>{inner}</svg>'
    )


def picture(pixels: npt.NDArray[np.uint8], x: float, y: float, width: float, height: float) -> str:
    """Pixels as an image within a picture, one rectangle each; `[rows, columns, 4]`, red green blue opacity."""
    href = "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
    return shape("image", href=href, x=x, y=y, width=width, height=height, preserveAspectRatio="none",
                 style="image-rendering:pixelated")  # fmt: skip


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Pixels as a PNG file; `[rows, columns, 4]`."""
    rows, columns, _ = pixels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes(), 6)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
