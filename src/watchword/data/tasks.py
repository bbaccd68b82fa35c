"""What a model is asked: which words are classes, what is unknown, whether silence is a class.

In comes a task's name or a word list, out goes a ``Task`` with its labels in a fixed order. A room
because accuracies of different tasks are not comparable, so one definition of each must serve
training, evaluation and reports.

Source:
    Warden 2018 (arXiv 1804.03209) for task 12; the lambda paper's published settings for 35, 20, 10
    and 2; SPEC §4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from watchword.errors import ConfigError, nearest
from watchword.words import (
    COMMANDS,
    DIGITS,
    NEVER_HEARD,
    OTHERS_V1,
    OTHERS_V2,
    SILENCE,
    UNKNOWN,
)

ON_OFF = ("on", "off")
CORE = tuple(word for word in COMMANDS if word not in ON_OFF)
SEVENTEEN = (
    *("backward", "bed", "bird", "cat", "down", "eight", "five", "forward", "four", "go"),
    *("happy", "left", "no", "right", "stop", "up", "yes"),
)
UnknownRule = Literal["none", "tenth", "all"]


@dataclass(frozen=True)
class Task:
    """A question put to a model.

    Args:
        name: What reports call it.
        keywords: The words that are classes, in the order of the outputs.
        unknown: ``none``: other words are left out; ``tenth``: other words are one class, drawn
            anew every epoch to about a tenth of the clips; ``all``: every clip of another word
            counts, once an epoch.
        has_silence: Whether silence is a class, about a tenth of the clips.
        never_heard: Words kept out of training and reported by themselves.
        left_out: Words that are neither classes nor unknown.

    Example:
        >>> TASKS["12"].labels[-3:]
        ('go', '_unknown_', '_silence_')
    """

    name: str
    keywords: tuple[str, ...]
    unknown: UnknownRule = "none"
    has_silence: bool = False
    never_heard: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The outputs by name, in order."""
        special = [UNKNOWN] * (self.unknown != "none") + [SILENCE] * self.has_silence
        return (*self.keywords, *special)

    def target(self, word: str) -> int | None:
        """Return the class of a spoken word, or None where the task leaves it out.

        Args:
            word: The word as the data set names it.

        Example:
            >>> TASKS["12"].target("bed"), TASKS["35"].target("bed"), TASKS["17"].target("dog")
            (10, 20, None)
        """
        if word in self.labels:
            return self.labels.index(word)
        is_other = self.unknown != "none" and word != SILENCE and word not in self.left_out
        return self.labels.index(UNKNOWN) if is_other else None


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("35", (*COMMANDS, *DIGITS, *OTHERS_V1, *OTHERS_V2)),
        Task("30", (*COMMANDS, *DIGITS, *OTHERS_V1)),
        Task("20", (*COMMANDS, *DIGITS), unknown="all"),
        Task("10", COMMANDS, unknown="all"),
        Task("2", ("left", "right"), unknown="all"),
        Task("12", COMMANDS, "tenth", has_silence=True, never_heard=NEVER_HEARD),
        Task("core-10", CORE, "tenth", has_silence=True, never_heard=NEVER_HEARD, left_out=ON_OFF),
        Task("17", SEVENTEEN),
    )
}


def find_task(name: str) -> Task:
    """Return the task of a name.

    Args:
        name: A key of ``TASKS``.

    Raises:
        ConfigError: If there is no such task; the message names those that exist.
    """
    if name not in TASKS:
        raise ConfigError(
            f"no task is called {name!r}: {nearest(name, list(TASKS))}, "
            "or give your own words: task: {name: ..., keywords: [...]}"
        )
    return TASKS[name]


def own_task(
    name: str, keywords: tuple[str, ...], *, unknown: UnknownRule, has_silence: bool
) -> Task:
    """Return a task of the user's own words.

    Args:
        name: What reports call it.
        keywords: The words that are classes.
        unknown: What other words count as.
        has_silence: Whether silence is a class.

    Raises:
        ConfigError: If a keyword is given twice or has the name of a special class, or there are
            fewer than two classes.
    """
    special = sorted({UNKNOWN, SILENCE} & set(keywords))
    if special:
        raise ConfigError(
            f"task {name!r} has the keyword {', '.join(special)}, a class that is no word: "
            "leave it out, and set unknown: tenth or has_silence: true"
        )
    twice = sorted({word for word in keywords if keywords.count(word) > 1})
    if twice:
        raise ConfigError(f"task {name!r} names {', '.join(twice)} twice: give each keyword once")
    open_task = unknown == "tenth"
    never_heard = tuple(w for w in NEVER_HEARD if w not in keywords) if open_task else ()
    task = Task(name, keywords, unknown, has_silence, never_heard)
    if not keywords or len(task.labels) < 2:
        raise ConfigError(
            f"task {name!r} has {len(task.labels)} classes and needs at least two, one of them a "
            "keyword: add keywords, or set unknown: tenth or has_silence: true"
        )
    return task
