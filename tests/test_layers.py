"""The forms of the lambda layer are one layer, and do what its definition says."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from watchword.errors import ConfigError
from watchword.models.layers import (
    FORMS,
    ConvNorm,
    GatedLambda,
    TemporalLambda,
    fold_norms,
    scaled,
    set_form,
)
from watchword.models.skew import SkewedProduct

# In float64 a sum of some hundred products of order one is off by less than 1e-13; the forms add in
# different orders and nothing else sets them apart.
EXACT = {"atol": 1e-12, "rtol": 0.0}

# (frames, scope): scope longer than twice the clip, longer, shorter, one frame, one tap
LENGTHS = [(4, 23), (6, 11), (12, 5), (1, 3), (4, 1)]


def made(channels: int = 4, **options: Any) -> TemporalLambda:
    """Return a layer in float64 and eval mode whose normalisation is not the identity."""
    torch.manual_seed(0)
    options = {"heads": 2, "query_depth": 3, "scope": 7} | options
    return randomised(TemporalLambda(channels, **options).double().eval())


def randomised(network: Any) -> Any:
    """Give every batch normalisation statistics and weights as after training."""
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 2.0)
                nn.init.normal_(part.bias)
    return network


def sequence(frames: int, channels: int = 4, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(frames)
    return torch.randn(batch, channels, frames, generator=generator, dtype=torch.float64)


def by_definition(layer: TemporalLambda, x: Tensor) -> Tensor:
    """Return the layer's output, summed term by term as its docstring says."""
    queries, keys, values = layer.parts(x)
    batch, depth, heads, frames = queries.shape
    reach = layer.scope // 2
    rows = []
    for b, v, h, n in itertools.product(
        range(batch), range(layer.value_depth), range(heads), range(frames)
    ):
        total = x.new_zeros(())
        for k, u in itertools.product(range(depth), range(layer.intra_depth)):
            maps = x.new_zeros(())
            for m in range(frames):
                weight = keys[b, k, u, m]
                if abs(m - n) <= reach:
                    weight = weight + layer.embedding[k, u, m - n + reach]
                maps = maps + weight * values[b, v, u, m]
            total = total + queries[b, k, h, n] * maps
        rows.append(total)
    return torch.stack(rows).view(x.shape)


def gradients(layer: TemporalLambda, y: Tensor, x: Tensor) -> list[Tensor]:
    """Return the gradients of a weighted sum of an output, for the input and every parameter."""
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
    return list(torch.autograd.grad((y * weights).sum(), [x, *layer.parameters()]))


@pytest.mark.parametrize(("frames", "scope"), LENGTHS)
@pytest.mark.parametrize("intra_depth", [1, 2, 3])
@pytest.mark.parametrize("heads", [1, 2])
def test_every_form_is_the_definition_and_has_its_gradients(
    frames: int, scope: int, intra_depth: int, heads: int
) -> None:
    layer = made(2 * heads, heads=heads, query_depth=2, intra_depth=intra_depth, scope=scope)
    x = sequence(frames, 2 * heads).requires_grad_()
    expected = by_definition(layer, x)
    expected_gradients = gradients(layer, expected, x)
    for form in FORMS:
        layer.form = form
        y = layer(x)
        torch.testing.assert_close(y, expected, **EXACT)
        torch.testing.assert_close(gradients(layer, y, x), expected_gradients, **EXACT)


