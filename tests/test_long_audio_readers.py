"""Recordings as they lie on disk: every format by hand, every refusal by its message."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from watchword.data.layouts import is_apart
from watchword.errors import ConfigError, DataError, WatchwordError
from watchword.long_audio.readers import read, write
from watchword.long_audio.reference import Event, Recording, Said

KEYWORDS = ["stop", "go", "no"]


def sound(path: Path, seconds: float = 2.0, rate_hz: int = 8_000) -> Path:
    """A file of a known length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate_hz), np.float32), rate_hz)
    return path


def text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def manifest(folder: Path, *records: dict[str, Any] | str) -> Path:
    """A manifest beside ``a.wav`` of two seconds and ``b.flac`` of three."""
    sound(folder / "a.wav")
    sound(folder / "b.flac", 3.0, 16_000)
    lines = (one if isinstance(one, str) else json.dumps(one) for one in records)
    return text(folder / "m.jsonl", *lines)


def only(path: Path) -> Recording:
    (one,) = read(path, KEYWORDS)
    return one


def refused(path: Path, message: str, **choice: Any) -> None:
    """Assert that a path is refused with a message of one line."""
    with pytest.raises(WatchwordError, match=re.escape(message)) as caught:
        read(path, KEYWORDS, **choice)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------ manifests


def test_a_manifest_tells_of_files_events_and_texts(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        {
            "audio": ["a.wav", "b.flac"],
            "name": "both",
            "duration_s": 5.05,
            "events": [
                {"keyword": "go", "start_s": 4, "end_s": 4.5},
                {"keyword": "STOP", "start_s": 0.5, "end_s": 0.9, "tags": {"snr_db": 10}},
            ],
            "said": [{"text": "so I say", "start_s": 1, "end_s": 3}],
            "tags": {"noise": "rain"},
        },
        "",
        {"audio": str(tmp_path / "sub" / ".." / "b.flac")},
    )
    (tmp_path / "sub").mkdir()
    first, second = read(path, KEYWORDS)
    assert first == Recording(
        name="both",
        files=(tmp_path / "a.wav", tmp_path / "b.flac"),
        duration_s=5.05,
        events=(Event("stop", 0.5, 0.9, {"snr_db": "10"}), Event("go", 4.0, 4.5)),
        said=(Said("so I say", 1.0, 3.0),),
        may_hold=False,
        tags={"noise": "rain"},
    )
    assert (second.name, second.duration_s) == (f"{tmp_path}/sub/../b", 3.0)


def test_lengths_come_from_the_headers_and_names_from_the_first_file(tmp_path: Path) -> None:
    sound(tmp_path / "in" / "day.1.wav", 0.25, 44_100)
    path = text(tmp_path / "m.jsonl", '{"audio": "in/day.1.wav"}')
    assert only(path) == Recording("in/day.1", (tmp_path / "in/day.1.wav",), 0.25, may_hold=True)


@pytest.mark.parametrize(
    ("told", "may_hold"),
    [
        ({}, True),
        ({"tags": {"a": "b"}}, True),
        ({"text": " - "}, True),
        ({"text": "all of it"}, False),
        ({"events": []}, False),
        ({"said": []}, False),
        ({"words": []}, False),
        ({"events": [], "may_hold_keywords": True}, True),
        ({"may_hold_keywords": False}, False),
    ],
)
def test_keywords_may_occur_where_nobody_said_what_does(
    tmp_path: Path, told: dict[str, Any], may_hold: bool
) -> None:
    assert only(manifest(tmp_path, {"audio": "a.wav", **told})).may_hold is may_hold


def test_words_with_times_give_events_and_homophones_excuse(tmp_path: Path) -> None:
    spoken = ["I", "KNOW", "stop-and-think", "No,", "stops", "Go!"]
    words = [
        {"word": word, "start_s": 0.25 * n, "end_s": 0.25 * n + 0.25}
        for n, word in enumerate(spoken)
    ]
    one = only(manifest(tmp_path, {"audio": "a.wav", "words": words, "text": "I know no go"}))
    assert one.events == (Event("no", 0.75, 1.0), Event("go", 1.25, 1.5))
    assert one.said == (Said("KNOW", 0.25, 0.5), Said("stop-and-think", 0.5, 0.75))


