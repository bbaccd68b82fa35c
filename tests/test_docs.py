"""The pages: links lead somewhere, commands exist, counts and names are those of the code."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from ruamel.yaml import YAML
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from typer.main import get_command

import watchword
from watchword import cli, doors, model_jobs, models
from watchword.config import FeatureSettings, ModelSettings, Settings, TrainSettings
from watchword.settings import Environment

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MODEL_PAGES = sorted(ROOT.glob("docs/models/*.md"))
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}(.*)$", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
DOTTED = re.compile(r"`(watchword(?:\.\w+)+)`")
OUR_FILE = re.compile(r"^(?:src|scripts|benchmarks|configs|tests|docs)/[\w./-]+$")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def code(page: Path) -> Iterator[str]:
    """Yield the lines of code that a page quotes, in blocks and in the text; ``\\`` joins lines."""
    text = page.read_text(encoding="utf-8")
    quoted = [block.split("\n", 1)[1] for block in BLOCK.findall(text)]
    quoted += [*INDENTED.findall(prose(page)), *SPAN.findall(prose(page))]
    for part in quoted:
        for line in part.replace("\\\n", " ").splitlines():
            yield re.sub(r"^(?:\$ )?(?:\.venv/bin/)?", "", line.strip())


def words_after(program: str, page: Path) -> list[list[str]]:
    """Return the words behind every command of a program that a page quotes."""
    start = re.compile(rf"(?:\w+=\S+ )*{program}(?: |$)")  # variables may be set before it
    lines = [line for line in code(page) if start.match(line)]
    return [shlex.split(start.sub("", line, count=1), comments=True) for line in lines]


# ------------------------------------------------------------------------------------------ links


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, part = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not part or part in headings(target), link


def headings(page: Path) -> set[str]:
    """Return the names of a page's headings as links write them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@every_page
def test_every_file_and_name_of_ours_exists(page: Path) -> None:
    for span in SPAN.findall(prose(page)):
        name = span.split("::")[0]
        if OUR_FILE.match(name) and name.upper() != name and not re.search("NAME|CONFIG", name):
            assert (ROOT / name).exists(), name
    for dotted in DOTTED.findall(prose(page)):
        assert has(dotted), dotted


def has(dotted: str) -> bool:
    """Tell whether a dotted name is a module or a thing in one."""
    module, _, name = dotted.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name) or bool(
            importlib.import_module(dotted)
        )
    except ModuleNotFoundError:
        return False


# --------------------------------------------------------------------------------------- commands


def test_there_are_commands_to_check() -> None:
    quoted = [words for page in PAGES for words in words_after("watchword", page)]
    assert len(quoted) > 10


@every_page
def test_every_command_of_watchword_exists(page: Path) -> None:
    for words in words_after("watchword", page):
        check_command(get_command(cli.app), words)


