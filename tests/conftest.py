"""What tests share: a small spoken command set, a run trained on it, and the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

TINY_SETTINGS = """\
name: tiny
num_lables: 12
model: {name: lambda_resnet18, width: 0.25}
augment: {shift: {milliseconds: 50}}
train: {epochs: 2, batch_size: 24, warmup_epochs: 0, settle_batches: 1}
"""


@dataclass(frozen=True)
class Answer:
    """What a command answered: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of a refusal."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1, self.err
        assert self.out == ""
        return self.err.strip()


Ask = Callable[..., Answer]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run ``watchword WORDS...`` in this process; ``program`` may name another entry."""
    from watchword import cli

    def run(*words: object, program: Callable[[list[str]], None] = cli.main) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            program([str(word) for word in words])
        out, err = capsys.readouterr()
        code = exit_.value.code
        return Answer(code if isinstance(code, int) else 0, out, err)

    return run


@dataclass(frozen=True)
class World:
    """A folder with all that the user's commands need: speech, settings, environment, a run."""

    folder: Path

    @property
    def speech(self) -> Path:
        """Twelve words by six speakers, laid out as the public archive."""
        return self.folder / "speech"

    @property
    def config(self) -> Path:
        """Settings of a tiny run."""
        return self.folder / "tiny.yml"

    @property
    def env(self) -> Path:
        """Where data and outputs live."""
        return self.folder / "env.yml"

    @property
    def run(self) -> Path:
        """Folder of the run."""
        return self.folder / "output" / "lambda_resnet18-k0.25-task-12-tiny-seed0"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the published commands."""
        return self.run / "best.pth.tar"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Twelve words by four training speakers and one each for valid and test; nothing trained."""
    from watchword.data.synth import synthesise

    made = World(tmp_path_factory.mktemp("world"))
    synthesise(made.speech, variants=4)
    made.config.write_text(TINY_SETTINGS)
    made.env.write_text(f"datasets: {made.folder}\noutput: {made.folder / 'output'}\n")
    return made


@pytest.fixture(scope="session")
def trained(world: World) -> World:
    """The same after ``train.py`` as a user types it: two epochs of two steps."""
    from watchword.doors import train_door

    words = ["--config_env", world.env, "--config_exp", world.config, "--data", world.speech]
    with pytest.raises(SystemExit) as exit_:
        train_door([str(word) for word in words])
    assert exit_.value.code == 0
    return world


def listing(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


PYTHON = sys.executable
