from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from watchword.data.check import CheckReport, Finding, check_folder
from watchword.errors import DataError


def write(path: Path, seed: int, rate_hz: int = 16_000) -> None:
    """Write half a second of noise that no other seed gives."""
    noise = np.random.default_rng(seed).integers(-16_384, 16_384, rate_hz // 2, dtype=np.int16)
    put(path, noise, rate_hz)


def put(path: Path, samples: np.ndarray, rate_hz: int = 16_000, **kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, **kind)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus without a fault: one speaker in each split, and a noise."""
    write(tmp_path / "yes/067f61e2_nohash_0.wav", 1)  # valid
    write(tmp_path / "yes/cd85758f_nohash_0.wav", 2)  # test
    write(tmp_path / "yes/0132a06d_nohash_0.wav", 3)  # train
    write(tmp_path / "_background_noise_/tap.wav", 4)
    return tmp_path


def only(report: CheckReport) -> Finding:
    """The one finding there should be."""
    (finding,) = report.findings
    return finding


def test_a_corpus_without_a_fault_is_clean(corpus: Path) -> None:
    report = check_folder(corpus)
    assert report.is_clean
    assert (report.layout, report.utterances, report.backgrounds) == ("commands", 3, 1)
    assert (report.errors, report.warnings, report.rows()) == ((), (), [])


def test_a_file_that_cannot_be_decoded_is_an_error(corpus: Path) -> None:
    (corpus / "yes/0132a06d_nohash_1.wav").write_text("no sound at all")
    finding = only(check_folder(corpus))
    assert (finding.kind, finding.severity) == ("unreadable", "error")
    assert finding.name == "yes/0132a06d_nohash_1.wav"
    assert finding.detail.startswith("cannot be decoded")


def test_a_listed_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "yes/1.wav", 1)
    (tmp_path / "train.csv").write_text("file,class\nyes/1.wav,yes\nyes/2.wav,yes\n")
    finding = only(check_folder(tmp_path))
    assert (finding.kind, finding.name) == ("unreadable", "yes/2.wav")
    assert finding.detail.startswith("no such file")


def test_files_without_samples_are_errors(corpus: Path) -> None:
    (corpus / "yes/0132a06d_nohash_1.wav").touch()
    put(corpus / "yes/0132a06d_nohash_2.wav", np.zeros(0))
    put(corpus / "yes/0132a06d_nohash_3.wav", np.zeros(1), 192_000)
    findings = check_folder(corpus).errors
    assert [finding.kind for finding in findings] == ["empty"] * 3
    assert [finding.detail.split(",")[0] for finding in findings] == [
        "the file is empty (0 bytes)",
        "no samples found",
        "too short to be resampled from 192",
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf, 20_000.0])
def test_values_that_are_no_audio_are_an_error(corpus: Path, value: float) -> None:
    put(corpus / "yes/0132a06d_nohash_1.wav", np.array([0.0, value]), subtype="FLOAT")
    finding = only(check_folder(corpus))
    assert (finding.kind, finding.severity) == ("values", "error")


def test_another_rate_and_more_channels_are_warnings_that_say_what_is_done(corpus: Path) -> None:
    write(corpus / "yes/0132a06d_nohash_1.wav", 5, rate_hz=44_100)
    put(corpus / "yes/0132a06d_nohash_2.wav", np.random.default_rng(6).uniform(-0.5, 0.5, (99, 2)))
    report = check_folder(corpus)
    assert report.errors == ()
    assert [(finding.kind, finding.detail) for finding in report.warnings] == [
        ("rate", "44,100 Hz, converted to 16,000 Hz with soxr"),
        ("channels", "2 channels, averaged to one"),
    ]


def test_digital_silence_is_a_warning_and_no_duplicate(corpus: Path) -> None:
    for take in (1, 2):
        put(corpus / f"yes/0132a06d_nohash_{take}.wav", np.zeros(12_000))
    report = check_folder(corpus)
    assert [(finding.kind, finding.severity) for finding in report.findings] == [
        ("silence", "warning"),
        ("silence", "warning"),
    ]
    assert report.findings[0].detail == "0.75 s of digital silence"


def test_a_flat_top_is_clipping_and_a_lonely_peak_is_not(corpus: Path) -> None:
    peak = np.full(1_000, 0.1)
    peak[[10, 20, 21]] = 1.0
    put(corpus / "yes/0132a06d_nohash_1.wav", peak)
    flat = peak.copy()
    flat[100:105] = -1.0
    put(corpus / "yes/0132a06d_nohash_2.wav", flat)
    finding = only(check_folder(corpus))
    assert (finding.kind, finding.name) == ("clipping", "yes/0132a06d_nohash_2.wav")
    assert finding.detail == "5 samples clipped (0.5%)"


def test_clipping_is_counted_in_each_channel_by_itself(corpus: Path) -> None:
    flat = np.full((1_000, 2), 0.1)
    flat[100:102, 0] = 1.0  # two in a row are no flat top, not even beside two in the other channel
    flat[102:104, 1] = 1.0
    flat[997:, 1] = 1.0
    put(corpus / "yes/0132a06d_nohash_1.wav", flat)
    details = {finding.kind: finding.detail for finding in check_folder(corpus).findings}
    assert details["clipping"] == "3 samples clipped (0.1%)"


def test_the_same_audio_in_one_split_is_a_warning(corpus: Path) -> None:
    # FLAC is lossless, so the copy has the same samples
    write(corpus / "no/0132a06d_nohash_7.flac", 3)
    finding = only(check_folder(corpus))
    assert (finding.kind, finding.severity) == ("duplicate", "warning")
    assert finding.name == "yes/0132a06d_nohash_0.wav"
    assert finding.detail == "the same audio as no/0132a06d_nohash_7.flac"


def test_the_same_audio_in_two_splits_is_an_error(corpus: Path) -> None:
    write(corpus / "yes/067f61e2_nohash_5.wav", 3)
    finding = only(check_folder(corpus))
    assert (finding.kind, finding.severity) == ("leak", "error")
    assert finding.name == "yes/067f61e2_nohash_5.wav"
    assert finding.detail == "in valid, but the same audio as yes/0132a06d_nohash_0.wav in train"


def test_a_speaker_in_two_splits_is_an_error(corpus: Path) -> None:
    for take, seed in ((1, 10), (2, 11)):
        write(corpus / f"yes/0132a06d_nohash_{take}.wav", seed)
    (corpus / "validation_list.txt").write_text("yes/0132a06d_nohash_2.wav\n")
    (corpus / "testing_list.txt").touch()
    finding = only(check_folder(corpus))
    assert (finding.kind, finding.severity) == ("speaker", "error")
    assert finding.name == "yes/0132a06d_nohash_2.wav"
    assert finding.detail == "speaker 0132a06d is in two splits: 2 in train, 1 in valid"


def test_noise_recordings_are_checked_too(corpus: Path) -> None:
    (corpus / "_background_noise_/bad.wav").touch()
    assert only(check_folder(corpus)).name == "_background_noise_/bad.wav"


def test_a_report_is_a_table_and_plain_types(corpus: Path) -> None:
    for take in (1, 2):
        put(corpus / f"yes/0132a06d_nohash_{take}.wav", np.zeros(16_000))
    (corpus / "yes/0132a06d_nohash_3.wav").touch()
    report = check_folder(corpus)
    assert not report.is_clean
    assert [row[:4] for row in report.rows()] == [
        ("empty", "error", 1, "yes/0132a06d_nohash_3.wav"),
        ("silence", "warning", 2, "yes/0132a06d_nohash_1.wav"),
    ]
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["counts"] == {"empty": 1, "silence": 2}
    assert (plain["errors"], plain["warnings"], plain["is_clean"]) == (1, 2, False)
    assert plain["findings"][1] == {
        "kind": "silence",
        "severity": "warning",
        "name": "yes/0132a06d_nohash_1.wav",
        "detail": "1.00 s of digital silence",
    }


def test_progress_counts_every_file(corpus: Path) -> None:
    seen: list[tuple[int, int]] = []
    check_folder(corpus, lambda done, of: seen.append((done, of)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_folder_that_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no utterances found"):
        check_folder(tmp_path)
