"""Elements of a page: tables, pictures and addresses, and what is said of them."""

from __future__ import annotations

import base64
import io

from watchword import canvas
from watchword.long_audio.elements import address, picture, table


def test_a_table_scrolls_and_names_its_rows_and_columns() -> None:
    told = table(("a", "b"), [("<b>x</b>", "1"), ("y", "2")], 'all "rows"', "scroll long")
    assert told.startswith(
        '<div class="scroll long" role="region" aria-label="all &quot;rows&quot;" tabindex="0">'
    )
    assert '<th scope="col">a</th><th scope="col">b</th>' in told
    assert '<tr><th scope="row"><b>x</b></th><td>1</td></tr>' in told


def test_a_picture_is_as_large_as_it_was_drawn_and_says_what_it_shows() -> None:
    png = io.BytesIO()
    canvas.sheet(3.0, 2.0)[0].savefig(png, format="png")
    told = picture(png.getvalue(), 'a "curve" <here>')
    assert 'width="288" height="192"' in told  # 96 to the inch
    assert 'alt="a &quot;curve&quot; &lt;here&gt;"' in told


def test_an_address_holds_the_content_itself() -> None:
    content = bytes(range(256))
    told = address(content, "audio/flac")
    assert told.startswith("data:audio/flac;base64,")
    assert base64.b64decode(told.partition(",")[2]) == content
