"""The page with sounds: whole in itself, well formed, escaped, and played by a real browser."""

from __future__ import annotations

import base64
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import soundfile

from watchword import canvas
from watchword.decision import Detection, OperatingPoint
from watchword.long_audio.html import html
from watchword.long_audio.judge import judge
from watchword.long_audio.reference import Event, Recording
from watchword.long_audio.report import build_report
from watchword.long_audio.sounds import Sound

VOID: Final = {"meta", "link", "img", "br"}
EVIL: Final = "\"><script>alert(1)</script>&amp;'<img src=x onerror=alert(1)>"
ORIGIN: Final = {"seed": 7, "config": {"epochs": 3}, "commit": "abc1234", "command": "eval it"}
CHROMIUM: Final = shutil.which("chromium")
browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def record(text: str = "", *, is_empty: bool = False) -> dict[str, Any]:
    """A report whose words all come from a user, with some text in each of them."""
    events = tuple(
        Event("go" + text, 10.0 * n, 10.0 * n + 0.5, {"speaker": f"s{n % 2}{text}", "snr_db": snr})
        for n, snr in enumerate(["-10", "-10", "0", "0", "20", "20", "20", "20", "0", "0"], 1)
    )
    recordings = [
        Recording(
            "mix" + text, (), 1_800.0, events, tags={"noise": "rain" + text, "x" + text: "a"}
        ),
        Recording("talk", (), 1_800.0, events[:1], tags={"noise": "wind", "x" + text: "b"}),
        Recording("tv" + text, (), 7_200.0, tags={"speaker": "ls84" + text, "y" + text: "c"}),
        Recording("radio", (), 14_400.0, tags={"speaker": "ls85", "y" + text: "d" + text}),
    ]
    found = [
        [Detection("go" + text, one.end_s + 0.1, 0.9) for one in events[3:]],
        [Detection("go" + text, 700.0, 0.8)],
        [Detection("go" + text, 100.0 * n, 0.7) for n in range(1, 4)],
        [],
    ]
    points = {
        "go" + text: OperatingPoint(threshold=0.625),
        "stop" + text: OperatingPoint(threshold=0.75, smoothing_scores=5),
    }
    if is_empty:
        recordings, found = recordings[-1:], found[-1:]
    origin = {**ORIGIN, "made on" + text: text, "config": {"a" + text: text}}
    return build_report(judge(points, recordings, found), {}, provenance=origin)


def sound(title: str, note: str = "a note") -> Sound:
    samples = (8_000 * np.sin(np.arange(4_000))).astype(np.int16)
    trace = np.array([0.0, 0.1]), np.array([0.2, 0.8])
    return Sound(title, note, 0.0, samples, trace, 0.6, (0.1, 0.1))


def picture() -> bytes:
    figure, _ = canvas.sheet(3.0, 2.0)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def page(text: str = "") -> str:
    alarms = [sound(f"alarm {n}{text}", "why" + text) for n in range(2)]
    misses = [sound(f"miss {n}{text}") for n in range(3)]
    pictures = dict.fromkeys(("det.png", "latency.png", "frr_by_snr.png"), picture())
    return html(record(text), pictures, alarms, misses, title="commands-12" + text)


@pytest.fixture(scope="module")
def whole() -> str:
    return page()