def test_a_manifest_of_nemo_is_read(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"audio_filepath": "a.wav", "duration": 2.0, "text": "no go area"})
    assert only(path).said == (Said("no go area", 0.0, 2.0),)
    assert only(path).events == ()


def test_a_text_is_not_used_where_its_words_have_times(tmp_path: Path) -> None:
    event = {"keyword": "go", "start_s": 1, "end_s": 1.5}
    assert only(manifest(tmp_path, {"audio": "a.wav", "events": [event], "text": "go"})).said == ()


def test_a_keyword_is_spelled_as_the_model_does(tmp_path: Path) -> None:
    words = [{"word": "hey computer", "start_s": 0, "end_s": 1}]
    path = manifest(tmp_path, {"audio": "a.wav", "words": words})
    assert read(path, ["Hey Computer"])[0].events == (Event("Hey Computer", 0.0, 1.0),)


def test_byte_order_marks_and_line_ends_of_windows_are_no_fault(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    path.write_bytes(b'\xef\xbb\xbf{"audio": "a.wav"}\r\n\r\n{"audio": "b.flac"}\r\n')
    assert [one.name for one in read(path, KEYWORDS)] == ["a", "b"]


def test_a_folder_with_a_manifest_is_read_by_it(tmp_path: Path) -> None:
    manifest(tmp_path, {"audio": "b.flac"}).rename(tmp_path / "manifest.jsonl")
    assert only(tmp_path).name == "b"


GO = {"keyword": "go", "start_s": 1, "end_s": 1.5}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is no JSON (Expecting property name enclosed in double quotes, column 2)"),
        ('{"audio": "a.wav"', "line 1 is no JSON"),
        ('{"audio": NaN}', "line 1 is no JSON (NaN is no number), needed one whole object on each"),
        ('{"audio": ' + "9" * 5_000 + "}", "line 1 is no JSON (Exceeds the limit"),
        ("[" * 200_000, "line 1 is no JSON (nested too deeply)"),
        ("[1, 2]", 'line 1 is [1, 2], needed an object such as {"audio": "a.wav"} on each line'),
        ({}, "line 1: there is no 'audio', needed the path of a sound file, or a list of paths"),
        ({"audio": []}, "line 1: 'audio' is [], needed the path of a sound file"),
        ({"audio": ["a.wav", 3]}, "'audio' is ['a.wav', 3], needed the path of a sound file"),
        ({"audio": " "}, "'audio' is ' ', needed the path of a sound file"),
        ({"audio": "a\n.wav"}, r"'audio' is 'a\n.wav', needed the path of a sound file"),
        ({"audio": "\ud800.wav"}, r"'audio' is '\ud800.wav', needed the path of a sound file"),
        ({"audio": "."}, "no such file, needed a sound file: mend the path"),
        ({"audio": "n" * 5_000}, "no such file, needed a sound file: mend the path"),
        (
            {"audio": "a.wav", "audio_filepath": "a.wav"},
            "line 1 has 'audio_filepath' and 'audio', which mean the same, needed one of them",
        ),
        (
            {"audio": "a.wav", "evnts": []},
            "line 1 has an unknown key 'evnts', needed one that is read: did you mean events?",
        ),
        ({"audio": "a.wav", "offset": 1.0}, "line 1 has an unknown key 'offset', needed one that"),
        ({"audio": "a.wav", "name": 3}, "'name' is 3, needed a text without control signs"),
        ({"audio": "a.wav", "name": "a\tb"}, r"'name' is 'a\tb', needed a text without control"),
        ({"audio": "a.wav", "text": 3}, "'text' is 3, needed a text"),
        ({"audio": "a.wav", "tags": ["a"]}, "'tags' is ['a'], needed an object of texts"),
        ({"audio": "a.wav", "tags": {"a": None}}, "'tags' is {'a': None}, needed an object of"),
        ({"audio": "a.wav", "tags": {"a": "\n"}}, r"'tags' is {'a': '\n'}, needed an object of"),
        ({"audio": "a.wav", "may_hold_keywords": 1}, "'may_hold_keywords' is 1, needed true or"),
        ({"audio": "a.wav", "duration_s": 0}, "'duration_s' is 0, needed more than 0 seconds"),
        ({"audio": "a.wav", "duration_s": "2"}, "'duration_s' is '2', needed a number of seconds"),
        (
            {"audio": "a.wav", "duration_s": 2_000},
            "a.wav with a duration of 2000 s, and its header says 2 s, needed the same in seconds: "
            "divide milliseconds by 1,000 or samples by their rate, or leave it out",
        ),
        ({"audio": "a.wav", "events": {}}, "'events' is {}, needed a list of objects with keyword"),
        ({"audio": "a.wav", "events": [3]}, "'events' is [3], needed a list of objects with key"),
        (
            {"audio": "a.wav", "events": [GO, {**GO, "end": 3}]},
            "line 1, events 2 has an unknown key 'end', needed one that is read: did you mean end_",
        ),
        ({"audio": "a.wav", "events": [{}]}, "events 1: there is no 'keyword', needed a text"),
        (
            {"audio": "a.wav", "events": [{**GO, "start_s": True}]},
            "events 1: 'start_s' is True, needed a number of seconds: mend the line",
        ),
        ({"audio": "a.wav", "events": [{**GO, "end_s": "1"}]}, "'end_s' is '1', needed a number"),
        ({"audio": "a.wav", "events": [{**GO, "end_s": None}]}, "'end_s' is None, needed a number"),
        ({"audio": "a.wav", "events": [{**GO, "end_s": 10**400}]}, "needed a number of seconds"),
        (
            '{"audio": "a.wav", "events": [{"keyword": "go", "start_s": 1, "end_s": 1e999}]}',
            "'end_s' is inf, needed a number of seconds",
        ),
        (
            {"audio": "a.wav", "events": [{**GO, "end_s": 1_500}]},
            "a: 'go' from 1 to 1500 s lies outside the recording, which lasts 2 s",
        ),
        (
            {"audio": "a.wav", "events": [{**GO, "keyword": "goo"}]},
            "a has an event 'goo', and the model does not know this keyword: did you mean go?",
        ),
        (
            {"audio": "a.wav", "said": [{"start_s": 0, "end_s": 1}]},
            "line 1, said 1: there is no 'text', needed a text",
        ),
        (
            {"audio": "a.wav", "words": [{"word": "go", "start": 0, "end_s": 1}]},
            "line 1, words 1 has an unknown key 'start', needed one that is read: did you mean sta",
        ),
        (
            {"audio": "a.wav", "events": [GO], "words": [{"word": "a", "start_s": 0, "end_s": 1}]},
            "line 1 has events and words, needed one of them, because events are made of words",
        ),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(
    tmp_path: Path, line: dict[str, Any] | str, message: str
) -> None:
    path = manifest(tmp_path, line)
    refused(path, message)
    with pytest.raises(DataError, match=re.escape(str(path))):
        read(path, KEYWORDS)


def test_a_fault_is_named_by_its_line(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"audio": "a.wav"}, "", {"audio": "c.wav"})
    refused(path, f"{path}: line 3 names {tmp_path / 'c.wav'}, no such file, needed a sound file")


