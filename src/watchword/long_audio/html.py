"""The record of hours of audio, its figures and sounds → one HTML file that plays them.

In comes what ``report.build_report`` made, with pictures and the worst mistakes as sounds, out goes
a page that needs nothing but itself: no script, no request, sounds and pictures within it. A room
because what a browser may do, and how a page looks on a screen, in the dark and on paper, is no
matter of what it says (``sections``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from watchword.long_audio.sections import header, sections
from watchword.long_audio.sounds import Sound

POLICY: Final = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
"""What a browser may load: what is in the page, and nothing else."""
STYLE: Final = Path(__file__).with_name("html.css")
"""The style sheet, which is copied into every page."""


def html(
    record: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    alarms: Sequence[Sound],
    misses: Sequence[Sound],
    *,
    title: str,
) -> str:
    """Return the page.

    Args:
        record: What ``report.build_report`` returned.
        pictures: PNG files by the names that ``figures.draw`` gives them; those of other names are
            left out.
        alarms: False accepts to listen to, the worst first.
        misses: Misses to listen to, the worst first.
        title: What stands above, e.g. the name of the model.

    Raises:
        WatchwordError: If matplotlib is not installed, and there are sounds.
    """
    told = sections(record, pictures, alarms, misses)
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name, _ in told)
    bodies = "\n".join(
        f'<section aria-labelledby="{key}">\n<h2 id="{key}">{name}</h2>\n'
        f"{body if key == 'origin' else body.replace(' %', '&nbsp;%')}\n</section>"
        for key, name, body in told
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{header(record)}
<nav aria-label="On this page"><ul>{links}</ul></nav>
</header>
<main>
{bodies}
</main>
</body>
</html>
"""