@pytest.mark.parametrize("frames", [7, 13, 50])
def test_forms_agree_in_the_published_shape(frames: int) -> None:
    # float32 and sums of some thousand terms of order one: 1e-4 is a hundred times what they differ
    torch.manual_seed(0)
    layer = randomised(TemporalLambda(24, embedding_deviation=1.0).eval())
    x = sequence(frames, 24).float()
    outputs = []
    for form in FORMS:
        layer.form = form
        outputs.append(layer(x))
    for y in outputs[1:]:
        torch.testing.assert_close(y, outputs[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_forms_agree_in_mixed_precision(form: str) -> None:
    # bfloat16 has 8 bits: products of three factors agree to some per cent of the largest
    torch.manual_seed(0)
    layer = TemporalLambda(24, form=form)  # type: ignore[arg-type]
    x = sequence(20, 24).float().requires_grad_()
    expected = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    y.float().sum().backward()
    assert (y - expected).abs().max() < 0.05 * expected.abs().max()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_queries_and_values_are_normalised_and_keys_are_a_softmax_over_time() -> None:
    layer, x = made(intra_depth=2), sequence(5)
    projected = layer.project(x).detach().numpy()  # 6 queries, 4 values, 6 keys
    norm = layer.norm
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance, weight, bias = (
        value.detach().numpy()[:, None]
        for value in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    normed = (projected[:, :10] - mean) / np.sqrt(variance + norm.eps) * weight + bias
    powers = np.exp(projected[:, 10:])
    queries, keys, values = (part.detach().numpy() for part in layer.parts(x))
    np.testing.assert_allclose(queries.reshape(2, 6, 5), normed[:, :6], atol=1e-12)
    np.testing.assert_allclose(values.reshape(2, 4, 5), normed[:, 6:], atol=1e-12)
    softmax = powers / powers.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(keys.reshape(2, 6, 5), softmax, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_without_embeddings_one_lambda_serves_the_whole_clip(form: str) -> None:
    layer = made(embedding_deviation=0.0, form=form)
    assert not layer.embedding.any()
    x = sequence(9)
    order = torch.randperm(9)
    torch.testing.assert_close(layer(x)[..., order], layer(x[..., order]), **EXACT)
    queries, keys, values = layer.parts(x)
    content = torch.einsum("bkum,bvum->bkv", keys, values)  # has no axis of time
    expected = torch.einsum("bkhn,bkv->bvhn", queries, content).reshape(x.shape)
    torch.testing.assert_close(layer(x), expected, **EXACT)


@pytest.mark.parametrize("form", FORMS)
def test_the_position_path_moves_with_the_clip(form: str) -> None:
    layer = made(intra_depth=2, scope=7, form=form)
    silent = made(intra_depth=2, scope=7, form=form, embedding_deviation=0.0)
    silent.load_state_dict(layer.state_dict())
    nn.init.zeros_(silent.embedding)
    for one in (layer, silent):  # so that a frame of zeros has values of zero
        nn.init.zeros_(one.norm.bias)  # type: ignore[arg-type]
        one.norm.running_mean.zero_()  # type: ignore[union-attr, operator]
    x = torch.zeros(1, 4, 40, dtype=torch.float64)
    x[..., 10:20] = sequence(10, batch=1)
    moved = x.roll(9, dims=2)
    path, path_of_moved = layer(x) - silent(x), layer(moved) - silent(moved)
    assert path.abs().max() > 0.1
    torch.testing.assert_close(path_of_moved, path.roll(9, dims=2), **EXACT)


def test_embeddings_laid_out_as_a_map_are_the_same_along_every_diagonal() -> None:
    layer = made(intra_depth=2, scope=5)
    placed = layer.toeplitz(8)  # (n, k, u, m)
    assert placed.shape == (8, 3, 2, 8)
    torch.testing.assert_close(placed[1:, ..., 1:], placed[:-1, ..., :-1], **EXACT)
    torch.testing.assert_close(placed[2, ..., :5], layer.embedding, **EXACT)
    assert not placed[2, ..., 5:].any()


@pytest.mark.parametrize("intra_depth", [1, 2])
@pytest.mark.parametrize("form", FORMS)
def test_maps_times_values_are_the_output(form: str, intra_depth: int) -> None:
    layer, x = made(intra_depth=intra_depth, form=form), sequence(12)
    maps, values = layer.maps(x), layer.parts(x)[2]
    assert maps.shape == (2, 2, 12, intra_depth, 12)
    y = torch.einsum("bhnum,bvum->bvhn", maps, values).reshape(x.shape)
    torch.testing.assert_close(y, layer(x), **EXACT)


def test_shifting_rows_by_hand() -> None:
    taps = torch.arange(1.0, 10.0).view(1, 1, 3, 1, 3)  # one head, three frames, scope three
    values = torch.eye(3).view(1, 3, 1, 3)  # the product with them shows the maps
    expected = torch.tensor([[2.0, 3.0, 0.0], [4.0, 5.0, 6.0], [0.0, 7.0, 8.0]])
    y = SkewedProduct.apply(torch.ones(1, 3, 3), taps, values)
    assert torch.equal(y[0].T, expected + 1)


@pytest.mark.parametrize("intra_depth", [1, 2])
@pytest.mark.parametrize(("frames", "scope"), LENGTHS)
def test_shifted_products_have_the_gradients_of_finite_differences(
    frames: int, scope: int, intra_depth: int
) -> None:
    shapes = ((2, 3, 2 * frames), (2, 2, frames, intra_depth, scope), (2, 3, intra_depth, frames))
    inputs = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(SkewedProduct.apply, inputs)


def test_shifting_rows_does_not_mind_how_memory_is_laid_out() -> None:
    content, values = torch.randn(2, 3, 20), torch.randn(2, 3, 2, 5)
    taps = torch.randn(2, 4, 5, 2, 3)
    strange = taps.transpose(0, 4).contiguous().transpose(0, 4).requires_grad_()
    y = SkewedProduct.apply(content, strange, values)
    assert torch.equal(y, SkewedProduct.apply(content, taps, values))
    gradient = torch.randn_like(y)
    plain, other = (
        torch.autograd.grad(y, strange, given, retain_graph=True)[0]
        for given in (gradient, gradient.transpose(0, 2).contiguous().transpose(0, 2))
    )
    torch.testing.assert_close(plain, other)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("intra_depth", [1, 2])
def test_a_folded_layer_computes_the_same(form: str, intra_depth: int) -> None:
    layer, x = made(intra_depth=intra_depth, form=form), sequence(12)
    expected = layer(x)
    layer.fold()
    layer.fold()  # folding twice is folding once
    assert isinstance(layer.norm, nn.Identity)
    torch.testing.assert_close(layer(x), expected, **EXACT)


def test_a_folded_convolution_computes_the_same() -> None:
    torch.manual_seed(0)
    network = randomised(nn.Sequential(ConvNorm(4, 6, 3, stride=2)).double().eval())
    expected = network(sequence(11))
    assert expected.shape == (2, 6, 6)
    assert fold_norms(network) is network
    assert not any(isinstance(part, nn.BatchNorm1d) for part in network.modules())
    torch.testing.assert_close(network(sequence(11)), expected, **EXACT)


def test_what_is_still_training_is_not_folded() -> None:
    with pytest.raises(AssertionError, match="statistics of a batch cannot be folded"):
        fold_norms(ConvNorm(4, 4, 3))
    with pytest.raises(AssertionError, match="statistics of a batch cannot be folded"):
        TemporalLambda(4).fold()


@pytest.mark.parametrize(
    ("channels", "parameters"), [(24, 2_572), (36, 3_718), (48, 4_936), (60, 6_226)]
)
def test_a_layer_has_the_parameters_of_its_formula(channels: int, parameters: int) -> None:
    d = channels
    assert d * (64 + 16 + d // 4) + 128 + d // 2 + 368 == parameters
    assert sum(p.numel() for p in TemporalLambda(channels).parameters()) == parameters


@pytest.mark.parametrize(
    ("options", "deviation"),
    [({}, (16 * 23) ** -0.5), ({"embedding_deviation": 1.0}, 1.0), ({"scope": 5}, 80**-0.5)],
)
def test_embeddings_start_at_their_deviation(options: dict[str, Any], deviation: float) -> None:
    torch.manual_seed(0)
    layers = [TemporalLambda(24, **options) for _ in range(50)]
    found = torch.stack([layer.embedding.detach() for layer in layers]).std().item()
    assert found == pytest.approx(
        deviation, rel=0.05
    )  # 4,000 draws or more: 3 deviations are 3.4 %


@pytest.mark.parametrize(
    ("channels", "options", "message"),
    [
        (25, {}, "found 25 channels for 4 heads and a scope of 23 frames, needed whole channels"),
        (24, {"scope": 22}, "a scope of 22 frames, needed .* an odd scope: change heads or scope"),
        (24, {"form": "maps"}, "no form of the lambda layer is called 'maps': did you mean map?"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(
    channels: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        TemporalLambda(channels, **options)


def test_a_form_is_set_in_every_layer_and_must_exist() -> None:
    network = nn.Sequential(TemporalLambda(4), nn.Sequential(TemporalLambda(8)))
    set_form(network, "window")
    forms = [part.form for part in network.modules() if isinstance(part, TemporalLambda)]
    assert forms == ["window", "window"]
    with pytest.raises(ConfigError, match="is called 'fast': There are: convolve, window, map"):
        set_form(network, "fast")  # type: ignore[arg-type]


@given(st.integers(1, 100), st.floats(0.01, 10), st.integers(1, 8))
def test_scaled_channels_are_whole_multiples_just_above(
    channels: int, width: float, multiple: int
) -> None:
    result = scaled(channels, width, multiple)
    assert result % multiple == 0
    assert result >= multiple
    # 1e-6: a product that rounding has lifted above a whole multiple counts as that multiple
    assert channels * width - 1e-6 <= result < channels * width + multiple + 1e-6


@pytest.mark.parametrize("form", FORMS)
def test_bounded_queries_have_a_mean_square_of_one_and_are_the_definition(form: str) -> None:
    layer, x = made(unit_queries=True, form=form), sequence(9).double()
    queries, _, _ = layer.parts(x)
    torch.testing.assert_close(queries.square().mean(1), torch.ones(2, 2, 9).double(), **EXACT)
    torch.testing.assert_close(layer(x), by_definition(layer, x), **EXACT)
    free = made(form=form)
    assert not torch.allclose(layer(x), free(x))


@torch.no_grad()
def test_a_gate_begins_shut_and_then_adds_what_the_layer_finds() -> None:
    torch.manual_seed(0)
    gated, x = GatedLambda(made()).double().eval(), sequence(9).double()
    torch.testing.assert_close(gated(x), x, **EXACT)
    nn.init.ones_(gated.gate.weight)
    found = gated.attend(x) / (1 + gated.gate.eps) ** 0.5  # fresh statistics: mean 0, variance 1
    torch.testing.assert_close(gated(x), x + found, **EXACT)