def test_two_lines_of_one_name_are_refused(tmp_path: Path) -> None:
    refused(manifest(tmp_path, {"audio": "a.wav"}, {"audio": "a.wav"}), "two recordings are called")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(content)
    refused(path, f"{path} holds no recordings, needed one JSON object a line: check the path")


@pytest.mark.parametrize(
    ("content", "line"),
    [(b'{"audio": "a.wav"}\n{"audio": "\xe4.wav"}\n', 2), ('{"a": 1}'.encode("utf-16"), 1)],
)
def test_what_is_not_utf8_is_refused(tmp_path: Path, content: bytes, line: int) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(content)
    refused(path, f"{path}: line {line} is not UTF-8, needed text in UTF-8: save it again in this")


def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = manifest(tmp_path, {"audio": "a.wav"})
    monkeypatch.setattr(Path, "read_bytes", deny)
    refused(path, f"{path} cannot be read (Permission denied), needed a file that one may read")


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    text(tmp_path / "c.wav", "no sound")
    path = manifest(tmp_path, {"audio": "c.wav"})
    refused(path, f"line 1 names {tmp_path / 'c.wav'}, which cannot be decoded (")
    sound(tmp_path / "c.wav", 0.0)
    refused(path, "c.wav, which holds no samples, needed audio of a known length")


