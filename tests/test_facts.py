"""What a bundle may say of itself."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bundles
from watchword import bundle, facts
from watchword.decision import OperatingPoint
from watchword.errors import BundleError

TOLD: dict[str, Any] = dict(bundle.of(bundles.facts(), bundles.graphs()).facts.told)
POINT = {"threshold": 0.6, "smoothing_scores": 2, "refractory_ms": 500}


def parsed(told: object) -> facts.Facts:
    """The facts of JSON values."""
    return facts.parse(json.dumps(told).encode(), "a.watchword")


def changed(path: str, value: object) -> dict[str, Any]:
    """The facts with one value changed; ``path`` names it with dots."""
    told = json.loads(json.dumps(TOLD))
    *parents, last = path.split(".")
    place = told
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[last] = value
    return dict(told)


def test_facts_are_read_as_typed_values() -> None:
    told = changed("operating_point.keywords", {"loud": POINT})
    found = parsed(told)
    assert (found.name, found.labels, found.licence) == ("loud", ("loud", "_unknown_"), "CC0-1.0")
    assert found.timing == facts.Timing(8, 8, 2, 0, 3)
    assert found.timing.score_hop_ms == 0.125  # 2 samples of 16,000
    assert found.state == (facts.StatePart("audio", "next_audio", (6,)),)
    assert found.default_point == OperatingPoint(0.5, 1, 0.0)
    assert found.points == {"loud": OperatingPoint(0.6, 2, 500.0)}
    assert found.is_calibrated is False
    assert found.temperature == 1.0
    assert {*found.files} == {"clip.onnx", "stream.onnx"}
    assert found.told == told


@pytest.mark.parametrize(
    ("used", "hop", "silence"),
    [
        (8, 2, 4),
        (7, 2, 2),  # half of it is 3, in which there is one whole hop
        (9, 1, 4),
        (16_000, 1_280, 7_680),  # six hops of the 6.25 in its half
        (15_920, 1_280, 7_680),
        (16_000, 16_000, 0),  # no whole hop
    ],
)
def test_silence_before_a_stream_is_the_whole_hops_in_half_of_what_a_score_hears(
    used: int, hop: int, silence: int
) -> None:
    lead = -used % hop
    timing = facts.Timing(used, used, hop, lead, (used + lead) // hop - 1)
    assert timing.silence_samples == silence
    ends = [used - silence, used - silence + hop, used - silence + 5 * hop]
    assert (timing.times_s(np.array([0, 1, 5])) * 16_000).round().tolist() == ends


def test_the_words_to_listen_for_are_the_labels_but_for_unknown_and_silence() -> None:
    found = parsed(changed("labels", ["yes", "_unknown_", "no", "_silence_"]))
    assert found.keywords == ("yes", "no")


@pytest.mark.parametrize("label", ["ja", "はい", "نعم", "me too", "می‌خواهم"])
def test_a_label_may_be_a_word_of_any_language(label: str) -> None:
    assert parsed(changed("labels", [label, "_unknown_"])).keywords == (label,)


def test_a_newer_version_is_refused_in_one_line_before_anything_else_is_looked_at() -> None:
    for told in ({"format": 4}, {**TOLD, "format": 4}, {"format": 7, "labels": 3}):
        with pytest.raises(BundleError) as refusal:
            parsed(told)
        assert str(refusal.value) == (
            f"a.watchword has format {told['format']}, this program reads up to format 3: update "
            "watchword, or export the model with this version"
        )


def test_what_is_written_has_this_version_s_format() -> None:
    assert (facts.FORMAT, TOLD["format"]) == (3, 3)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1, 1.0, 2.345, 20, 20.0])
def test_a_temperature_is_read_as_a_number(temperature: float) -> None:
    found = parsed(changed("operating_point.temperature", temperature)).temperature
    assert (found, type(found)) == (temperature, float)


def test_the_first_format_is_still_read_and_knows_no_temperature() -> None:
    assert "temperature" not in TOLD["operating_point"]
    first = {**TOLD, "format": 1}
    found = parsed(first)
    assert (found.temperature, found.labels) == (1.0, ("loud", "_unknown_"))
    assert found.timing == parsed(TOLD).timing
    other = {**changed("operating_point.temperature", 2.0), "format": 1}
    assert parsed(other).temperature == 1.0


def test_patience_is_read_from_the_third_format_on() -> None:
    assert parsed(TOLD).default_point.patience is None
    patient = changed("operating_point.default.smoothing_scores", 4)
    patient["operating_point"]["default"]["patience"] = 3
    assert parsed(patient).default_point.rule == "3 of 4 scores"
    assert parsed({**patient, "format": 2}).default_point.rule == "mean of 4 scores"
    patient["operating_point"]["default"]["patience"] = None
    assert parsed(patient).default_point.rule == "mean of 4 scores"


@pytest.mark.parametrize("patience", [0, 2, -1, 1.0, True, "1", [1]])
def test_a_patience_that_is_none_is_refused(patience: object) -> None:
    with pytest.raises(BundleError, match=r"cannot be used \((a )?patience"):
        parsed(changed("operating_point.default.patience", patience))


@pytest.mark.parametrize("value", [0, -1, True, 1.0, 2.0, "1", None, [1], 2**70, 10**4_000])
def test_a_version_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json cannot be used \(format is") as refusal:
        parsed(changed("format", value))
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("key", sorted({*TOLD} & {*bundles.facts(), "format", "files"}))
def test_every_fact_is_needed(key: str) -> None:
    told = {name: value for name, value in TOLD.items() if name != key}
    with pytest.raises(BundleError, match=rf"its bundle\.json cannot be used \(no '{key}'\), and"):
        parsed(told)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("name", "", "name must be text"),
        ("name", 3, "name must be text"),
        ("name", "a\nb", "name must be text of one line"),
        ("licence", None, "licence must be text"),
        ("labels", [], "no label is a keyword"),
        ("labels", ["_unknown_", "_silence_"], "no label is a keyword"),
        ("labels", "loud", "labels must be a list"),
        ("labels", ["loud", "loud"], "labels must be different from each other"),
        ("labels", [str(n) for n in range(10_001)], "from each other, 10,000 at most"),
        ("labels", ["loud", 3], "labels must be text"),
        ("labels", ["lo\x1b[31mud"], "labels must be text of one line"),
        ("labels", ["lo\u2028ud"], "labels must be text of one line"),
        ("labels", ["lo\ud800ud"], "labels must be text of one line"),
        ("timing", [], "list indices"),
        ("timing.sample_rate_hz", 8_000, "sample_rate_hz must be 16000"),
        ("timing.clip_samples", 8.0, "timing.clip_samples must be a whole number up to 960,000"),
        ("timing.clip_samples", 960_001, "timing.clip_samples must be a whole number up to"),
        ("timing.clip_samples", 7, "the numbers of timing do not fit together"),
        ("timing.lead_samples", 1, "the numbers of timing do not fit together"),
        ("timing.warm_up_scores", True, "timing.warm_up_scores must be a whole number"),
        ("timing.warm_up_scores", -1, "timing.warm_up_scores must be a whole number"),
        ("timing.score_samples", 0, "the numbers of timing do not fit together"),
        ("state", {}, "state must be a list"),
        ("state.0.shape", 6, "shape must be a list"),
        ("state.0.shape", [6.0], "the shape of a state must be whole numbers"),
        ("state.0.shape", [-1], "the shape of a state must be whole numbers"),
        ("state.0.shape", [1] * 9, "the shape of a state must be whole numbers, and not many"),
        ("state.0.shape", [0, 10**10], "the shape of a state must be whole numbers, and not"),
        ("state.0.shape", [10_000, 1_001], "state hold more than 10,000,000 numbers"),
        ("state.0.input", "chunk", "the arrays of state must have different names"),
        ("state.0.output", "posteriors", "the arrays of state must have different names"),
        ("state", [TOLD["state"][0]] * 2, "the arrays of state must have different names"),
        (
            "state",
            [{"input": i, "output": o, "shape": [6_000_000]} for i, o in ("ab", "cd")],
            "state hold more than 10,000,000 numbers",
        ),
        ("operating_point.default.threshold", 0, "a threshold of 0 was given"),
        ("operating_point.default.threshold", 10**400, "too large to convert"),
        ("operating_point.default.threshold", "0.5", "an operating point is made of numbers"),
        ("operating_point.default.threshold", True, "an operating point is made of numbers"),
        ("operating_point.default.smoothing_scores", 1.5, "an operating point is made of"),
        ("operating_point.default.smoothing_scores", 1_001, "smoothing over 1001 scores"),
        ("operating_point.default.refractory_ms", 10**400, "too large to convert"),
        ("operating_point.default.refractory_ms", -1, "a refractory period of -1 ms"),
        ("operating_point.default", {}, "no 'threshold'"),
        ("operating_point.temperature", 0.049, "temperature must be from 0.05 to 20"),
        ("operating_point.temperature", 20.1, "temperature must be from 0.05 to 20"),
        ("operating_point.temperature", 0, "temperature must be from 0.05 to 20"),
        ("operating_point.temperature", -1.0, "temperature must be from 0.05 to 20"),
        ("operating_point.temperature", 10**400, "temperature must be from 0.05 to 20"),
        ("operating_point.temperature", True, "temperature must be a number"),
        ("operating_point.temperature", "1.5", "temperature must be a number"),
        ("operating_point.temperature", None, "temperature must be a number"),
        ("operating_point.temperature", [1.5], "temperature must be a number"),
        ("operating_point.temperature", float("nan"), "NaN is no number of JSON"),
        ("operating_point.temperature", float("inf"), "Infinity is no number of JSON"),
        ("operating_point.keywords", {"quiet": POINT}, "an operating point is that of no label"),
        ("operating_point.keywords", {"loud": 0.5}, "not subscriptable"),
        ("operating_point.keywords", 3, "not iterable"),
        ("files", 3, "not iterable"),
        ("files", {"clip.onnx": {"bytes": 3}}, "no 'sha256'"),
        ("files", {"clip.onnx": {"bytes": -3, "sha256": "0" * 64}}, "must have bytes and a SHA"),
        ("files", {"clip.onnx": {"bytes": 2**60, "sha256": "0" * 64}}, "must have bytes and a"),
        ("files", {"clip.onnx": {"bytes": 3, "sha256": "0" * 63}}, "must have bytes and a SHA-256"),
        ("files", {"clip.onnx": {"bytes": 3, "sha256": "0" * 64 + "\n"}}, "must be text of one"),
    ],
)
def test_a_fact_that_does_not_hold_is_refused_in_one_line(
    path: str, value: object, message: str
) -> None:
    with pytest.raises(BundleError) as refusal:
        parsed(changed(path, value))
    line = str(refusal.value)
    assert line.startswith("a.watchword: its bundle.json cannot be used (")
    assert message in line
    assert line.endswith("copy it again, or export the model anew")
    assert line.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"[]",
        b"3",
        b'"format"',
        b"null",
        b"[" * 100_000,
        b'{"format": ' + b"1" * 5_000 + b"}",
        b'{"format": NaN}',
        b'{"format": 1, "name": Infinity}',
    ],
)
def test_what_is_no_json_table_is_refused_in_one_line(text: bytes) -> None:
    with pytest.raises(BundleError, match=r"its bundle\.json cannot be used \(.+\), and") as found:
        facts.parse(text, "a.watchword")
    assert str(found.value).isprintable()
    assert len(str(found.value)) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=3), some),
    max_leaves=5,
)
PLACES = [
    *TOLD,
    *(f"timing.{key}" for key in TOLD["timing"]),
    *(f"state.0.{key}" for key in TOLD["state"][0]),
    *("operating_point.default", "operating_point.keywords", "operating_point.temperature"),
    *(f"operating_point.default.{key}" for key in POINT),
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_any_value_in_any_place_is_a_fact_or_refused(place: str, value: object) -> None:
    text = json.dumps(changed(place, value)).encode()
    try:
        found = facts.parse(text, "a.watchword")
    except BundleError as refusal:
        assert str(refusal).isprintable()  # noqa: PT017 - either may happen
    else:
        assert found.keywords
