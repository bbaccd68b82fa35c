"""The tree of errors: one root, drawn as it is, messages that say what to do."""

from __future__ import annotations

import inspect

import pytest

from watchword import errors
from watchword.errors import WatchwordError, missing_extra, nearest


def classes() -> list[type[Exception]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


def test_every_error_has_one_root_and_stands_in_the_drawing() -> None:
    for kind in classes():
        assert issubclass(kind, WatchwordError)
        assert f" {kind.__name__}" in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_a_message_comes_out_as_it_went_in(kind: type[Exception]) -> None:
    with pytest.raises(WatchwordError, match=r"^found, needed: do this$"):
        raise kind("found, needed: do this")


def test_a_missing_package_is_answered_with_its_install_command() -> None:
    error = missing_extra("espeakng-loader", "synth")
    assert str(error).endswith("pip install 'watchword[synth]'")
    assert str(error).startswith("espeakng-loader is not installed")


def test_nearest_names_the_nearest_and_all() -> None:
    assert (
        nearest("res5", ["res15", "mhatt_rnn"]) == "did you mean res15? There are: res15, mhatt_rnn"
    )


def test_nearest_does_not_guess_wildly() -> None:
    assert nearest("zebra", ["res15", "mhatt_rnn"]) == "There are: res15, mhatt_rnn"
