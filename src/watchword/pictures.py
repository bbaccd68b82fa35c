"""Pictures of what goes on inside: training curves, lambda maps over a spectrogram, sound.

In come arrays or the lines that training logged, out go figures. It is a room because these look
at a model at work and at its input, where ``plots`` looks at what came of it; ``plots`` is the door
to both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from watchword.canvas import (
    FAINT,
    FONT_POINTS,
    INK,
    PALE,
    STROKES,
    caption,
    legend,
    matplotlib,
    sheet,
)
from watchword.errors import DataError
from watchword.scores import run_names
from watchword.units import SAMPLE_RATE_HZ, Decibels, Hz, Samples, Seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_NAME: Final = "metrics.jsonl"
QUIET_DB: Final = -90.0
SILENT_DB: Final = -120.0
BINS: Final = 257
WIDEST_IN: Final = 12.6  # 1,890 dots, which a screen can show
MOST_COLUMNS: Final = 1_500
MOST_ROWS: Final = 12
MOST_LINES: Final = 60  # through the sound; more would hide it
TIME_STEPS_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)
SPIKE: Final = 20.0
"""How many times the median a loss must reach for a logarithmic axis."""


def read_log(folder_or_file: Path) -> list[dict[str, Any]]:
    """Return what training logged of each epoch, in order.

    Of an epoch that was done again the later line counts; a last line that was cut short is left.

    Args:
        folder_or_file: A file ``metrics.jsonl`` as training writes it, or the folder that holds it.

    Returns:
        A record for each epoch; at least one.

    Raises:
        DataError: If there is no log, another file is given, or no epoch is in it.
    """
    path = folder_or_file / LOG_NAME if folder_or_file.is_dir() else folder_or_file
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        rows = {int(row["epoch"]): row for row in map(json.loads, lines)}
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise DataError(
            f"{path} cannot be read as a training log ({fault}); needed is one JSON object a line "
            f"with its epoch, as training writes {LOG_NAME}: name the run folder of a training"
        ) from fault
    if not rows:
        raise DataError(f"{path} holds no epoch, needed at least one: let the training go on")
    return [rows[epoch] for epoch in sorted(rows)]


def training_curves(paths: Sequence[Path]) -> Figure:
    """Draw accuracy, loss and learning rate of runs, epoch by epoch.

    Args:
        paths: Files ``metrics.jsonl`` as training writes them, or the folders that hold them.

    Raises:
        DataError: If there is none, or one of them cannot be read.
    """
    files = [path / LOG_NAME if path.is_dir() else path for path in paths]
    logs = [_columns(read_log(file)) for file in files]
    if not logs:
        raise DataError("no training curves: found no run, needed one: name a run folder")
    ratios = {"height_ratios": [3, 3, 1.2]}
    figure, panels = sheet(6.4, 7.0, nrows=3, sharex=True, gridspec_kw=ratios)
    for name, log, stroke in zip(run_names(files), logs, STROKES * len(logs), strict=False):
        _draw_run(panels, name if len(logs) > 1 else "", log, stroke)
    caption(panels[0], "accuracy", "", "")
    caption(panels[1], "loss", "", "")
    caption(panels[2], "learning rate", "epoch", "")
    panels[0].yaxis.set_major_formatter("{x:g} %")
    panels[0].set_ylim(top=100.5)
    panels[2].set_ylim(bottom=0)
    losses = np.concatenate([line.get_ydata() for line in panels[1].lines])
    if np.nanmax(losses, initial=0) > SPIKE * np.nanmedian(losses):
        panels[1].set_yscale("log")  # one wild epoch would flatten all others
    for panel in panels:
        panel.grid(color=FAINT, linewidth=0.6)
    legend(panels[0], loc="lower right")
    return figure


def lambda_maps(
    features: NDArray[np.floating[Any]],
    content: NDArray[np.floating[Any]],
    maps: NDArray[np.floating[Any]],
    *,
    hop_s: Seconds = 0.01,
    title: str = "",
) -> Figure:
    """Draw what a lambda layer looks at, over the spectrogram it was given.

    The upper panel lays the content weights (softmax of the keys over time, one line for each of
    the sharpest keys) over the features. Below it, for each head, the map form of the layer: how
    much output time (down) takes from input time (across); light is positive, dark is negative.

    Args:
        features: What the model was given, shape ``(mels, frames)``.
        content: Softmax of the keys over time, shape ``(keys, positions)``.
        maps: Queries times position and content weights, shape ``(heads, positions, positions)``.
        hop_s: Step between two frames of the features.
        title: What stands above it.

    Source:
        Bello (2021), arXiv 2102.08602, section 3, in the map form of SPEC §2.1.
    """
    heads = len(maps)
    columns = min(heads, 4)
    rows = -(-heads // columns)
    places = [str(head) if head < heads else "." for head in range(rows * columns)]
    mosaic = [
        ["sound"] * columns,
        *(places[row * columns : (row + 1) * columns] for row in range(rows)),
    ]
    figure, panels = _mosaic(2.6 * columns, 2.2 + 2.5 * rows, mosaic, heights=[1.0] + [1.1] * rows)
    duration_s = features.shape[1] * hop_s
    _draw_content(panels["sound"], features, content, duration_s)
    caption(panels["sound"], title or "content weights over the features", "time (s)", "mel band")
    reach = float(np.abs(maps).max()) or 1.0
    for head, weights in enumerate(maps):
        panel = panels[f"{head}"]
        extent = (0, duration_s, duration_s, 0)
        image = panel.imshow(weights, cmap="gray", vmin=-reach, vmax=reach, extent=extent)
        caption(panel, f"head {head + 1}", "from (s)", "to (s)" if head % columns == 0 else "")
    bar = figure.colorbar(image, ax=[panels[f"{head}"] for head in range(heads)], pad=0.01)
    bar.set_label("weight", fontsize=FONT_POINTS)
    bar.ax.tick_params(labelsize=FONT_POINTS - 1)
    return figure


def noise_mixing(
    clean: NDArray[np.floating[Any]],
    noise: NDArray[np.floating[Any]],
    mixed: NDArray[np.floating[Any]],
    *,
    snr_db: Decibels,
    sample_rate_hz: Hz = SAMPLE_RATE_HZ,
) -> Figure:
    """Draw a clip, the noise laid under it, and their mixture: waveform and spectrogram of each.

    Args:
        clean: The clip before, in [-1, 1], shape ``(samples,)``.
        noise: What was added, as loud as it was added, shape ``(samples,)``.
        mixed: The clip after, shape ``(samples,)``.
        snr_db: Ratio of the powers of clip and noise, for the title.
        sample_rate_hz: Of all three.
    """
    figure, panels = sheet(7.6, 5.6, nrows=3, ncols=2, sharex=True)
    reach = max(float(np.abs(signal).max()) for signal in (clean, noise, mixed)) or 1.0
    names = ("clip", f"noise, {snr_db:.1f} dB below it", "mixture")
    for row, (name, signal) in enumerate(zip(names, (clean, noise, mixed), strict=True)):
        wave, image = panels[2 * row : 2 * row + 2]
        duration_s = len(signal) / sample_rate_hz
        wave.plot(np.arange(len(signal)) / sample_rate_hz, signal, color=INK, linewidth=0.5)
        wave.set(ylim=(-1.05 * reach, 1.05 * reach), xlim=(0, duration_s))
        extent = (0, duration_s, 0, sample_rate_hz / 2000)
        levels = spectrogram_db(signal)
        image.imshow(
            levels, origin="lower", aspect="auto", cmap="Greys", extent=extent, vmin=-90, vmax=0
        )
        last = row == len(names) - 1
        caption(wave, name, "time (s)" if last else "", "amplitude")
        caption(image, "", "time (s)" if last else "", "kHz")
    return figure


def listening(
    levels_db: NDArray[np.float64],
    scores: Mapping[str, NDArray[np.floating[Any]]],
    times_s: NDArray[np.float64],
    thresholds: Mapping[str, float],
    detections: Sequence[tuple[str, Seconds]],
    duration_s: Seconds,
    *,
    title: str = "",
) -> Figure:
    """Draw what was heard in a recording: its sound, the scores below it, detections through both.

    Each keyword has a row, from 0 to 1; of many, those detected and those with the highest scores.
    However long the recording, the figure fits a screen.

    Args:
        levels_db: Spectrogram, shape ``(bins, columns)``, from 0 to 8 kHz.
        scores: Of each keyword, shape ``(scores,)``.
        times_s: When each score was due.
        thresholds: Of each keyword.
        detections: Keyword and time of each.
        duration_s: Length of the recording.
        title: What stands above.
    """
    named = {word for word, _ in detections}
    order = sorted(scores, key=lambda word: (word not in named, -scores[word].max(initial=0)))
    words = [word for word in scores if word in order[:MOST_ROWS]]
    left = f"; {len(order) - MOST_ROWS} more keywords" if len(order) > MOST_ROWS else ""
    rows_in, width_in = max(0.9, 0.26 * len(words)), min(WIDEST_IN, 6.0 + duration_s / 10)
    layout = {"nrows": 2, "sharex": True, "height_ratios": [2.0, rows_in]}
    figure, (sound, panel) = sheet(width_in, 3.0 + rows_in, **layout)
    floor = max(QUIET_DB, float(np.percentile(levels_db, 30)))
    top, extent = max(floor + 30, float(levels_db.max())), (0, duration_s, 0, 8)
    look: dict[str, Any] = {"origin": "lower", "aspect": "auto", "cmap": "Greys"}
    sound.imshow(levels_db, extent=extent, vmin=floor, vmax=top, **look)
    caption(sound, _shown(title, 90), "", "kHz")
    for row, word in enumerate(reversed(words)):
        heard_s = [time_s for name, time_s in detections if name == word]
        _draw_row(panel, row, times_s, scores[word], thresholds[word], heard_s)
    for _, time_s in detections if len(detections) <= MOST_LINES else []:
        for one in (sound, panel):
            one.axvline(time_s, color=STROKES[1]["color"], linewidth=0.7)
    panel.set_yticks(np.arange(len(words)) + 0.4, [_shown(word, 20) for word in reversed(words)])
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(-0.1, len(words))
    panel.set_xlim(0, duration_s)
    _set_clock(panel, duration_s)
    caption(panel, "", f"time (dotted: threshold; triangle: detection{left})", "score")
    return figure


def _shown(text: str, most: int) -> str:
    """Return text that is not too long and means no formula."""
    return (text if len(text) <= most else f"{text[: most - 1]}…").replace("$", r"\$")


def _draw_row(
    panel: Axes,
    row: int,
    times_s: NDArray[np.float64],
    scores: NDArray[np.floating[Any]],
    threshold: float,
    heard_s: Sequence[Seconds],
) -> None:
    """Draw a keyword's scores from ``row`` to 0.8 above it, its threshold and detections."""
    starts = np.arange(0, len(scores), -(-len(scores) // MOST_COLUMNS) or 1)
    peaks = np.maximum.reduceat(scores, starts) if len(scores) else scores
    panel.fill_between(times_s[starts], row, row + 0.8 * peaks, color=INK, linewidth=0.4)
    panel.axhline(row, color=FAINT, linewidth=0.6)
    panel.axhline(row + 0.8 * threshold, color=PALE, linewidth=0.7, linestyle=":")
    look = {"color": STROKES[1]["color"], "marker": "v", "markersize": 4.5, "linestyle": ""}
    panel.plot(heard_s, np.full(len(heard_s), row + 0.9), **look)


def _set_clock(panel: Axes, duration_s: Seconds) -> None:
    """Let the axis of time tell seconds, or what a clock shows where there are many."""
    ticker = matplotlib("ticker")
    step_s = next((step for step in TIME_STEPS_S if duration_s <= 12 * step), duration_s / 4)
    panel.xaxis.set_major_locator(ticker.MultipleLocator(step_s))
    clock = ticker.FuncFormatter(lambda time_s, _: f"{timedelta(seconds=round(time_s))}")
    panel.xaxis.set_major_formatter(clock if duration_s > 120 else "{x:g} s")


def loudest(pieces: Iterable[NDArray[Any]], samples: Samples) -> NDArray[np.float64]:
    """Return a recording's spectrogram in no more columns than a screen has dots.

    A column holds the loudest of its frames, so that one word in an hour is still seen.

    Args:
        pieces: The recording, piece by piece, each ``(samples,)`` at 16 kHz.
        samples: How many there are; the levels in dB have the shape ``(bins, columns)``.
    """
    columns = min(MOST_COLUMNS, max(1, samples // 128))
    hop = max(1, min(256, samples // columns // 2))
    levels, start = np.full((columns, BINS), SILENT_DB), 0
    for piece in pieces:
        found = spectrogram_db(piece, hop)
        places = (start + hop * np.arange(found.shape[1])) * columns // samples
        np.maximum.at(levels, np.minimum(places, columns - 1), found.T)
        start += len(piece)
    return levels.T


def _columns(log: Sequence[dict[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Return the columns of a log; what is no number is NaN."""
    keys = {key for row in log for key in row}
    return {key: np.array([_number(row.get(key)) for row in log]) for key in keys}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _draw_run(
    panels: Sequence[Axes], name: str, log: dict[str, NDArray[np.float64]], stroke: dict[str, Any]
) -> None:
    """Draw one run: training pale and thin, validation in its stroke."""
    accuracy, loss, rate = panels
    epochs, nothing = log["epoch"], np.full(len(log["epoch"]), np.nan)
    look = {**stroke, "linewidth": 1.5, "markersize": 4, "markevery": max(1, len(epochs) // 10)}
    pale = {**look, "linewidth": 0.9, "marker": "", "alpha": 0.55}
    for panel, key, scale in ((accuracy, "accuracy", 100), (loss, "loss", 1)):
        train = log.get("train_" + key, log.get(key, nothing))
        # of several runs only the best epoch is named: pale is training in all of them
        panel.plot(epochs, scale * train, label="" if name else "train", **pale)
        valid = scale * log.get("valid_" + key, nothing)
        panel.plot(epochs, valid, label="" if name else "valid", **look)
    valid = log.get("valid_accuracy", nothing)
    if np.isfinite(valid).any():
        best = int(np.nanargmax(valid))
        label = f"{name} best: {100 * valid[best]:.1f} % at epoch {epochs[best]:.0f}".strip()
        star = {**stroke, "marker": "*", "markersize": 11, "linewidth": 1.5}
        accuracy.plot(epochs[best], 100 * valid[best], label=label, **star)
    rate.plot(epochs, log.get("learning_rate", nothing), **pale)


def _mosaic(
    width_in: float, height_in: float, mosaic: list[Any], *, heights: list[float]
) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with panels of different width, by name."""
    figure, (whole,) = sheet(width_in, height_in)
    whole.remove()
    panels = figure.subplot_mosaic(mosaic, height_ratios=heights)
    for panel in panels.values():
        panel.tick_params(labelsize=FONT_POINTS - 1, color=PALE, labelcolor=INK)
    return figure, panels


def _draw_content(
    panel: Axes,
    features: NDArray[np.floating[Any]],
    content: NDArray[np.floating[Any]],
    duration_s: Seconds,
) -> None:
    """Draw the features, and over them when each of the sharpest keys listens."""
    extent = (0, duration_s, -0.5, len(features) - 0.5)
    panel.imshow(features, origin="lower", aspect="auto", cmap="Greys", extent=extent)
    positions = content.shape[1]
    times = (np.arange(positions) + 0.5) * duration_s / positions
    sharpest = np.argsort(-content.max(axis=1))[:3]
    over = panel.twinx()
    halo = [matplotlib("patheffects").withStroke(linewidth=3.5, foreground="white")]
    for key, stroke in zip(sharpest, STROKES[1:], strict=False):
        look = {**stroke, "marker": "", "linewidth": 1.8, "path_effects": halo}
        over.plot(times, content[key], label=f"key {key + 1}", **look)
    over.set_ylim(0, 1.15 * float(content[sharpest].max()))
    over.set_ylabel("content weight", fontsize=FONT_POINTS)
    over.tick_params(labelsize=FONT_POINTS - 1)
    legend(over, loc="upper right", ncols=3, frameon=True, framealpha=0.9)


def spectrogram_db(
    signal: NDArray[np.floating[Any]], hop_samples: Samples = 128
) -> NDArray[np.float64]:
    """Return levels in dB against the loudest sine possible, shape ``(bins, frames)``.

    Args:
        signal: Audio at 16 kHz, shape ``(samples,)``.
        hop_samples: Samples between two frames.
    """
    window = np.hanning(512)
    padded = np.pad(np.asarray(signal, dtype=np.float64), 256)
    frames = np.lib.stride_tricks.sliding_window_view(padded, 512)[::hop_samples] * window
    magnitudes = np.abs(np.fft.rfft(frames)).T / (window.sum() / 2)
    return np.asarray(20 * np.log10(np.maximum(magnitudes, 1e-6)))