@every_page
@pytest.mark.parametrize("door", ["train", "eval"])
def test_every_published_command_exists(
    page: Path, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs: list[Any] = []
    monkeypatch.setattr(doors, "run", lambda program, *_: programs.append(program))
    getattr(doors, f"{door}_door")()
    for words in words_after(rf"python3?(?: -u)? {door}\.py", page):
        check_command(get_command(programs[0]), words)


@every_page
def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = [word for words in words_after("make", page) for word in words if "=" not in word]
    assert targets >= set(asked)


def test_a_command_that_does_not_exist_is_noticed() -> None:
    for words in (
        ["trian"],
        ["data", "fetsch"],
        ["info", "--heads", "4"],
        ["plot", "roc", "a", "-x"],
    ):
        with pytest.raises(AssertionError):
            check_command(get_command(cli.app), words)


def check_command(command: Any, words: list[str]) -> None:
    """Assert that a command has the subcommands and options that words name; values may be any."""
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
    options = {option for parameter in command.params for option in parameter.opts}
    for word in words:
        name = word.partition("=")[0]
        assert not name.startswith("-") or name in options | {"-h", "--help"}, words


# ----------------------------------------------------------------------------------------- counts


def rows(page: Path, *columns: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield each table that has some columns: the last command quoted before it, and its rows."""
    command, table = "", []
    for line in [*page.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if table and set(columns) <= set(table[0]):
            yield command, [dict(zip(table[0], row, strict=True)) for row in table[2:]]
        table = []
        command = next(iter(re.findall(r"`watchword (info \w+ [^`]+)`", line)), command)


def ask(command: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what ``watchword info`` answers, and what it was asked."""
    _, name, *words = shlex.split(command.removeprefix("watchword "))
    given = {key.strip("-"): float(value) for key, value in zip(*[iter(words)] * 2, strict=True)}
    asked = {"width": given.get("width", 1.0), **{k: int(given[k]) for k in ("outputs", "frames")}}
    (answer,) = model_jobs.info(name, mels=None, **asked)
    return answer, asked


@pytest.mark.parametrize("page", MODEL_PAGES, ids=lambda p: p.stem)
def test_the_sizes_of_a_page_are_those_of_the_command(page: Path) -> None:
    tables = [table for _, table in rows(page, "command", "parameters", "MACs")]
    assert tables
    for row in tables[0]:
        answer, _ = ask(row["command"].strip("`"))
        assert f"{answer['parameters']:,}" == row["parameters"], row
        assert f"{answer['macs']:,}" == row["MACs"], row


@pytest.mark.parametrize("page", MODEL_PAGES, ids=lambda p: p.stem)
def test_the_parts_of_a_page_are_those_of_the_network(page: Path) -> None:
    tables = [*rows(page, "part", "module", "parameters", "MACs")]
    assert tables
    for command, table in tables:
        answer, asked = ask(command)
        network = models.create(answer["model"], classes=asked["outputs"], width=asked["width"])
        macs = macs_of_parts(network.eval(), answer["mels"], asked["frames"])
        told = np.zeros(2, np.int64)
        for row in table:
            shown = [int(row[column].replace(",", "")) for column in ("parameters", "MACs")]
            told += shown
            parts = SPAN.findall(row["module"])
            if parts:  # a row without: what happens between the parts
                found = [size_of_part(network, macs, part) for part in parts]
                assert shown == np.sum(found, axis=0).tolist(), row
        assert told.tolist() == [answer["parameters"], answer["macs"]], command


def size_of_part(network: nn.Module, macs: dict[str, int], part: str) -> tuple[int, int]:
    """Return parameters and MACs of a part of a network."""
    weights = network.get_submodule(part).parameters()
    return sum(weight.numel() for weight in weights), macs[part]


def macs_of_parts(network: nn.Module, mels: int, frames: int) -> dict[str, int]:
    """Return the MACs of every part of a network by name, lambda layers in their published form."""
    models.set_form(network, "convolve")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, mels, frames))
    counts = {
        name.partition(".")[2]: sum(of_part.values()) // 2
        for name, of_part in counter.get_flop_counts().items()
    }
    parts = [name for name, _ in network.named_modules()]
    for name in sorted(parts, key=len, reverse=True):  # lists of parts are never called themselves
        inside = [part for part in parts if part.rpartition(".")[0] == name]
        counts.setdefault(name, sum(counts.get(part, 0) for part in inside))
    return counts


# ------------------------------------------------------------------------------- what must be told


def test_contributing_names_every_floor_in_order() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c.get("containers") == ["watchword"])
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    floors = [
        SPAN.findall(line.split("|")[1]) for line in page.splitlines() if line.startswith("| `")
    ]
    told = [rooms for rooms in floors if not rooms[0].startswith("make ")]
    assert told == [re.split(r" \| ", floor) for floor in layers]


def settings_told(heading: str) -> dict[str, str]:
    """Return the keys under a heading of the page of training, and the defaults beside them."""
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (part,) = (
        part for part in re.split(r"^##+ ", page, flags=re.MULTILINE) if part.startswith(heading)
    )
    rows = re.findall(r"^\| (`[^|]+`) \|([^|]*)\|", part, re.MULTILINE)
    return {key: told.strip() for keys, told in rows for key in re.findall(r"`(\w+)`", keys)}


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("The file", Settings),
        ("`features`", FeatureSettings),
        ("`model`", ModelSettings),
        ("`train`", TrainSettings),
        ("The environment", Environment),
    ],
)
def test_the_page_of_training_has_every_setting_with_its_default(
    heading: str, section: type[BaseModel]
) -> None:
    told = settings_told(heading)
    elsewhere = {"features", "model", "train"} if section is Settings else set()
    assert {*told} == {*section.model_fields} - elsewhere
    for name, text in told.items():
        default = section.model_fields[name].get_default(call_default_factory=True)
        if default is None:
            assert text in {"none", "`datasets/prepared`"}, name
        elif text:
            assert YAML(typ="safe").load(text.strip("`")) == plain(default), name


def plain(default: object) -> object:
    """Return a default as a YAML file would have it."""
    return default if isinstance(default, bool | int | float | str) else str(default)


def test_every_model_has_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in MODEL_PAGES)
    assert [name for name in models.MODELS if f"watchword info {name} " not in pages] == []


def test_the_version_is_the_same_everywhere() -> None:
    assert f"\nversion: {watchword.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {watchword.__version__} " in (ROOT / "CHANGELOG.md").read_text()