def test_a_header_that_does_not_know_its_length_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Piped:
        frames, samplerate = 2**63 - 1, 16_000

    path = manifest(tmp_path, {"audio": "b.flac"})
    monkeypatch.setattr(soundfile, "info", lambda _file: Piped)
    refused(path, "b.flac, which does not say how long it is, needed audio of a known length")


# --------------------------------------------------------------------------- written, read again


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    inside, outside = tmp_path / "out" / "x" / "ä.wav", tmp_path / "b.wav"
    recordings = (
        Recording(
            "mix-1",
            (sound(inside), sound(outside, 1.0)),
            3.0,
            (Event("go", 0.1, 0.5, {"speaker": "ab"}), Event("stop", 0.25, 1 / 3)),
            (Said("line\nbreak, „so“", 1.0, 2.0),),
            tags={"noise": "rain"},
        ),
        Recording("mix-2", (outside,), 1.0, may_hold=True),
        Recording("mix-3", (outside,), 1.0),
    )
    path = tmp_path / "out" / "m.jsonl"
    write(path, recordings)
    assert read(path, KEYWORDS) == recordings
    audio = [json.loads(line)["audio"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert audio == [["x/ä.wav", str(outside)], str(outside), str(outside)]


def test_a_folder_can_be_moved_with_its_manifest(tmp_path: Path) -> None:
    file = sound(tmp_path / "old" / "a.wav")
    write(tmp_path / "old" / "m.jsonl", [Recording("a", (file,), 2.0)])
    (tmp_path / "old").rename(tmp_path / "new")
    assert only(tmp_path / "new" / "m.jsonl").files == (tmp_path / "new" / "a.wav",)


def test_a_path_from_here_is_written_from_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound(tmp_path / "out" / "a.wav")
    monkeypatch.chdir(tmp_path)
    write(Path("out/m.jsonl"), [Recording("a", (Path("out/a.wav"),), 2.0)])
    assert only(Path("out/m.jsonl")).files == (Path("out/a.wav"),)


def test_numbers_of_numpy_are_written_as_numbers(tmp_path: Path) -> None:
    event = Event("go", np.float32(0.5), np.float32(1.0))
    one = Recording("a", (sound(tmp_path / "a.wav"),), np.float32(2.0), (event,))
    write(tmp_path / "m.jsonl", [one])
    assert only(tmp_path / "m.jsonl").events == (Event("go", 0.5, 1.0),)


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = text(tmp_path / "m.jsonl", "before")
    with pytest.raises(DataError, match=r"'go' from 1 to 9 s lies outside"):
        write(path, [Recording("a", (), 2.0, (Event("go", 1, 9),))])
    assert path.read_text() == "before\n"


TIMES = st.floats(0.0, 1.9)
SPANS = st.tuples(TIMES, TIMES).filter(lambda two: two[0] != two[1]).map(sorted)
SAID = st.builds(lambda words, span: Said(words, *span), st.text(), SPANS)
PRINTED = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=PRINTED,
    spans=st.dictionaries(st.sampled_from(KEYWORDS), SPANS),
    said=st.lists(SAID, max_size=3),
    tags=st.dictionaries(PRINTED, PRINTED, max_size=2),
    may_hold=st.booleans(),
)
def test_any_recording_is_read_as_it_was_written(
    tmp_path: Path,
    name: str,
    spans: dict[str, list[float]],
    said: list[Said],
    tags: dict[str, str],
    may_hold: bool,
) -> None:
    file = tmp_path / "a.wav"
    if not file.exists():
        sound(file)
    events = sorted(
        (Event(word, *span, tags) for word, span in spans.items()),
        key=lambda one: (one.start_s, one.end_s),
    )
    texts = sorted(said, key=lambda one: (one.start_s, one.end_s))
    one = Recording(name, (file,), 2.0, tuple(events), tuple(texts), may_hold, tags)
    write(tmp_path / "m.jsonl", [one])
    assert only(tmp_path / "m.jsonl") == one


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["keyword", "start_s", "end_s", "word", "text", "tags"]), inner
        )
    ),
    max_leaves=8,
)
LINES = (
    st.dictionaries(
        st.sampled_from(
            ["name", "duration_s", "events", "said", "words", "text", "may_hold_keywords", "tags"]
        )
        | st.text(max_size=3),
        VALUES,
        max_size=4,
    )
    .map(lambda told: json.dumps({"audio": "a.wav", **told}).encode())
    .flatmap(lambda line: st.just(line) | st.just(line[:-3]))
)