class Reader(HTMLParser):
    """Reads a page and refuses tags that are not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len(dict(attributes)) == len(attributes), f"{tag} says something twice"
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# ------------------------------------------------------------------------------------ what is told


def test_a_page_is_well_formed_and_tells_everything_in_order(whole: str) -> None:
    told = Reader(whole).text
    words = [
        "Listens for go , stop",
        "Heard 7.0 h in 4 recordings: 6.0 h in 2 recordings without a keyword",
        "Missed keywords (false reject rate) 36.4 % 4/11; 95 % 15.2–64.6",
        "False accepts, in hours without a keyword 0.50 per hour 3 in 6 h; 95 % 0.10–1.46",
        "Median latency after the keyword 100 ms 95 % 100 to 100",
        "refractory period go 0.625 mean of 3 scores 1,000 ms stop 0.750 mean of 5 scores 1,000 ms",
        "Mean of the keywords' own rates: 36.4 %",
        "go 36.4 % 4/11; 95 % 15.2–64.6 0.50 per hour 3 in 6 h",
        "stop never said at most 0.61 per hour none in 6 h; 95 % never found",
        "Nine tenths of 7 detections came by 100 ms",
        "False rejects over false accepts per hour as the threshold moves",
        "How long after the end of the keyword it was detected",
        "SNR (dB) missed (FRR) −10 100.0 % 3/3",
        "noise missed (FRR) rain 30.0 % 3/10",
        "hours without a keyword, by y",
        "s1 50.0 % 3/6; 95 % 18.8–81.2 s0 20.0 % 1/5",
        "Worst false accepts 2 of 4",
        *("alarm 0 why", "alarm 1 why"),
        "Worst misses 3 of 4",
        *("miss 0 a note", "miss 1 a note", "miss 2 a note"),
        "without a keyword (the negative hours) 2 6.00",
        "command eval it",
        '"a": ""',
    ]
    places = [told.index(some) for some in words]
    assert places == sorted(places)


# ----------------------------------------------------------------------------------- how it is made


def test_a_page_needs_nothing_but_itself(whole: str) -> None:
    page = Reader(whole)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "iframe", "object", "embed", "form", "base"}
    sources = [value or "" for _, told in page.tags for key, value in told.items() if key == "src"]
    assert len(sources) == 2 * 5 + 3
    assert all(source.startswith(("data:image/png;", "data:audio/flac;")) for source in sources)
    links = [value or "" for _, told in page.tags for key, value in told.items() if key == "href"]
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert "url(" not in whole
    assert "@import" not in whole
    assert "default-src 'none'" in whole


def test_every_link_leads_somewhere(whole: str) -> None:
    page = Reader(whole)
    ids = [told["id"] for _, told in page.tags if "id" in told]
    assert len(set(ids)) == len(ids)
    assert [told["href"] for told in page.all("a")] == [f"#{one}" for one in ids]
    assert [told["aria-labelledby"] for told in page.all("section")] == ids


def test_a_page_can_be_used_by_everyone(whole: str) -> None:
    page = Reader(whole)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert all(told["alt"] and told["width"] and told["height"] for told in page.all("img"))
    assert {told["scope"] for told in page.all("th")} == {"col", "row"}
    for told in page.all("audio"):
        assert told["preload"] == "none"
        assert "controls" in told
        assert told["aria-label"]
    scrolled = [told for told in page.all("div") if "scroll" in (told.get("class") or "")]
    assert len(scrolled) == len(page.all("table"))
    assert all(told["tabindex"] == "0" and told["aria-label"] for told in scrolled)


def test_a_picture_is_shown_in_the_size_it_was_drawn_for(whole: str) -> None:
    sizes = {(told["width"], told["height"]) for told in Reader(whole).all("img")}
    assert sizes == {("288", "192"), ("403", "192")}  # 3 x 2 inches and 4.2 x 2, 96 to the inch


def test_a_sound_within_the_page_is_the_sound(whole: str) -> None:
    players = Reader(whole).all("audio")
    assert [told["aria-label"] for told in players] == [
        *("alarm 0", "alarm 1"),
        *("miss 0", "miss 1", "miss 2"),
    ]
    content = base64.b64decode((players[0]["src"] or "").partition("base64,")[2])
    samples, rate_hz = soundfile.read(io.BytesIO(content), dtype="int16")
    assert rate_hz == 16_000
    np.testing.assert_array_equal(samples, sound("").waveform)


def test_the_same_record_gives_the_same_page(whole: str) -> None:
    assert page() == whole


# --------------------------------------------------------------------------------------- strangers


def test_no_word_of_a_user_becomes_a_part_of_the_page() -> None:
    """Each name, tag, title, note and line of provenance holds what would be a script."""
    evil, tame = Reader(page(EVIL)), Reader(page("TAME"))
    assert [tag for tag, _ in evil.tags] == [tag for tag, _ in tame.tags]
    assert [told.keys() for _, told in evil.tags] == [told.keys() for _, told in tame.tags]
    told = evil.text.count("<script>alert(1)</script>&amp;'")
    assert told == tame.text.count("TAME") > 20


# ----------------------------------------------------------------------------------------- browser

PROBE: Final = """
<script>
addEventListener("load", () => {  // which waits for sounds that are not to be loaded later
  const told = [...document.querySelectorAll("audio")].map((one) => one.error || one.duration);
  const broken = [...document.images].filter((one) => !one.naturalWidth).length;
  const root = document.documentElement;
  const tooWide = root.scrollWidth - root.clientWidth;
  document.title = `sounds ${told.join(" ")}, broken ${broken}, too wide ${tooWide}`;
});
</script>
</body>"""


def browse(folder: Path, text: str) -> tuple[str, str]:
    """What the document is after a browser has loaded it, and what the browser complains of."""
    (folder / "page.html").write_text(text, encoding="utf-8")
    still = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    size = ["--window-size=500,900", "--dump-dom"]
    profile = [f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr"]
    command = [CHROMIUM or "", *still, *size, *profile, (folder / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.split("\n") if "CONSOLE" in line)


@browser
def test_a_browser_plays_every_sound_and_shows_every_picture(tmp_path: Path) -> None:
    named = page("-of-a-long-name" * 20)
    probed = named.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    probed = probed.replace('preload="none"', 'preload="auto"').replace("</body>", PROBE)
    document, complaints = browse(tmp_path, probed)
    found = re.search("<title>(.*)</title>", document)
    assert found is not None
    assert found[1] == f"sounds {' '.join(['0.25'] * 5)}, broken 0, too wide 0"
    assert complaints == ""


@browser
def test_a_browser_has_nothing_to_complain_of(tmp_path: Path, whole: str) -> None:
    document, complaints = browse(tmp_path, whole)
    assert "<title>commands-12</title>" in document
    assert complaints == ""


@browser
def test_a_browser_runs_no_script_in_it(tmp_path: Path, whole: str) -> None:
    document, complaints = browse(tmp_path, whole.replace("</body>", PROBE))
    assert "<title>commands-12</title>" in document
    assert "Content Security Policy" in complaints
