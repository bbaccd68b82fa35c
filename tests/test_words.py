"""The words of a text, and which of them sound alike."""

from __future__ import annotations

import pytest

from watchword import words
from watchword.words import HOMOPHONES, sounding_like, words_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't STOP!", ["don't", "stop"]),
        ("stop-and-go, 24/7", ["stop", "and", "go", "24", "7"]),
        ("'tis the dogs' house", ["tis", "the", "dogs", "house"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("_unknown_ * — ...", ["unknown"]),
        ("", []),
    ],
)
def test_words_are_case_folded_and_without_punctuation(text: str, found: list[str]) -> None:
    assert words_of(text) == found


def test_a_word_sounds_like_itself_and_its_homophones() -> None:
    assert sounding_like("No") == {"no", "know"}
    assert sounding_like("Stop") == {"stop"}


def test_homophones_are_of_words_of_speech_commands_and_no_keywords_themselves() -> None:
    known = {*words.COMMANDS, *words.OTHERS}
    assert {*HOMOPHONES} <= known
    assert not known & {other for others in HOMOPHONES.values() for other in others}