@settings(max_examples=100, deadline=None, suppress_health_check=[*HealthCheck])
@given(content=LINES | st.binary(max_size=60))
@example(content=b'{"audio": "\x00"}')
@example(content=b'{"audio": "a\\u0000.wav"}')
@example(content=b'{"audio": "' + b"../" * 3_000 + b'"}')
def test_whatever_a_manifest_holds_it_is_read_or_refused_in_one_line(
    tmp_path: Path, content: bytes
) -> None:
    if not (tmp_path / "a.wav").exists():
        sound(tmp_path / "a.wav")
    (tmp_path / "m.jsonl").write_bytes(content)
    found: tuple[Recording, ...] = ()
    message = ""
    try:
        found = read(tmp_path / "m.jsonl", KEYWORDS)
    except (DataError, ConfigError) as error:
        message = str(error)
    assert len(message.splitlines()) == (0 if found else 1)


# ------------------------------------------------------------------------------ tables of events


def test_a_table_gives_recordings_in_order_of_first_mention(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    sound(tmp_path / "in" / "b.wav", 3.0)
    path = text(
        tmp_path / "events.csv",
        "file,keyword,start_s,end_s,speaker,note",
        "in/b.wav,go,2.0,2.5,ann,",
        "a.wav,,,,,",
        'in/b.wav,Stop,"0,5",9e-1,,loud',
    )
    assert read(path, KEYWORDS) == (
        Recording(
            "in/b",
            (tmp_path / "in/b.wav",),
            3.0,
            (Event("stop", 0.5, 0.9, {"note": "loud"}), Event("go", 2.0, 2.5, {"speaker": "ann"})),
        ),
        Recording("a", (tmp_path / "a.wav",), 2.0),
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "holds no recordings, needed a header and lines of file, keyword, start_s, end_s"),
        (["file,keyword,start_s,end_s"], "holds no recordings, needed a header and lines of"),
        (
            ["path,keyword", "a.wav,go"],
            "has the columns 'path', 'keyword', needed file, keyword, start_s, end_s of events, or "
            "file and split of a corpus: name them in its first line",
        ),
        (
            ["file,keyword,start_s,end_s", "a.wav,go,1,x"],
            "line 2: end_s is 'x', needed a number of seconds",
        ),
        (
            ["file,keyword,start_s,end_s", "a.wav,go,nan,1"],
            "line 2: start_s is 'nan', needed a num",
        ),
        (
            ["file,keyword,start_s,end_s", "a.wav,go,1_0,1"],
            "line 2: start_s is '1_0', needed a num",
        ),
        (["file,keyword,start_s,end_s", "a.wav,go,1"], "line 2: end_s is '', needed a number of"),
        (["file,keyword,start_s,end_s", "a.wav,go,1,1e999"], "'go' from 1 to inf s does not end"),
        (
            ["file,keyword,start_s,end_s", "a.wav,go,1,0,1,5"],
            "line 2 has more values than the header has columns, needed one for each: put values",
        ),
        (
            ["file,keyword,start_s,end_s", 'a.wav,"go"x,1,2'],
            "line 2 is no line of a CSV file (',' expected after '\"'), needed values with commas",
        ),
        (
            ["file,keyword,start_s,end_s", ",go,1,2"],
            "line 2 names '', needed the path of a sound file without control signs",
        ),
        (
            ["file,keyword,start_s,end_s", "a.wav,,,", "c.wav,go,1,2"],
            "line 3 names",
        ),
        (["file,keyword,start_s,end_s", "a.wav,walk,1,2"], "a has an event 'walk', and the model"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    sound(tmp_path / "a.wav")
    refused(text(tmp_path / "events.csv", *lines), message)


@pytest.mark.parametrize(
    "header", ["file,keyword,start_s,end_s", "file,keyword,start_s,end_s,split"]
)
def test_a_table_of_events_is_not_passed_over_in_its_folder(tmp_path: Path, header: str) -> None:
    sound(tmp_path / "a.wav")
    table = text(tmp_path / "events.csv", header, "a.wav,go,1,1.5")
    refused(
        tmp_path,
        f"{tmp_path} holds events.csv, a table of events, needed a list of the corpus or sound "
        f"files alone: name {table} itself",
    )
    text(tmp_path / "list.csv", "file,split", "a.wav,test")
    assert only(tmp_path).may_hold


# -------------------------------------------------------------------------------------- corpora

HEADER = "file,split,seconds,speaker,sex,note,chapter,index,transcript"


def corpus(folder: Path, *rows: str) -> Path:
    """A corpus whose files last a second and a half each."""
    for row in rows:
        sound(folder / row.split(",")[0], 1.5)
    return text(folder / "utterances.csv", HEADER, *rows)


def test_sentences_of_a_chapter_are_joined_up_to_a_gap(tmp_path: Path) -> None:
    path = corpus(
        tmp_path,
        "c/2.wav,test,9,ls1,F,x,7,2,STOP IT",
        "c/0.wav,test,9,ls1,F,x,7,0,GO ON",
        "c/1.wav,test,9,ls1,F,y,7,1,MISTER NOBODY",
        "c/10.wav,test,9,ls1,F,x,7,10,ELSEWHERE",
        "d/0.wav,valid,9,ls2,M,,7,3,ANOTHER SPEAKER",
    )
    first, gap, other = read(path, KEYWORDS)
    assert first == Recording(
        name="c/0",
        files=tuple(tmp_path / f"c/{n}.wav" for n in range(3)),
        duration_s=4.5,
        said=(
            Said("GO ON", 0.0, 1.5),
            Said("MISTER NOBODY", 1.5, 3.0),
            Said("STOP IT", 3.0, 4.5),
        ),
        tags={"speaker": "ls1", "sex": "F"},
    )
    assert (gap.name, gap.said, gap.tags["note"]) == ("c/10", (Said("ELSEWHERE", 0, 1.5),), "x")
    assert (other.name, other.tags) == ("d/0", {"speaker": "ls2", "sex": "M"})


def test_a_chapter_that_two_splits_share_is_two_recordings(tmp_path: Path) -> None:
    path = corpus(tmp_path, "0.wav,test,9,ls1,F,,7,0,a", "1.wav,valid,9,ls1,F,,7,1,b")
    assert [one.name for one in read(path, KEYWORDS)] == ["0", "1"]


def test_without_chapter_each_file_is_a_recording(tmp_path: Path) -> None:
    for name in ("a.wav", "in/b.wav"):
        sound(tmp_path / name)
    text(
        tmp_path / "noise.csv",
        "file,split,scene,licence",
        f"a.wav,train,rain,{'CC ' * 40}",
        "in/b.wav,training,dog,CC0",
    )
    assert read(tmp_path, KEYWORDS, split="train") == (
        Recording("a", (tmp_path / "a.wav",), 2.0, may_hold=True, tags={"scene": "rain"}),
        Recording(
            "in/b",
            (tmp_path / "in/b.wav",),
            2.0,
            may_hold=True,
            tags={"scene": "dog", "licence": "CC0"},
        ),
    )


def test_a_sentence_without_transcript_may_hold_keywords(tmp_path: Path) -> None:
    path = corpus(tmp_path, "0.wav,test,9,ls1,F,,7,0,so", "1.wav,test,9,ls1,F,,7,1, ")
    (one,) = read(path, KEYWORDS)
    assert (one.may_hold, one.said) == (True, (Said("so", 0.0, 1.5),))


def test_lists_that_are_named_like_splits_are_read_together(tmp_path: Path) -> None:
    for split, name in (("test", "a.wav"), ("dev", "b.wav")):
        sound(tmp_path / name)
        text(tmp_path / f"{split}.csv", "file,class", f"{name},go")
    assert [one.name for one in read(tmp_path, KEYWORDS)] == ["b", "a"]
    assert [one.name for one in read(tmp_path, KEYWORDS, split="valid")] == ["b"]
    assert [one.name for one in read(tmp_path / "test.csv", KEYWORDS)] == ["a"]


def test_a_split_chooses_and_apart_keeps_speakers_that_training_left(tmp_path: Path) -> None:
    speakers = [f"ls{n}" for n in range(12)]
    rows = (f"{who}.wav,{'test' if who == 'ls11' else 'valid'},9,{who},F,,,,a" for who in speakers)
    path = corpus(tmp_path, *rows)
    kept = [who for who in speakers if is_apart(who, 0.4) and who != "ls11"]
    assert 0 < len(kept) < 11
    found = read(path, KEYWORDS, split="valid", apart=0.4)
    assert [one.tags["speaker"] for one in found] == kept
    assert len(read(path, KEYWORDS, split="valid", apart=1)) == 11


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1.wav,test,9,ls1,F,,7,,a", "line 3 has the index '', needed a whole number, the place"),
        ("1.wav,test,9,ls1,F,,7,1.5,a", "line 3 has the index '1.5', needed a whole number"),
        ("1.wav,test,9,ls1,F,,7,0,a", "line 3 has the index 0 of 0.wav again, needed one for each"),
        ("1.wav,other,9,ls1,F,,7,1,a", "line 3 has the split 'other', needed train, valid or"),
        ("0.wav,test,9,ls1,F,,7,1,a", "line 3 lists 0.wav again, needed each file once"),
        ("1.wav,test,9,ls1,F,,7,1,a, b", "line 3 has more values than the header has columns"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(tmp_path: Path, row: str, message: str) -> None:
    refused(corpus(tmp_path, "0.wav,test,9,ls1,F,,7,0,a", row), message)


def test_a_file_that_a_list_names_and_nobody_has_is_refused(tmp_path: Path) -> None:
    path = corpus(tmp_path, "0.wav,test,9,ls1,F,,,,a", "1.wav,test,9,ls1,F,,,,a")
    (tmp_path / "1.wav").unlink()
    refused(tmp_path, f"{path}: line 3 names {tmp_path / '1.wav'}, no such file")


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"split": "test"}, DataError, "lists no test recording, found valid 2, needed some that"),
        ({"apart": 0.0}, ConfigError, "a share of 0 of the speakers was asked for, needed above"),
        ({"apart": 1.5}, ConfigError, "a share of 1.5 of the speakers was asked for, needed above"),
        ({"apart": 1e-9}, DataError, "has nobody apart among its 2 speakers at a share of 1e-09"),
    ],
)
def test_a_choice_that_leaves_nothing_is_refused(
    tmp_path: Path, choice: dict[str, Any], error: type[WatchwordError], message: str
) -> None:
    path = corpus(tmp_path, "0.wav,valid,9,ls1,F,,,,a", "1.wav,valid,9,ls2,F,,,,a")
    with pytest.raises(error, match=re.escape(message)):
        read(path, KEYWORDS, **choice)


