"""Tasks have the classes, the order and the targets that reports promise."""

from __future__ import annotations

import pytest

from watchword.data.tasks import TASKS, Task, find_task, own_task
from watchword.errors import ConfigError

COMMANDS = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
OF_BOTH = ["bed", "bird", "cat", "dog", "happy", "house", "marvin", "sheila", "tree", "wow"]
OF_V2 = ["backward", "follow", "forward", "learn", "visual"]
SEVENTEEN = ["backward", "bed", "bird", "cat", "down", "eight", "five", "forward", "four", "go"]
SEVENTEEN += ["happy", "left", "no", "right", "stop", "up", "yes"]
CORE = ["yes", "no", "up", "down", "left", "right", "stop", "go"]
NEVER_HEARD = ["house", "nine", "sheila", "tree", "visual"]


@pytest.mark.parametrize(
    ("name", "labels", "outputs"),
    [
        ("35", COMMANDS + DIGITS + OF_BOTH + OF_V2, 35),
        ("30", COMMANDS + DIGITS + OF_BOTH, 30),
        ("20", [*COMMANDS, *DIGITS, "_unknown_"], 21),
        ("10", [*COMMANDS, "_unknown_"], 11),
        ("2", ["left", "right", "_unknown_"], 3),
        ("12", [*COMMANDS, "_unknown_", "_silence_"], 12),
        ("core-10", [*CORE, "_unknown_", "_silence_"], 10),
        ("17", SEVENTEEN, 17),
    ],
)
def test_labels_stand_in_the_published_order(name: str, labels: list[str], outputs: int) -> None:
    task = find_task(name)
    assert list(task.labels) == labels
    assert len(set(task.labels)) == outputs
    assert [task.target(label) for label in labels] == list(range(outputs))


def test_the_table_names_its_tasks_by_their_names() -> None:
    assert set(TASKS) == {"35", "30", "20", "10", "2", "12", "core-10", "17"}
    assert all(task.name == name for name, task in TASKS.items())


@pytest.mark.parametrize(
    ("name", "word", "target"),
    [
        ("35", "bed", 20),
        ("35", "marvellous", None),
        ("35", "_unknown_", None),
        ("35", "_silence_", None),
        ("30", "visual", None),
        ("20", "bed", 20),
        ("20", "_silence_", None),
        ("10", "nine", 10),
        ("2", "yes", 2),
        ("12", "bed", 10),
        ("12", "house", 10),
        ("12", "_unknown_", 10),
        ("12", "_silence_", 11),
        ("core-10", "bed", 8),
        ("core-10", "on", None),
        ("core-10", "off", None),
        ("17", "dog", None),
        ("17", "on", None),
    ],
)
def test_a_word_has_the_class_that_the_task_gives_it(
    name: str, word: str, target: int | None
) -> None:
    assert TASKS[name].target(word) == target


def test_tasks_that_draw_unknown_never_hear_five_words() -> None:
    found = {name: list(task.never_heard) for name, task in TASKS.items() if task.never_heard}
    assert found == {"12": NEVER_HEARD, "core-10": NEVER_HEARD}
    rules = {name: task.unknown for name, task in TASKS.items()}
    assert rules == {
        **dict.fromkeys(["35", "30", "17"], "none"),
        **dict.fromkeys(["20", "10", "2"], "all"),
        **dict.fromkeys(["12", "core-10"], "tenth"),
    }


def test_a_task_of_ones_own_words() -> None:
    task = own_task("house", ("tree", "hello"), unknown="tenth", has_silence=True)
    assert task.labels == ("tree", "hello", "_unknown_", "_silence_")
    assert task.never_heard == ("house", "nine", "sheila", "visual")  # "tree" is heard here
    closed = own_task("closed", ("a", "b"), unknown="none", has_silence=False)
    assert closed == Task("closed", ("a", "b"))
    assert own_task("one", ("a",), unknown="all", has_silence=False).labels == ("a", "_unknown_")
    assert own_task("one", ("a",), unknown="all", has_silence=False).never_heard == ()


@pytest.mark.parametrize("name", ["core10", "1", "speech"])
def test_a_task_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"no task is called '{name}': .*There are: 35, 30, 20"):
        find_task(name)


def test_the_nearest_task_is_offered() -> None:
    with pytest.raises(
        ConfigError, match=r"did you mean core-10\?.* or give your own words: task:"
    ):
        find_task("core10")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (("yes", "no", "yes"), "task 'mine' names yes twice: give each keyword once"),
        (("yes", "_unknown_"), "task 'mine' has the keyword _unknown_, a class that is no word"),
        (("_silence_", "_unknown_"), "the keyword _silence_, _unknown_, a class that is no word"),
        (("yes",), "task 'mine' has 1 classes and needs at least two, .*: add keywords, or set"),
        ((), "has 0 classes and needs at least two, one of them a keyword: add keywords"),
    ],
)
def test_words_that_make_no_task_are_refused(keywords: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        own_task("mine", keywords, unknown="none", has_silence=False)


def test_two_classes_without_a_word_make_no_task() -> None:
    with pytest.raises(ConfigError, match="has 2 classes and needs at least two, one of them a"):
        own_task("mine", (), unknown="tenth", has_silence=True)
