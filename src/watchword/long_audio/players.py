"""Sounds → a list that plays them, each with its scores and its spectrogram.

In come stretches of recordings (``sounds``), out goes HTML with the audio as FLAC and the picture
as PNG within it. A room because what somebody hears, and what they look at meanwhile, are made for
each other: both begin at 0 and end together.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Final

import soundfile

from watchword import audio, canvas
from watchword.audio import Pcm
from watchword.long_audio.elements import address, picture
from watchword.long_audio.sounds import Sound
from watchword.pictures import spectrogram_db
from watchword.units import SAMPLE_RATE_HZ, Samples

HOW_TO_LISTEN: Final = (
    "Above, the score of the keyword and, dotted, the threshold; below, the spectrogram. Their "
    "times are those of the player."
)
HOP: Final[Samples] = 64
FLOOR_DB: Final = -90.0
RANGE_DB: Final = 60.0


def players(sounds: Sequence[Sound]) -> str:
    """Return a list of sounds with their players and pictures; their words are escaped.

    Args:
        sounds: What is heard, in order.

    Raises:
        WatchwordError: If matplotlib is not installed.
    """
    items = "\n".join(_player(place, one) for place, one in enumerate(sounds, start=1))
    return f'<p class="note">{HOW_TO_LISTEN}</p>\n<ol class="sounds">\n{items}\n</ol>'


def _player(place: int, sound: Sound) -> str:
    title = escape(sound.title)
    shown = picture(spectrogram_png(sound), f"Scores and spectrogram: {sound.title}")
    return (
        f'<li><article><h3><span class="rank">{place}</span>{title}</h3>\n'
        f"<figure>{shown}</figure>\n"
        f'<audio controls preload="none" aria-label="{title}" '
        f'src="{address(flac(sound.waveform), "audio/flac")}"></audio>\n'
        f'<p class="note">{escape(sound.note)}</p></article></li>'
    )


def flac(waveform: Pcm) -> bytes:
    """Return audio as a FLAC file, which browsers play.

    Args:
        waveform: Samples at 16 kHz, shape ``(samples,)``.
    """
    encoded = io.BytesIO()
    soundfile.write(encoded, waveform, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return encoded.getvalue()


def spectrogram_png(sound: Sound) -> bytes:
    """Return a small picture: the scores with their threshold, below them the spectrogram.

    The axis of time begins at 0, as the player of the sound does.

    Args:
        sound: What is heard.

    Raises:
        WatchwordError: If matplotlib is not installed.
    """
    figure, (line, image) = canvas.sheet(4.2, 2.0, nrows=2, sharex=True, height_ratios=[1.0, 1.7])
    times_s, scores = sound.trace
    ink, mark = canvas.INK, canvas.STROKES[1]["color"]
    line.fill_between(times_s - sound.start_s, 0, scores, color=ink, alpha=0.15, linewidth=0)
    line.plot(times_s - sound.start_s, scores, color=ink, linewidth=1.0)
    line.axhline(sound.threshold, color=canvas.PALE, linewidth=0.9, linestyle=":")
    line.set(ylim=(0, 1.05), yticks=[0, 1])
    levels = spectrogram_db(sound.waveform / audio.FULL_SCALE, HOP)
    top = max(FLOOR_DB + RANGE_DB, float(levels.max()))
    image.imshow(
        levels,
        origin="lower",
        aspect="auto",
        cmap="Greys",
        extent=(0, sound.duration_s, 0, SAMPLE_RATE_HZ / 2_000),
        vmin=top - RANGE_DB,
        vmax=top,
    )
    image.set(xlim=(0, sound.duration_s), yticks=[0, 4, 8])
    image.xaxis.set_major_formatter("{x:g} s")
    for panel in (line, image):
        for time_s in set(sound.mark_s):
            panel.axvline(time_s - sound.start_s, color=mark, linewidth=1.0)
    canvas.caption(line, "", "", "score")
    canvas.caption(image, "", "", "kHz")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=canvas.DOTS_PER_INCH, metadata={"Software": None})
    return drawn.getvalue()
