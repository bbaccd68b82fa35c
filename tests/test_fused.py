"""The compiled lambda layer against the same layer in torch, and layouts against each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from watchword import models, native
from watchword.models import fused, layout
from watchword.models.layers import TemporalLambda

needs_compiler = pytest.mark.skipif(native.find_compiler() is None, reason="needs a C compiler")


def trained_once(layer: TemporalLambda, x: Tensor) -> dict[str, Tensor]:
    """Return output, gradients and statistics of one step."""
    x = x.detach().clone().requires_grad_()
    y = layer(x)
    y.backward(torch.linspace(-1, 1, y.numel(), dtype=y.dtype).sin().view(y.shape))
    assert x.grad is not None
    found = {"output": y.detach(), "input": x.grad}
    found |= {
        name: weight.grad for name, weight in layer.named_parameters() if weight.grad is not None
    }
    return found | {f"buffer {name}": value for name, value in layer.named_buffers()}


def moved(layer: TemporalLambda) -> TemporalLambda:
    """Give the normalisation a gain and an offset that are not one and zero."""
    torch.manual_seed(3)
    assert isinstance(layer.norm, nn.BatchNorm1d)
    nn.init.uniform_(layer.norm.weight, 0.5, 1.5)
    nn.init.uniform_(layer.norm.bias, -0.5, 0.5)
    return layer


@needs_compiler
@pytest.mark.parametrize("unit_queries", [False, True])
@pytest.mark.parametrize(
    ("channels", "frames", "heads", "depth", "scope"),
    [
        (24, 48, 4, 16, 23),  # the sizes of our networks, each with code of its own
        (60, 6, 4, 16, 11),
        (72, 12, 4, 16, 23),
        (20, 9, 4, 8, 23),
        (15, 7, 5, 16, 3),  # and others
        (200, 5, 4, 20, 37),
        (2, 2, 1, 1, 1),
    ],
)
def test_compiled_code_computes_what_torch_does_in_float64(
    channels: int, frames: int, heads: int, depth: int, scope: int, *, unit_queries: bool
) -> None:
    sizes = {"heads": heads, "query_depth": depth, "scope": scope, "unit_queries": unit_queries}
    compiled = moved(TemporalLambda(channels, **sizes))
    exact = moved(TemporalLambda(channels, **sizes))
    exact.load_state_dict(compiled.state_dict())
    x = torch.randn(6, channels, frames, generator=torch.Generator().manual_seed(0)) * 2 + 1
    assert fused.is_possible(x)
    found = trained_once(compiled, layout.frames_first(x))
    expected = trained_once(exact.double(), x.double())
    assert set(found) == set(expected)
    for name, value in expected.items():
        # float32 sums of some hundred products: a few millionths of the largest
        error = (found[name].double() - value).abs().max()
        assert error <= 3e-5 * value.abs().max().clamp_min(1e-3), name


@needs_compiler
def test_two_threads_compute_what_one_does() -> None:
    x = torch.randn(7, 24, 10)
    found = []
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        found.append(trained_once(TemporalLambda(24), x))
    torch.set_num_threads(before)
    for name in found[0]:
        torch.testing.assert_close(found[0][name], found[1][name], msg=name)


@needs_compiler
def test_the_same_step_gives_the_same_bits() -> None:
    x = torch.randn(8, 24, 10)
    layer = TemporalLambda(24)
    first = trained_once(layer, x)
    layer.zero_grad()
    again = trained_once(layer, x)
    assert all(torch.equal(first[n], again[n]) for n in first if not n.startswith("buffer"))


@needs_compiler
def test_a_mean_far_from_zero_costs_the_variance_no_digits() -> None:
    z = torch.randn(1_000, 3) + 1_000
    moments = torch.empty(2, 3)
    fused.call(fused.COLUMNS, "column_moments", z, 1_000, 3, 3, *moments)
    torch.testing.assert_close(moments[0], z.double().mean(0).float())
    torch.testing.assert_close(moments[1], z.double().var(0, correction=0).float())


def test_without_a_compiler_a_layer_trains_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda _source: None)
    x = torch.randn(4, 24, 10)
    assert not fused.is_possible(x)
    torch.manual_seed(0)
    plain = trained_once(TemporalLambda(24), x)
    torch.manual_seed(0)
    turned = trained_once(TemporalLambda(24), layout.frames_first(x))
    for name in plain:
        torch.testing.assert_close(plain[name], turned[name], msg=name)


def test_what_compiled_code_cannot_do_is_left_to_torch() -> None:
    assert not fused.is_possible(torch.zeros(2, 4, 5, dtype=torch.float64))
    assert not fused.is_possible(torch.zeros(1, 4, 1))
    with torch.autocast("cpu", torch.bfloat16):
        assert not fused.is_possible(torch.zeros(2, 4, 5))
    with pytest.raises(ValueError, match="more than 1 value"):
        TemporalLambda(24)(torch.zeros(1, 24, 1))


@pytest.mark.parametrize("name", sorted(models.MODELS))
def test_every_network_trains_alike_in_both_layouts(name: str) -> None:
    features = torch.randn(4, 40, 98, dtype=torch.float64)
    outputs, gradients = [], []
    for turn in (lambda x: x, layout.frames_first):
        torch.manual_seed(0)
        network = models.create(name, classes=12, mels=40).double()
        torch.manual_seed(1)  # dropout
        logits = network(turn(features))
        logits.square().sum().backward()
        outputs.append(logits.detach())
        gradients.append([weight.grad for weight in network.parameters()])
    # float64: what a layout changes is the order of sums
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("stride", [1, 2])
def test_layers_follow_the_layout_of_their_input(stride: int) -> None:
    x = torch.randn(3, 8, 11)
    layers = (
        layout.Conv1d(8, 5, 3, stride, 1),
        layout.BatchNorm1d(8),
        layout.AvgPool1d(3, stride, 1),
        layout.MaxPool1d(3, stride, 1),
    )
    for layer in layers:
        plain, turned = layer(x), layer(layout.frames_first(x))
        assert plain.is_contiguous()
        assert layout.is_frames_first(turned)
        torch.testing.assert_close(plain, turned)


@needs_compiler
@pytest.mark.parametrize(("batch", "channels", "frames"), [(128, 24, 48), (3, 5, 7), (2, 1, 1)])
def test_compiled_normalisation_is_as_exact_as_that_of_torch(
    batch: int, channels: int, frames: int
) -> None:
    x = torch.randn(batch, channels, frames).relu() + 3
    compiled, plain, exact = (layout.BatchNorm1d(channels) for _ in range(3))
    found = normalised(compiled, layout.frames_first(x))
    torchs = normalised(plain, x)
    for name, value in normalised(exact.double(), x.double()).items():
        scale = value.abs().max().clamp_min(1e-3)
        error = (found[name].double() - value).abs().max() / scale
        # float32 keeps seven digits; what is summed over thousands of rows may lose one
        assert error <= max(2e-6, 4 * (torchs[name].double() - value).abs().max() / scale), name


def normalised(norm: layout.BatchNorm1d, x: Tensor) -> dict[str, Tensor]:
    """Return output, gradients and statistics of one normalisation."""
    x = x.detach().requires_grad_()
    y = norm(x)
    y.backward(torch.linspace(0, 50, y.numel(), dtype=y.dtype).sin().view(y.shape) + 0.1)
    assert x.grad is not None
    assert norm.weight.grad is not None
    assert norm.bias.grad is not None
    return {
        "output": y.detach(),
        "input": x.grad,
        "gain": norm.weight.grad,
        "offset": norm.bias.grad,
        "mean": norm.running_mean,
        "variance": norm.running_var,
    }
