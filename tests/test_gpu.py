"""What must hold on a GPU; asked for with ``make gpu`` on a machine that has one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from test_train import TINY, write_tones
from watchword import build, checkpoint, devices
from watchword.config import parse_settings
from watchword.data.clips import prepare
from watchword.data.rows import Source
from watchword.pictures import read_log
from watchword.progress import Watcher
from watchword.train import Run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
]


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Source:
    place = tmp_path_factory.mktemp("tones")
    return Source("tones", prepare(write_tones(place / "tones"), place / "cache"))


def trained(tones: Source, folder: Path, gpu: int, *overrides: str) -> Run:
    settings = parse_settings(TINY, ["train.epochs=2", *overrides])[0]
    run = Run(settings, [tones], folder, devices.fabric(settings.train, gpu=gpu))
    run.fit(Watcher())
    return run


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_a_gpu_learns_what_the_cpu_learns(tones: Source, tmp_path: Path, precision: str) -> None:
    trained(tones, tmp_path / "gpu", 0, f"train.precision={precision}")
    trained(tones, tmp_path / "cpu", devices.CPU)
    losses = [read_log(tmp_path / name)[0]["loss"] for name in ("gpu", "cpu")]
    # a first epoch of a few steps: sums in another order, and 8 bits of mantissa in bf16
    assert losses[0] == pytest.approx(losses[1], rel=0.02 if precision == "32" else 0.1)


@pytest.mark.parametrize("gpu", [0, devices.CPU])
def test_a_checkpoint_answers_alike_on_both_wherever_it_was_trained(
    tones: Source, tmp_path: Path, gpu: int
) -> None:
    trained(tones, tmp_path, gpu)
    model = build.trained(checkpoint.load(tmp_path / "last.pth.tar"))
    waveforms = 0.1 * torch.randn(8, 16_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        there, here = model.cuda()(waveforms.cuda()).cpu(), model.cpu()(waveforms)
    # float32 with TF32 off: sums of a few hundred products in another order
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-3)
