from __future__ import annotations

from pathlib import Path

import pytest

from watchword.data import layouts
from watchword.data.commands import hash_percent, which_split
from watchword.data.layouts import tree_utterances
from watchword.data.utterance import Utterance
from watchword.errors import DataError


def test_lists_give_word_and_split_and_names_give_speakers(tmp_path: Path) -> None:
    takes = [(speaker, take) for speaker in ("0001", "0002", "0003") for take in (1, 2)]
    rows = [f"zoom in/{speaker}_NO_0{take}.wav,zoom in" for speaker, take in takes]
    (tmp_path / "train.csv").write_text("\n".join(["file,class", *rows[:4]]))
    (tmp_path / "val.csv").write_text("\n".join(["file,class", *rows[4:]]))
    found = layouts.listed_utterances(tmp_path, layouts.find_lists(tmp_path))
    assert found == [
        Utterance(
            f"zoom in/{speaker}_NO_0{take}.wav",
            "zoom in",
            speaker,
            "valid" if speaker == "0003" else "train",
        )
        for speaker, take in takes
    ]


def test_one_list_may_have_columns_for_split_and_speaker(tmp_path: Path) -> None:
    (tmp_path / "licences.csv").write_text("corpus,licence\na,CC0\n")
    (tmp_path / "utterances.csv").write_text(
        "file,split,seconds,speaker\nbook/1/a.wav,valid,3,ls1\nbook/2/b.wav,testing,4,ls2\n",
        encoding="utf-8-sig",
    )
    found = layouts.listed_utterances(tmp_path, layouts.find_lists(tmp_path))
    assert found == [
        Utterance("book/1/a.wav", "_unknown_", "ls1", "valid"),
        Utterance("book/2/b.wav", "_unknown_", "ls2", "test"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.wav,yes\n", r"line 2 names no file, needed the column 'file'"),
        ("file,class\na.wav,yes\na.wav,no\n", r"line 3 lists a\.wav again, needed each file once"),
        ("file,class\n../a.wav,yes\n", r"line 2 names \.\./a\.wav, needed a path inside"),
        ("file,class\n/a.wav,yes\n", r"line 2 names /a\.wav, needed a path inside"),
        ("file,class,split\na.wav,yes,dunno\n", r"has the split 'dunno', needed train, valid or"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        layouts.listed_utterances(tmp_path, layouts.find_lists(tmp_path))


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(b"file,class\n\xff\xfe")
    with pytest.raises(DataError, match=r"train\.csv: cannot be read .+ CSV file in UTF-8"):
        layouts.listed_utterances(tmp_path, layouts.find_lists(tmp_path))


def test_folders_named_like_splits_decide() -> None:
    found = layouts.split_folder_utterances(
        [("train", {"yes": ["training/yes/a.wav"]}), ("valid", {"no": ["val/no/b.wav"]})]
    )
    assert found == [
        Utterance("training/yes/a.wav", "yes", None, "train"),
        Utterance("val/no/b.wav", "no", None, "valid"),
    ]


def told(*names: str) -> list[str | None]:
    return list(layouts.tell_speakers((name, name.split("/")[0]) for name in names).values())


def test_a_prefix_that_words_share_is_a_speaker() -> None:
    names = [f"{word}/{who}_{word}_1.wav" for who in ("anna", "ben", "carl") for word in ("a", "b")]
    assert told(*names) == ["anna", "anna", "ben", "ben", "carl", "carl"]


def test_a_prefix_of_one_file_is_no_speaker() -> None:
    names = [f"{word}/{who}_1.wav" for who in ("anna", "ben", "carl") for word in ("a", "b")]
    assert told(*names, "a/guest_1.wav")[-1] is None


@pytest.mark.parametrize(
    "names",
    [
        ["yes/yes_1.wav", "yes/yes_2.wav", "no/no_1.wav", "no/no_2.wav"],  # the label itself
        ["yes/rec_1.wav", "yes/rec_2.wav", "no/rec_1.wav", "no/rec_2.wav"],  # one prefix for all
        [f"{w}/{w}clip_{n}.wav" for w in "abc" for n in (1, 2)],  # a prefix for each label
        ["yes/anna_first.wav", "no/anna_second.wav"],  # no number at the end
        ["yes/1.wav", "yes/2.wav"],
    ],
)
def test_names_that_tell_of_no_speaker_give_none(names: list[str]) -> None:
    assert told(*names) == [None] * len(names)


def test_in_a_tree_a_speaker_is_in_one_split_only() -> None:
    people = [f"p{number}" for number in range(60)]
    names = {word: [f"{word}/{who}_{word}_1.wav" for who in people] for word in ("yes", "no")}
    found = layouts.tree_utterances(names)
    splits = {who: {u.split for u in found if u.speaker == who} for who in people}
    assert all(len(of_speaker) == 1 for of_speaker in splits.values())
    assert {u.split for u in found} == {"train", "valid", "test"}


def test_a_clip_stays_in_its_split_when_others_are_added() -> None:
    few = {"yes": [f"yes/{number}.wav" for number in range(200)]}
    more = {**few, "no": [f"no/{number}.wav" for number in range(200)]}
    before = {u.name: u.split for u in layouts.tree_utterances(few)}
    after = {u.name: u.split for u in layouts.tree_utterances(more)}
    assert {name: after[name] for name in before} == before


def test_three_speakers_are_enough_for_three_splits() -> None:
    names = {word: [f"{word}/{who}_1.wav" for who in ("a1", "b1", "c1")] for word in ("yes", "no")}
    found = layouts.tree_utterances(names)
    assert {u.split for u in found} == {"train", "valid", "test"}
    assert all(len({u.split for u in found if u.speaker == who}) == 1 for who in ("a1", "b1", "c1"))


def test_who_stands_in_for_an_empty_split_is_the_nearest_in_hash_order_whoever_else_is_added() -> (
    None
):
    few = [f"spk{number}" for number in range(60) if which_split(f"spk{number}") == "train"][:6]
    nearest = min(few, key=hash_percent)
    farther = [f"aa{n}" for n in range(60) if hash_percent(f"aa{n}") > hash_percent(nearest)][:5]
    for speakers in (few, [*farther, *few]):
        names = {"yes": [f"yes/{speaker}_nohash_{i}.wav" for speaker in speakers for i in (0, 1)]}
        found = {said.speaker: said.split for said in tree_utterances(names)}
        assert found[nearest] == "valid"
        assert list(found.values()).count("valid") == 1


def test_a_share_of_the_speakers_is_apart_and_nobody_moves_as_it_grows() -> None:
    people = [f"speaker {number}" for number in range(2_000)]
    before: set[str] = set()
    for share in (0.0, 0.1, 0.25, 0.5, 1.0):
        apart = {name for name in people if layouts.is_apart(name, share)}
        assert before <= apart
        # a binomial of 2,000 deviates by at most 1.1 % from its share; four times that is no chance
        assert len(apart) / len(people) == pytest.approx(share, abs=0.045)
        before = apart
    assert len(before) == len(people)


def test_who_is_apart_follows_the_hash_rule_of_speech_commands_alone() -> None:
    for name in ("ls1272", "ls1673", "ann", "bob"):
        percent = hash_percent(name)
        assert layouts.is_apart(name, percent / 100 + 1e-6)
        assert not layouts.is_apart(name, percent / 100 - 1e-6)


def test_somebody_without_a_name_is_never_apart() -> None:
    assert not layouts.is_apart(None, 1.0)
