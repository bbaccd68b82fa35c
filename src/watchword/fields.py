"""The kinds of values that settings have: a number in its range, a name, an option, a section.

Nothing comes in, and nothing is read here. A room because all sections of the settings are made of
the same few kinds, and none of them takes a word for a number or a number for a word.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

# strict: "40" is no number, 1 is not true, and "yes" is a word
Flag = Annotated[bool, Strict()]
Real = Annotated[float, Strict()]
Share = Annotated[float, Strict(), Field(ge=0, lt=1)]
Probability = Annotated[float, Strict(), Field(ge=0, le=1)]
Positive = Annotated[float, Strict(), Field(gt=0)]
NotNegative = Annotated[float, Strict(), Field(ge=0)]
Count = Annotated[int, Strict(), Field(gt=0)]
Length = Annotated[int, Strict(), Field(gt=0, le=65_536)]
CountOrNone = Annotated[int, Strict(), Field(ge=0)]
Words = tuple[str, ...]
FOLDER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class Section(BaseModel):
    """A part of the settings: frozen, and no key beyond those it names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


T = TypeVar("T", bound=Section)


def as_text(value: object) -> object:
    """Let a number stand for its name, as in ``task: 12``.

    Args:
        value: What the file says.

    Example:
        >>> as_text(12), as_text(True), as_text("core-10")
        ('12', True, 'core-10')
    """
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_option(value: object) -> object:
    """Return one value, or several whole numbers as a tuple; refuse anything else."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)) and all(type(item) is int for item in value):
        return tuple(value)
    raise ValueError("an option is a number, a word, true, false or a list of whole numbers")


Name = Annotated[str, BeforeValidator(as_text), Field(pattern=FOLDER_NAME)]
Option = Annotated[Any, AfterValidator(_as_option)]
