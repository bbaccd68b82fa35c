"""Two processes with joint normalisation compute what one computes on both batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn

from watchword.models import create
from watchword.sync import SyncBatchNorm

PROCESSES = 2
Result = dict[str, Tensor]

# Sums of some hundred float64 numbers of order one, through at most nineteen normalisations.
EXACT = {"atol": 1e-9, "rtol": 1e-9}


# A case makes a network and a whole batch; process i takes part i of it. Parts need not be equal.


def one_norm() -> tuple[nn.Module, Tensor]:
    norm = nn.BatchNorm1d(3).double()
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    nn.init.normal_(norm.bias)
    return norm, 3 * torch.randn(7, 3, 5, dtype=torch.float64) + 2


def without_time() -> tuple[nn.Module, Tensor]:
    return nn.BatchNorm1d(3).double(), torch.randn(7, 3, dtype=torch.float64)


def over_images() -> tuple[nn.Module, Tensor]:
    return nn.BatchNorm2d(3, affine=False).double(), torch.randn(7, 3, 5, 4, dtype=torch.float64)


def plain_mean() -> tuple[nn.Module, Tensor]:
    return nn.BatchNorm1d(3, momentum=None).double(), torch.randn(7, 3, 5, dtype=torch.float64)


def far_from_zero() -> tuple[nn.Module, Tensor]:
    return nn.BatchNorm1d(3), torch.randn(7, 3, 50) + 3_000


def short_floats() -> tuple[nn.Module, Tensor]:
    return nn.BatchNorm1d(3), (torch.randn(7, 3, 500) + 5).bfloat16()


def whole_network() -> tuple[nn.Module, Tensor]:
    network = create("lambda_resnet18", classes=4, width=0.2, mels=8).double()
    return network, torch.randn(7, 8, 40, dtype=torch.float64)


CASES: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    case.__name__: case
    for case in (
        one_norm,
        without_time,
        over_images,
        plain_mean,
        far_from_zero,
        short_floats,
        whole_network,
    )
}


def made(case: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return CASES[case]()


def learned(network: nn.Module, x: Tensor, weights: Tensor) -> Result:
    """Return what two steps of training leave behind, by name."""
    x.requires_grad_()
    result: Result = {}
    for step in range(2):
        y = network(x * (1 + step))
        (y.float() * weights if x.dtype != torch.float64 else y * weights).sum().backward()
        result[f"output {step}"] = y.detach()
    result["gradient"] = x.grad if x.grad is not None else torch.zeros(0)
    result |= {
        f"gradient of {name}": parameter.grad
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }
    return result | {name: value.clone() for name, value in network.named_buffers()}


def weights_of(network: nn.Module, x: Tensor) -> Tensor:
    """Return what outputs are multiplied by, so that their sum has a gradient."""
    with torch.no_grad():
        shape = network.eval()(x).shape
    network.train()
    generator = torch.Generator().manual_seed(1)
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    return torch.randn(shape, generator=generator, dtype=wide)


def work(rank: int, folder: Path) -> None:
    """Be one of the processes: train every case on a part of its batch."""
    torch.set_num_threads(1)
    store = distributed.FileStore(str(folder / "store"), PROCESSES)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=PROCESSES)
    results: dict[str, Result] = {}
    for case in CASES:
        network, x = made(case)
        weights = weights_of(network, x)
        network = SyncBatchNorm.convert(network)
        part = slice(0, 3) if rank == 0 else slice(3, None)
        results[case] = learned(network, x[part].clone(), weights[part])
        for name in results[case]:
            if name.startswith("gradient of"):
                distributed.all_reduce(results[case][name])
    torch.save(results, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Result]]:
    """What each of two processes computed, started once for all tests."""
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.start_processes(work, (folder,), PROCESSES, start_method="spawn")
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


@pytest.mark.parametrize(
    "case", ["one_norm", "without_time", "over_images", "plain_mean", "whole_network"]
)
def test_two_processes_compute_what_one_computes(both: list[dict[str, Result]], case: str) -> None:
    network, x = made(case)
    expected = learned(network, x, weights_of(network, x))
    first, second = (results[case] for results in both)
    assert list(first) == list(second) == list(expected)
    for name, value in expected.items():
        if name in ("output 0", "output 1", "gradient"):
            found = torch.cat([first[name], second[name]])
        else:
            assert torch.equal(first[name], second[name])
            found = first[name]
        torch.testing.assert_close(found, value, **EXACT, msg=lambda text, n=name: f"{n}: {text}")


def test_a_mean_far_from_zero_costs_the_variance_no_digits(both: list[dict[str, Result]]) -> None:
    network, x = made("far_from_zero")
    network(x)
    expected = network(2 * x)
    found = torch.cat([results["far_from_zero"]["output 1"] for results in both])
    # 6,000 in float32 has steps of 5e-4 under a deviation of two; its squares have steps of 2
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)
    variance = both[0]["far_from_zero"]["running_var"]
    assert isinstance(network, nn.BatchNorm1d)
    torch.testing.assert_close(variance, network.running_var, rtol=1e-3, atol=0)


def test_statistics_of_short_floats_are_long(both: list[dict[str, Result]]) -> None:
    network, x = made("short_floats")
    network(x)
    network(2 * x)
    assert isinstance(network, nn.BatchNorm1d)
    found = both[0]["short_floats"]
    assert found["output 0"].dtype == torch.bfloat16
    assert found["running_mean"].dtype == torch.float32
    # bfloat16 statistics would be good to one part in 256
    torch.testing.assert_close(found["running_mean"], network.running_mean, rtol=1e-4, atol=0)
    torch.testing.assert_close(found["running_var"], network.running_var, rtol=1e-4, atol=0)


def test_one_process_alone_normalises_as_ever() -> None:
    plain, x = made("one_norm")
    joint = SyncBatchNorm.convert(made("one_norm")[0])
    for mode in (True, False):
        assert torch.equal(joint.train(mode)(x), plain.train(mode)(x))
    torch.testing.assert_close(joint.state_dict(), plain.state_dict())


def test_converting_keeps_names_weights_and_modes() -> None:
    network = create("res15", classes=4, width=0.2).double()
    names, state = [n for n, _ in network.named_modules()], network.state_dict()
    norms: Any = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    norms[0].eval()
    assert SyncBatchNorm.convert(network) is network
    assert [n for n, _ in network.named_modules()] == names
    found = [part for part in network.modules() if isinstance(part, SyncBatchNorm)]
    assert len(found) == len(norms) == 13
    assert [part.training for part in found] == [False] + [True] * 12
    assert all(part.running_var is old.running_var for part, old in zip(found, norms, strict=True))
    assert list(network.state_dict()) == list(state)
    assert {part.affine for part in found} == {False}


def test_converting_keeps_the_parameters_that_an_optimiser_holds() -> None:
    network = create("tc_resnet8", classes=4, width=0.5)
    before = [*network.parameters()]
    after = [*SyncBatchNorm.convert(network).parameters()]
    assert all(one is other for one, other in zip(before, after, strict=True))
