"""Cells, pictures and bytes → elements of HTML that can be used by everyone.

In comes HTML in pieces, a PNG file or any content, out go a table that scrolls where it is too
wide, a picture in the size it was drawn for, and an address within the page. A room because what
makes an element readable on every screen, and with none, is the same for all that is shown.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import Final

from watchword.canvas import DOTS_PER_INCH

CSS_DOTS_PER_INCH: Final = 96


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], label: str, kind: str = "scroll"
) -> str:
    """Return a table that scrolls sideways where it is too wide.

    Args:
        header: Cells above the columns, HTML already.
        rows: Cells, HTML already; the first of each row is its header.
        label: What is said of it to those who do not see it, text.
        kind: Its classes in the style sheet.
    """
    heads = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    lines = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="{kind}" role="region" aria-label="{escape(label)}" tabindex="0"><table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>"
    )


def picture(png: bytes, alternative: str) -> str:
    """Return a picture in the size that its letters were drawn for.

    Args:
        png: A PNG file, of ``canvas.DOTS_PER_INCH``.
        alternative: What is said of it to those who do not see it, text.
    """
    width, height = (
        round(int.from_bytes(png[place : place + 4]) * CSS_DOTS_PER_INCH / DOTS_PER_INCH)
        for place in (16, 20)
    )
    return (
        f'<img src="{address(png, "image/png")}" width="{width}" height="{height}" '
        f'alt="{escape(alternative)}">'
    )


def address(content: bytes, kind: str) -> str:
    """Return the address of content that is within the page.

    Args:
        content: A file.
        kind: Its media type.

    Example:
        >>> address(b"hi", "text/plain")
        'data:text/plain;base64,aGk='
    """
    return f"data:{kind};base64,{b64encode(content).decode()}"