def test_speakers_apart_are_refused_where_a_list_tells_of_none(tmp_path: Path) -> None:
    path = corpus(tmp_path, "0.wav,valid,9,,F,,,,a")
    with pytest.raises(ConfigError, match=r"which tells of no speaker, needed the column speaker"):
        read(path, KEYWORDS, apart=0.5)


@pytest.mark.parametrize("choice", [{"split": "test"}, {"apart": 0.2}])
@pytest.mark.parametrize("name", ["", "a.wav", "m.jsonl", "events.csv"])
def test_a_choice_is_refused_where_no_list_tells_of_it(
    tmp_path: Path, name: str, choice: dict[str, Any]
) -> None:
    manifest(tmp_path, {"audio": "a.wav"})
    if name == "events.csv":
        text(tmp_path / name, "file,keyword,start_s,end_s,split", "a.wav,,,,test")
    with pytest.raises(ConfigError, match=r"which has no list that tells it, needed a CSV file"):
        read(tmp_path / name, KEYWORDS, **choice)


# ------------------------------------------------------------------ sound files and their labels


def test_a_folder_gives_its_sound_files_sorted_with_labels_beside_them(tmp_path: Path) -> None:
    for name in ("b.WAV", "a.flac", "in/c.ogg", ".hidden/d.wav", ".e.wav", "in/f.wav"):
        sound(tmp_path / name)
    text(tmp_path / "README.md", "no sound")
    text(tmp_path / "b.txt", "1,5\t1,9\tSTOP 0.93", r"\\" + "\t100\t900", "", "0.25\t0.5\tgo")
    text(tmp_path / "in" / "f.ctm", ";; made by hand", "f A 0.5 0.25 know 0.9", "f A 1 0.5 Go")
    (tmp_path / "a.txt").touch()
    assert read(tmp_path, KEYWORDS) == (
        Recording("a", (tmp_path / "a.flac",), 2.0),
        Recording(
            "b", (tmp_path / "b.WAV",), 2.0, (Event("go", 0.25, 0.5), Event("stop", 1.5, 1.9))
        ),
        Recording("in/c", (tmp_path / "in/c.ogg",), 2.0, may_hold=True),
        Recording(
            "in/f",
            (tmp_path / "in/f.wav",),
            2.0,
            (Event("go", 1.0, 1.5),),
            (Said("know", 0.5, 0.75),),
        ),
    )


