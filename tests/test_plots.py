"""Plots: the axes hold what they say, lines differ without colour, and the scripts are doors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from matplotlib.figure import Figure

from watchword import canvas, jobs, pictures, plots
from watchword.errors import DataError, WatchwordError
from watchword.groups import Speakers
from watchword.metrics import ClassRates, Curve, Rate
from watchword.scores import Scores, save

SCRIPTS = Path(__file__).parents[1] / "scripts"


def scores(seed: int = 0, *, task: str = "demo", skill: float = 2.0) -> Scores:
    rng = np.random.default_rng(seed)
    targets = np.tile([0, 1, 2], 40)
    labels = ("yes", "no", "_unknown_")
    return Scores(
        task=task,
        split="valid",
        labels=labels,
        names=np.array([f"{i}.wav" for i in range(120)]),
        words=np.array(labels)[targets],
        speakers=np.full(120, ""),
        corpora=np.full(120, "speech"),
        parts=np.full(120, "task"),
        dropped=np.zeros(120, bool),
        heard=np.ones(120, bool),
        targets=targets,
        logits=rng.normal(size=(120, 3)) + skill * np.eye(3)[targets],
    )


def curve(*points: tuple[float, float]) -> Curve:
    far, frr = np.array(points).T
    return Curve(far, frr, np.linspace(1, 0, len(far)), 100, 100)


def log_line(epoch: int, **changes: object) -> str:
    row = {"epoch": epoch, "loss": 1 / epoch, "train_accuracy": 0.5, "valid_accuracy": 0.6}
    return json.dumps({**row, "valid_loss": 0.9, "learning_rate": 0.1, **changes}) + "\n"


def test_det_has_false_accepts_across_and_false_rejects_up_in_normal_deviates() -> None:
    figure = plots.det({"one": curve((0, 1), (0.1, 0.4), (0.3, 0.2), (1, 0))})
    (panel,) = figure.axes
    assert "false accept" in panel.get_xlabel()
    assert "false reject" in panel.get_ylabel()
    line = next(x for x in panel.lines if str(x.get_label()).startswith("one"))
    probit = NormalDist().inv_cdf
    # rates of 0 and 1 lie at infinity: two points remain
    np.testing.assert_allclose(line.get_xdata(), [probit(0.1), probit(0.3)])
    np.testing.assert_allclose(line.get_ydata(), [probit(0.4), probit(0.2)])
    names = [text.get_text() for text in panel.get_xticklabels()]
    assert panel.get_xticks()[names.index("10")] == pytest.approx(probit(0.1))


def test_roc_has_recall_against_false_accepts() -> None:
    (panel,) = plots.roc({"one": curve((0, 1), (0.1, 0.4), (0.3, 0.2), (1, 0))}).axes
    line = panel.lines[0]
    np.testing.assert_allclose(line.get_xdata(), [10, 30, 100])
    np.testing.assert_allclose(line.get_ydata(), [60, 80, 100])
    assert panel.get_xscale() == "log"


def test_names_carry_the_equal_error_rate() -> None:
    (panel,) = plots.det({"one": curve((0, 1), (0.2, 0.2), (1, 0))}).axes
    assert "one (EER 20 %)" in panel.get_legend_handles_labels()[1]


def test_a_perfect_curve_can_be_drawn(tmp_path: Path) -> None:
    perfect = {"one": curve((0, 1), (0, 0), (1, 0))}
    for name, figure in (("det", plots.det(perfect)), ("roc", plots.roc(perfect))):
        assert plots.save(figure, tmp_path / f"{name}.png").is_file()
        (panel,) = figure.axes
        assert "one (EER 0 %)" in panel.get_legend_handles_labels()[1]
        assert np.isfinite([*panel.get_xlim(), *panel.get_ylim()]).all()


def test_many_curves_keep_the_last_and_the_worst_in_ink() -> None:
    curves = {f"w{i}": curve((0, 1), (0.1 + i / 50, 0.1 + i / 50), (1, 0)) for i in range(9)}
    (panel,) = plots.det({**curves, "pooled": curve((0, 1), (0.1, 0.1), (1, 0))}).axes
    names = [name.split(" (")[0] for name in panel.get_legend_handles_labels()[1]]
    assert names == ["the other 6", "pooled", "w8", "w7", "w6"]


def test_strokes_differ_without_colour() -> None:
    looks = {(str(x["linestyle"]), x["marker"]) for x in canvas.STROKES}
    assert len(looks) == len(canvas.STROKES)
    assert len({x["marker"] for x in canvas.STROKES}) == len(canvas.STROKES)


def test_confusion_writes_every_count_and_shades_by_row() -> None:
    counts = np.array([[9, 1], [0, 1000]])
    (panel,) = plots.confusion(["yes", "no"], counts, title="demo").axes
    assert sorted(text.get_text() for text in panel.texts) == ["1", "1,000", "9"]
    shades = np.asarray(panel.images[0].get_array())
    np.testing.assert_allclose(shades, [[0.9, 0.1], [0, 1]])
    assert [text.get_text() for text in panel.get_yticklabels()] == ["yes (10)", "no (1,000)"]


def test_confusion_of_a_class_without_clips_can_be_drawn(tmp_path: Path) -> None:
    figure = plots.confusion(["yes", "no"], np.array([[3, 0], [0, 0]]))
    plots.save(figure, tmp_path / "confusion.png")
    # the empty row has no share of anything, and no NaN either
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), [[1, 0], [0, 0]])


def test_per_class_has_the_worst_on_top_and_leaves_out_the_empty() -> None:
    rows = [
        ClassRates("no", Rate(5, 10), None),
        ClassRates("yes", Rate(9, 10), Rate(9, 14)),
        ClassRates("go", None, Rate(0, 3)),
    ]
    panel = plots.per_class(rows).axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["yes (10)", "no (10)"]


def test_speakers_are_drawn_beside_chance() -> None:
    spread = Speakers(
        3, 5, (("a", Rate(3, 5)), ("b", Rate(5, 5))), np.array([0.7, 0.9]), (0.5, 0.9)
    )
    (panel,) = plots.speakers(spread).axes
    np.testing.assert_allclose(panel.lines[0].get_ydata(), [60, 100])
    np.testing.assert_allclose(panel.lines[1].get_ydata(), [70, 90])
    assert "2 of 3 speakers" in panel.get_xlabel()


def test_runs_share_one_figure() -> None:
    left, right = plots.roc_det_of_runs({"k1": scores(), "k2": scores(1, skill=3)}).axes
    for panel in (left, right):
        names = [name.split(" (")[0] for name in panel.get_legend_handles_labels()[1]]
        assert names == ["k1", "k2"]


def test_every_figure_of_runs_says_what_it_is_measured_on() -> None:
    runs = {"k1": scores()}
    of = "task demo, valid, keywords pooled"
    assert plots.roc_of_runs(runs).axes[0].get_title(loc="left") == f"ROC, {of}"
    assert plots.det_of_runs(runs).axes[0].get_title(loc="left") == f"DET, {of}"
    assert plots.roc_det_of_runs(runs).get_suptitle() == of


def test_runs_of_different_tasks_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"found demo/valid \(3 labels\), other/valid.*draw the oth"
    ):
        plots.roc_det_of_runs({"k1": scores(), "k2": scores(task="other")})
    with pytest.raises(DataError, match=r"runs cannot share a figure: found none"):
        plots.curves_of_runs({})


def test_training_curves_show_the_best_epoch(tmp_path: Path) -> None:
    lines = [log_line(1), log_line(2, valid_accuracy=0.9), log_line(3, valid_accuracy=None)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    accuracy, loss, rate = plots.training_curves([tmp_path]).axes
    assert "best: 90.0 % at epoch 2" in accuracy.get_legend_handles_labels()[1]
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [1, 1 / 2, 1 / 3])
    np.testing.assert_allclose(rate.lines[0].get_ydata(), [0.1] * 3)


def test_a_log_is_read_from_its_file_or_its_folder(tmp_path: Path) -> None:
    log = log_line(2, loss=9.0) + log_line(1) + log_line(2) + log_line(3)[:20]
    (tmp_path / pictures.LOG_NAME).write_text(log)
    records = pictures.read_log(tmp_path)
    assert [(record["epoch"], record["loss"]) for record in records] == [(1, 1.0), (2, 0.5)]
    assert pictures.read_log(tmp_path / "metrics.jsonl") == records
    with pytest.raises(DataError, match="No such file or directory"):
        pictures.read_log(tmp_path / "nowhere")


def test_an_epoch_done_again_counts_once_and_a_cut_line_not_at_all(tmp_path: Path) -> None:
    log = log_line(1) + log_line(2, loss=9.0) + log_line(2, loss=3.0) + log_line(3)[:20]
    (tmp_path / "metrics.jsonl").write_text(log)
    loss = plots.training_curves([tmp_path / "metrics.jsonl"]).axes[1]
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [1, 3])


@pytest.mark.parametrize("log", ['{"loss": 1}\n', "[1]\n", "no json\n", "\xff\n"])
def test_another_file_is_no_training_log(tmp_path: Path, log: str) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(log.encode("latin-1"))
    with pytest.raises(DataError, match=r"cannot be read as a training log .*name the run folder"):
        plots.training_curves([tmp_path])


def test_no_epoch_is_no_curve(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(DataError, match=r"holds no epoch, needed at least one"):
        plots.training_curves([tmp_path])
    with pytest.raises(DataError, match=r"found no run, needed one: name a run folder"):
        plots.training_curves([])


def test_lambda_maps_share_the_clips_seconds() -> None:
    rng = np.random.default_rng(0)
    content = rng.random((16, 25)) + 10 * np.eye(16, 25)
    figure = plots.lambda_maps(rng.random((40, 98)), content, rng.normal(size=(5, 25, 25)))
    heads = [panel for panel in figure.axes if panel.get_title(loc="left").startswith("head")]
    assert len(heads) == 5
    for panel in heads:
        assert panel.images[0].get_extent() == [0, 0.98, 0.98, 0]
    lows = {panel.images[0].get_clim()[0] + panel.images[0].get_clim()[1] for panel in heads}
    assert lows == {0}  # zero is the same middle grey in every head


def test_noise_mixing_shows_all_three_alike(tmp_path: Path) -> None:
    time_s = np.arange(16_000) / 16_000
    clean, noise = 0.5 * np.sin(2 * np.pi * 1000 * time_s), np.full(16_000, 0.01)
    figure = plots.noise_mixing(clean, noise, clean + noise, snr_db=31.0)
    assert len(figure.axes) == 6
    assert "31.0 dB below" in figure.axes[2].get_title(loc="left")
    levels = np.asarray(figure.axes[1].images[0].get_array())
    # a sine of half of full scale in bin 1000 / 16000 · 512 = 32 stands at 20·log10(0.5) dB
    assert levels[:, 60].argmax() == 32
    assert levels[32, 60] == pytest.approx(-6.02, abs=0.01)
    plots.save(figure, tmp_path / "noise.png")


def test_silence_and_short_clips_can_be_drawn(tmp_path: Path) -> None:
    nothing = np.zeros(100)
    figure = plots.noise_mixing(nothing, nothing, nothing, snr_db=0.0)
    assert plots.save(figure, tmp_path / "noise.png").is_file()
    drawn = [image.get_array() for panel in figure.axes for image in panel.images]
    assert drawn
    assert all(np.isfinite(array).all() for array in drawn)


# --------------------------------------------------------------------------------------- listening


def heard(count: int, duration_s: float, *detections: tuple[str, float]) -> Figure:
    """A picture of some keywords, each higher than the one before, but for a step at the end."""
    times_s = np.arange(min(1, duration_s), duration_s + 0.01, 0.08)
    scores = {f"w{n}": np.full(len(times_s), n / 100) for n in range(count)}
    for values in scores.values():
        values[-1] = 0.9
    thresholds = dict.fromkeys(scores, 0.5)
    levels_db = np.full((257, 100), -60.0)
    return pictures.listening(levels_db, scores, times_s, thresholds, detections, duration_s)


def test_each_keyword_has_a_row_with_its_threshold_and_its_detections() -> None:
    sound, panel = heard(3, 10.0, ("w0", 2.5), ("w2", 5.0), ("w2", 7.5)).axes
    assert [text.get_text() for text in panel.get_yticklabels()] == ["w2", "w1", "w0"]
    marks = [line.get_xdata() for line in panel.lines if line.get_marker() == "v"]
    assert [np.asarray(x).tolist() for x in marks] == [[5.0, 7.5], [], [2.5]]
    dotted = [line.get_ydata()[0] for line in panel.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(dotted, [0.4, 1.4, 2.4])  # half of a row's 0.8
    tops = [area.get_paths()[0].vertices[:, 1].max() for area in panel.collections]
    np.testing.assert_allclose(tops, [0.72, 1.72, 2.72])
    assert [line.get_xdata()[0] for line in sound.lines] == [2.5, 5.0, 7.5]
    assert panel.get_xlim() == sound.get_xlim() == (0, 10)


@pytest.mark.parametrize("duration_s", [0.5, 60.0, 3_600.0])
def test_a_picture_of_a_recording_fits_a_screen(tmp_path: Path, duration_s: float) -> None:
    from PIL import Image

    figure = heard(35, duration_s)
    with Image.open(plots.save(figure, tmp_path / "heard.png")) as image:
        assert image.width <= 1_920
        assert image.height <= 1_080
    panel = figure.axes[1]
    assert len(panel.get_yticks()) == 12
    assert "23 more keywords" in panel.get_xlabel()
    ticks = [x for x in panel.get_xticks() if 0 <= x <= duration_s]
    assert 4 <= len(ticks) <= 13


def test_of_many_keywords_those_detected_are_shown() -> None:
    detections = [(f"w{n}", 5.0) for n in range(10)]
    (_, panel) = heard(35, 10.0, *detections).axes
    shown = [text.get_text() for text in panel.get_yticklabels()]
    assert set(shown) >= {word for word, _ in detections}
    assert shown == sorted(shown, key=lambda word: -int(word[1:]))  # in the order of the model


def test_a_long_time_is_told_as_by_a_clock() -> None:
    for duration_s, tick in ((60.0, "10 s"), (3_600.0, "0:10:00")):
        panel = heard(1, duration_s).axes[1]
        panel.figure.canvas.draw()
        assert tick in [text.get_text() for text in panel.get_xticklabels()]


def test_a_hundred_detections_do_not_hide_the_sound() -> None:
    sound, panel = heard(1, 3_600.0, *[("w0", 30.0 * n) for n in range(100)]).axes
    assert not sound.lines
    assert sum(len(line.get_xdata()) for line in panel.lines if line.get_marker() == "v") == 100


def test_the_end_of_a_long_recording_is_not_lost_between_columns() -> None:
    panel = heard(1, 3_600.0).axes[1]
    (area,) = panel.collections
    assert area.get_paths()[0].vertices[:, 1].max() == pytest.approx(0.8 * 0.9)
    assert len(area.get_paths()[0].vertices) < 2 * pictures.MOST_COLUMNS + 10


def test_one_click_in_minutes_is_still_seen() -> None:
    samples = 300 * 16_000
    recording = np.zeros(samples, np.float32)
    recording[200 * 16_000 : 200 * 16_000 + 100] = 0.5
    levels_db = pictures.loudest(np.split(recording, 300), samples)
    assert levels_db.shape == (257, pictures.MOST_COLUMNS)
    seen = np.flatnonzero(levels_db.max(axis=0) > -60)
    np.testing.assert_allclose(seen * 300 / pictures.MOST_COLUMNS, 200, atol=0.2)


@pytest.mark.parametrize("samples", [1, 100, 5_000, 16_001])
def test_a_short_recording_has_a_spectrogram_without_gaps(samples: int) -> None:
    tone = np.cos(2 * np.pi * 1_000 * np.arange(samples) / 16_000)
    levels_db = pictures.loudest([tone[:7_000], tone[7_000:]], samples)
    assert levels_db.max(axis=0).min() > -60


def test_a_figure_is_a_png_of_150_dots_per_inch(tmp_path: Path) -> None:
    from PIL import Image

    path = plots.save(plots.confusion(["yes"], np.array([[1]])), tmp_path / "new" / "one.png")
    with Image.open(path) as image:
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)


def test_without_matplotlib_the_install_command_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(WatchwordError, match=r"pip install 'watchword\[plot\]'"):
        plots.confusion(["yes"], np.array([[1]]))


def test_importing_plots_loads_no_matplotlib_and_no_torch() -> None:
    code = (
        "import sys, watchword.report, watchword.plots\n"
        "print([x for x in ('matplotlib', 'torch', 'sklearn') if x in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def run_script(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPTS / name, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "kind", "of"),
    [
        ("plot_roc_det.py", "curves", ["k1", "k2"]),
        ("plot_confusion.py", "confusion", ["k1"]),
        ("plot_training_curves.py", "training", ["k1", "k2"]),
    ],
)
def test_a_script_draws_what_the_command_draws(
    tmp_path: Path, name: str, kind: str, of: list[str]
) -> None:
    for run in of:
        save(scores(), tmp_path / run / "scores.npz")
        (tmp_path / run / "metrics.jsonl").write_text(log_line(1) + log_line(2))
    runs = [tmp_path / run for run in of]
    done = run_script(name, *runs, "--out", tmp_path / "script.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path}/script.png\n"
    jobs.plot(kind, runs, tmp_path / "command.png")
    assert (tmp_path / "script.png").read_bytes() == (tmp_path / "command.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plot_roc_det.py", "nothing"], "nothing is no file, and no model is called"),
        (["plot_roc_det.py", ".", "--out", "x.pdf"], "x.pdf names no PNG"),
        (["plot_confusion.py", "nothing", "--out", "x"], "x names no PNG"),
        (["plot_training_curves.py", "nothing"], "nothing is no file, and no model is called"),
        (["debug_sizes.py", "--frames", "1"], "needed at least 3"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(words: list[str], message: str) -> None:
    done = run_script(*words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