def test_one_sound_file_is_a_recording(tmp_path: Path) -> None:
    file = sound(tmp_path / "a.b.wav")
    assert only(file) == Recording("a.b", (file,), 2.0, may_hold=True)
    text(tmp_path / "a.b.txt", "0.5\t1\tgo")
    assert only(file) == Recording("a.b", (file,), 2.0, (Event("go", 0.5, 1.0),))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("so we began", "a.txt: line 2 is 'so we began', needed start, end and keyword with tabs"),
        ("1\t2\t ", r"a.txt: line 2 is '1\t2\t ', needed start, end and keyword with tabs"),
        ("1\t2", r"a.txt: line 2 is '1\t2', needed start, end and keyword with tabs"),
        ("one\t2\tgo", "a.txt: line 2: start is 'one', needed a number of seconds"),
        ("1\t1.5 s\tgo", "a.txt: line 2: end is '1.5 s', needed a number of seconds"),
        (
            "0.93\t0.93\tstop 0.93",
            "a.txt: line 2 is a label without length at 0.93 s, as detections have that 'watchword "
            "spot --labels' writes, and no reference, needed start and end of the word",
        ),
        (
            "1\t1.5\tStopp!",
            "a has an event 'stopp!', and the model does not know this keyword: did",
        ),
        ("1.5\t1\tgo", "a: 'go' from 1.5 to 1 s does not end after it starts"),
        ("1000\t1500\tgo", "a: 'go' from 1000 to 1500 s lies outside the recording"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(tmp_path: Path, line: str, message: str) -> None:
    text(tmp_path / "a.txt", "0\t0.5\tno", line)
    refused(sound(tmp_path / "a.wav"), message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a 1 0.5 go", "a.ctm: line 2 is 'a 1 0.5 go', needed name, channel, start, duration and"),
        ("a 1 * * go", "a.ctm: line 2: start is '*', needed a number of seconds"),
        ("a 1 0.5 - go", "a.ctm: line 2: duration is '-', needed a number of seconds"),
        ("b 1 0.5 0.1 go", "a.ctm: line 2 is of another recording (a and b), needed the words of"),
        ("a 1 0.5 0 go", "a: 'go' from 0.5 to 0.5 s does not end after it starts"),
    ],
)
def test_a_transcript_that_cannot_be_meant_is_refused(
    tmp_path: Path, line: str, message: str
) -> None:
    text(tmp_path / "a.ctm", "a 1 0 0.5 hello", line)
    refused(sound(tmp_path / "a.wav"), message)


def test_labels_and_a_transcript_of_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / "a.ctm").touch()
    refused(sound(tmp_path / "a.wav"), "a.wav has a.txt and a.ctm beside it, needed one that tells")


def test_two_sound_files_that_differ_in_their_suffix_are_refused(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    sound(tmp_path / "a.flac")
    refused(tmp_path, "two recordings are called a, needed a name for each")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "is no file and no folder, needed a .jsonl manifest, a .csv table, a sound"),
        ("no.jsonl", "is no file and no folder, needed a .jsonl manifest, a .csv table, a sound"),
        ("labels.txt", "is no format of recordings, needed a .jsonl manifest, a .csv table, a"),
        (
            "empty",
            "holds no recordings, needed .wav, .flac, .ogg, .opus files, manifest.jsonl or a",
        ),
        ("sound.mp3", "sound.mp3, which cannot be decoded ("),
    ],
)
def test_a_path_that_names_no_recordings_is_refused(
    tmp_path: Path, name: str, message: str
) -> None:
    text(tmp_path / "labels.txt", "0\t1\tgo")
    text(tmp_path / "sound.mp3", "no sound")
    (tmp_path / "empty" / ".hidden").mkdir(parents=True)
    refused(tmp_path / name, message)
