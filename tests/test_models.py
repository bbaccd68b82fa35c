"""Networks have their published sizes, and every one keeps the promises of the table."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from watchword import models
from watchword.errors import ConfigError
from watchword.models import FORMS, MODELS, create, fold_norms, measure_size, set_form
from watchword.models.lambda_resnet import LambdaBlock
from watchword.models.layers import GatedLambda, TemporalLambda
from watchword.models.res15 import Res15

# Two ways of adding some thousand float64 numbers of order one are off by far less.
EXACT = {"atol": 1e-10, "rtol": 0.0}

ANY_BANDS: dict[str, dict[str, Any]] = {
    "bc_resnet": {"sub_bands": 1},
    "lambda_cast": {"sub_bands": 1},
}
"""What lets a network take any number of bands."""


def trained(name: str, *, width: float = 0.3, classes: int = 5, **options: Any) -> nn.Module:
    """Return a small network in float64 and eval mode, with statistics as after training."""
    torch.manual_seed(0)
    network = create(name, classes=classes, width=width, **options).double().eval()
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.5, 2.0)
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 2.0)
                nn.init.normal_(part.bias, std=0.1)
    return network


def features(name: str, frames: int, batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(frames)
    mels = models.entry(name).mels
    return torch.randn(batch, mels, frames, generator=generator, dtype=torch.float64)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# ------------------------------------------------------------------------------ published sizes


@pytest.mark.parametrize(
    ("name", "width", "parameters"),
    [
        ("lambda_resnet18", 1, (85_959, 86_569, 87_423)),
        ("lambda_resnet18", 2, (264_195, 265_405, 267_099)),
        ("tc_resnet14_paper", 1, (146_083, 146_573, 147_259)),
        ("res15", 1, (237_836, 238_296, 238_940)),
    ],
)
def test_networks_of_the_paper_have_its_parameters(
    name: str, width: float, parameters: tuple[int, ...]
) -> None:
    assert tuple(count(create(name, classes=c, width=width)) for c in (11, 21, 35)) == parameters


@pytest.mark.parametrize(
    ("name", "width", "parameters"),
    [
        ("bc_resnet", 1, 9_232),
        ("bc_resnet", 8, 321_068),
        ("kwt", 1, 607_308),
        ("ds_cnn", 1, 23_180),
    ],
)
def test_networks_have_the_parameters_of_their_published_weights(
    name: str, width: float, parameters: int
) -> None:
    assert count(create(name, classes=12, width=width)) == parameters


@pytest.mark.parametrize(
    ("name", "width", "options", "outputs", "printed", "unit"),
    [
        ("bc_resnet", 3, {}, 12, 54, 1),
        ("bc_resnet", 6, {}, 12, 188, 1),
        ("kwt", 1, {}, 12, 607, 1),
        ("kwt", 2, {}, 12, 2_394, 1),
        ("kwt", 3, {}, 12, 5_361, 1),
        ("matchboxnet", 1, {"repeats": 1}, 30, 77, 1),
        ("matchboxnet", 1, {}, 30, 93, 1),
        ("matchboxnet", 1, {}, 35, 93, 1),
    ],
)
def test_networks_have_the_thousands_of_parameters_that_their_papers_print(
    name: str, width: float, options: dict[str, Any], outputs: int, printed: float, unit: float
) -> None:
    thousands = count(create(name, classes=outputs, width=width, **options)) / 1_000
    assert abs(thousands - printed) <= unit / 2


@pytest.mark.parametrize(
    ("name", "width", "outputs", "frames", "thousands", "millions"),
    [
        ("bc_resnet", 1, 12, 101, 9.2, 2.482),  # PEERS §6, as the next three: 2.48 M
        ("bc_resnet", 8, 12, 101, 321.1, 85.92),  # 85.9 M
        ("kwt", 1, 12, 98, 607.3, 73.70),  # 73.7 M
        ("ds_cnn", 1, 12, 49, 23.2, 2.657),  # 2.66 M
        ("matchboxnet", 1, 35, 128, 93.4, 11.137),  # 11.26 with normalisation; SPEC §6: 11.3 M
        ("lambda_resnet18", 1, 35, 101, 87.4, 2.241),
        ("lambda_resnet18", 2, 35, 101, 267.1, 5.620),
        ("tc_resnet14_paper", 1, 35, 101, 147.3, 1.800),
        ("res15", 1, 35, 101, 238.9, 958.8),
        ("tc_resnet14", 1, 12, 98, 135.9, 3.0305),  # the paper prints 137K, 3.03M
        ("tc_resnet14", 1.5, 12, 98, 303.0, 6.677),  # the paper prints 305K, 6.7M
        ("tc_resnet8", 1, 12, 98, 65.2, 1.5226),  # the paper prints 66K, 1.5M
        ("mhatt_rnn", 1, 12, 98, 743.0, 40.77),  # 743K with 20 coefficients
    ],
)
def test_sizes_are_those_that_were_counted(
    name: str, width: float, outputs: int, frames: int, thousands: float, millions: float
) -> None:
    network = create(name, classes=outputs, width=width, frames=frames)
    size = measure_size(network, mels=models.entry(name).mels, frames=frames)
    assert size.parameters == pytest.approx(1e3 * thousands, abs=50)
    assert size.macs == pytest.approx(1e6 * millions, rel=5e-4)
    assert size.frames == frames


def test_the_recurrent_network_multiplies_as_arithmetic_says() -> None:
    # Every frame: 5 · 10 + 50 · 1 taps for each of 20 bands; two directions of three gates of 128
    # units over 20 + 128, then 256 + 128 inputs; four heads of 256 twice. Once: 256 · 1024, 1024 ·
    # 64, 64 · 32, 32 · 12.
    frame = 20 * (50 + 50) + 2 * 3 * 128 * (148 + 384) + 2 * 4 * 256
    once = 256 * 1_024 + 1_024 * 64 + 64 * 32 + 32 * 12
    size = measure_size(create("mhatt_rnn", classes=12), mels=20, frames=98)
    assert size.macs == 98 * frame + once


STAGES = [  # parameters and MACs of the stem and the four stages, at 101 frames
    (
        1,
        [1_952, 8_648, 15_140, 24_176, 35_372],
        [190_080, 676_800, 574_200, 454_272, 343_560],
    ),
    (
        2,
        [1_952, 20_336, 45_272, 77_312, 117_992],
        [190_080, 1_555_200, 1_548_000, 1_297_920, 1_024_800],
    ),
]


@pytest.mark.parametrize(("width", "parameters", "macs"), STAGES)
def test_every_stage_has_the_size_of_the_table(
    width: int, parameters: list[int], macs: list[int]
) -> None:
    network = create("lambda_resnet18", classes=35, width=width, form="convolve").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 40, 101))
    flops = counter.get_flop_counts()
    assert isinstance(network.stages, nn.Sequential)
    assert isinstance(network.stem, nn.Module)
    blocks = [f"LambdaResNet18.stages.{i}" for i in range(8)]
    by_block = [sum(flops[name].values()) // 2 for name in blocks]
    sizes = [count(block) for block in network.stages]
    assert [count(network.stem), *(sum(sizes[i : i + 2]) for i in (0, 2, 4, 6))] == parameters
    stem = sum(flops["LambdaResNet18.stem"].values()) // 2
    assert [stem, *(sum(by_block[i : i + 2]) for i in (0, 2, 4, 6))] == macs


@pytest.mark.parametrize("frames", [3, 4, 98, 101])
def test_a_stem_keeps_half_of_the_frames(frames: int) -> None:
    network = trained("lambda_resnet18")
    assert isinstance(network.stem, nn.Module)
    x = features("lambda_resnet18", frames)
    assert network.stem(x).shape == (3, 16, (frames - 1) // 2)


# ---------------------------------------------------------------------------------- the counter


class Tiny(nn.Module):
    """A convolution, an einsum and a linear layer, to be counted by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3)
        self.linear = nn.Linear(9, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).relu()
        return self.linear(torch.einsum("bcn,bdn->bcd", y, y).flatten(1))


def test_multiplications_are_counted_as_by_hand() -> None:
    # frames 10 → 8: 8 · 3 · 2 · 3 in the convolution, 3 · 3 · 8 in the einsum, 9 · 4 at the end
    assert measure_size(Tiny(), mels=2, frames=10) == models.Size(
        parameters=(3 * 2 * 3 + 3) + (9 * 4 + 4), macs=144 + 72 + 36, frames=10
    )


def test_a_lambda_layer_multiplies_as_its_published_form() -> None:
    n, r, h, k, v = 50, 23, 4, 16, 6
    projection = n * 24 * (h * k + k + v)
    content, position = n * k * v + h * n * k * v, n * r * k * v + h * n * k * v
    size = measure_size(TemporalLambda(24), mels=24, frames=n)
    assert size.macs == projection + content + position


def test_counts_do_not_depend_on_the_form_and_change_nothing() -> None:
    for form in FORMS:
        network = create("lambda_resnet18", classes=35, form=form).double()
        network.eval().stages[0].train()  # type: ignore[index, union-attr, operator]
        modes = [part.training for part in network.modules()]
        assert measure_size(network, mels=40, frames=101).macs == 2_241_012
        assert [part.training for part in network.modules()] == modes
        forms = {part.form for part in network.modules() if isinstance(part, TemporalLambda)}
        assert forms == {form}
        assert all(parameter.grad is None for parameter in network.parameters())


# ------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lambda_resnet", {}, "no model is called 'lambda_resnet': did you mean lambda_resnet18"),
        ("res15", {"dropout": 0.1}, "res15 has no option 'dropout': it has none, so leave it out"),
        ("tc_resnet8", {"drop": 0.1}, r"has no option 'drop': did you mean dropout\? There are:"),
        ("tc_resnet8", {"channels": (8, 8)}, "tc_resnet8 has no option 'channels': There are:"),
        ("lambda_resnet18", {"heads": 0}, "with heads = 0 cannot .* whole number of at least 1;"),
        ("lambda_resnet18", {"heads": 2.5}, "with heads = 2.5 cannot be built: it needs a whole"),
        ("lambda_resnet18", {"heads": True}, "with heads = True cannot be built: it needs a whole"),
        ("lambda_resnet18", {"scope": -3}, "with scope = -3 cannot be built: it needs a whole"),
        ("lambda_resnet18", {"scope": [23, 7]}, "found 2 scopes for 4 stages, needed one for each"),
        ("lambda_resnet18", {"scope": [23, 23, 5, 0]}, r"5, 0\] cannot be built: it needs a whole"),
        ("lambda_resnet18", {"scope": "2323"}, "scope = '2323' cannot be built: it needs a whole"),
        ("lambda_resnet18", {"scope": 4}, "needed whole channels for each head and an odd scope"),
        (
            "lambda_resnet18",
            {"form": "fast"},
            "form = 'fast' .* needs one of convolve, window, map",
        ),
        ("lambda_resnet18", {"normalise_logits": "no"}, "= 'no' .* it needs true or false; change"),
        ("lambda_resnet18", {"embedding_deviation": "1"}, "= '1' cannot .* needs a number; change"),
        ("lambda_resnet18", {"embedding_deviation": -1.0}, r"std >= 0.*change model\.options"),
        ("mhatt_rnn", {"heads": 0}, "mhatt_rnn with heads = 0 cannot be built: it needs a whole"),
        ("mhatt_rnn", {"dropout": 1.5}, "dropout = 1.5: dropout probability has to be between"),
        ("mhatt_rnn", {"classes": 0}, "mhatt_rnn with 0 outputs, 20 bands and width 1 cannot"),
        ("tc_resnet8", {"mels": 0}, "with 3 outputs, 0 bands and width 1 cannot be built: all"),
        (
            "res15",
            {"width": 0.0},
            "40 bands and width 0 cannot be built: all three must be above 0",
        ),
        ("bc_resnet", {"sub_bands": 0}, "with sub_bands = 0 cannot .* whole number of at least 1"),
        ("kwt", {"frames": 0}, "kwt with 0 frames cannot be built: give the frames of its clips"),
        ("res15", {"width": math.nan}, "and width nan cannot be built: all three must be above 0"),
        ("res15", {"width": math.inf}, "and width inf cannot be built: .* above 0 and finite"),
    ],
)
def test_what_makes_no_network_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create(name, **{"classes": 3, **options})


def test_options_that_make_a_network_are_taken() -> None:
    options = {"heads": 2, "query_depth": 8, "intra_depth": 2, "scope": 5, "form": "map"}
    network = create("lambda_resnet18", classes=3, embedding_deviation=1, **options)
    layers = [part for part in network.modules() if isinstance(part, TemporalLambda)]
    assert len(layers) == 8
    assert {(layer.heads, *layer.embedding.shape, layer.form) for layer in layers} == {
        (2, 8, 2, 5, "map")
    }
    quiet = create("lambda_resnet18", classes=3, embedding_deviation=None)
    assert quiet(torch.zeros(2, 40, 98)).shape == (2, 3)


def test_every_stage_may_have_a_scope_of_its_own() -> None:
    network = create("lambda_resnet18", classes=3, scope=[23, 23, 15, 7])
    layers = [part for part in network.modules() if isinstance(part, TemporalLambda)]
    assert [layer.scope for layer in layers] == [23, 23, 23, 23, 15, 15, 7, 7]
    # two layers each save 16 embeddings for each of 8 and of 16 frames
    whole = create("lambda_resnet18", classes=3)
    assert count(whole) - count(network) == 2 * 16 * (8 + 16)


@pytest.mark.parametrize("name", ["lambda_resnet18", "tc_resnet14_paper"])
@pytest.mark.parametrize("frames", [0, 2])
def test_clips_shorter_than_the_stem_are_refused(name: str, frames: int) -> None:
    network = trained(name)
    with pytest.raises(ConfigError, match=f"features of {frames} frames, needed at least 3: give"):
        network(features(name, frames))
    with pytest.raises(ConfigError, match=f"features of {frames} frames, needed at least 3: give"):
        measure_size(network, mels=40, frames=frames)
    assert network(features(name, 3)).isfinite().all()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_does_not_fit_a_network_is_not_counted(name: str) -> None:
    refusal = r"0 frames.*(do not fit this network|needed (at least 3|49|98))"
    with pytest.raises(ConfigError, match=refusal):
        measure_size(create(name, classes=3, width=0.2), mels=40, frames=0)


def test_other_bands_than_the_network_was_built_for_are_not_counted() -> None:
    with pytest.raises(
        ConfigError, match=r"98 frames of 20 bands do not fit this network: .*bands"
    ):
        measure_size(create("tc_resnet8", classes=3), mels=20, frames=98)


# ----------------------------------------------------------------------------------------- laws


@given(st.sampled_from(sorted(MODELS)), st.floats(0.005, 3.0), st.integers(3, 40))
@settings(deadline=None, max_examples=60)
def test_any_width_builds(name: str, width: float, frames: int) -> None:
    options = ANY_BANDS.get(name, {})
    network = create(name, classes=4, width=width, mels=7, frames=frames, **options).eval()
    with torch.no_grad():
        logits = network(torch.zeros(2, 7, frames))
    assert logits.shape == (2, 4)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("frames", [5, 98, 101, 230])
@torch.no_grad()
def test_a_batch_gives_what_its_clips_give_one_by_one(name: str, frames: int) -> None:
    network, x = trained(name, frames=frames), features(name, frames)
    logits = network(x)
    assert logits.shape == (3, 5)
    assert logits.std(0).min() > 0  # clips that differ have logits that differ
    torch.testing.assert_close(torch.cat([network(clip[None]) for clip in x]), logits, **EXACT)


@pytest.mark.parametrize("name", sorted(MODELS))
@torch.no_grad()
def test_a_folded_network_computes_the_same(name: str) -> None:
    frames = models.entry(name).frames
    network, x = trained(name), features(name, frames)
    expected = network(x)
    torch.testing.assert_close(fold_norms(network)(x), expected, **EXACT)
    torch.testing.assert_close(fold_norms(network)(x), expected, **EXACT)


@torch.no_grad()
def test_a_network_computes_the_same_in_every_form() -> None:
    network, x = trained("lambda_resnet18", intra_depth=2), features("lambda_resnet18", 98)
    expected = network(x)
    for form in FORMS:
        set_form(network, form)
        torch.testing.assert_close(network(x), expected, **EXACT)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_parameter_learns(name: str) -> None:
    torch.manual_seed(0)
    network = create(name, classes=4, width=0.3).train()
    for part in network.modules():
        if isinstance(part, GatedLambda):
            torch.nn.init.ones_(part.gate.weight)  # at the start nothing passes, on purpose
    x = torch.randn(8, models.entry(name).mels, models.entry(name).frames)
    functional.cross_entropy(network(x), torch.arange(8) % 4).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("name", ["lambda_resnet18", "tc_resnet14_paper"])
@pytest.mark.parametrize(("classes", "limit"), [(11, 0.222), (21, 0.1223), (35, 0.075)])
def test_logits_of_length_one_can_never_be_sure(name: str, classes: int, limit: float) -> None:
    # best case: one output a, the others -b, a² + (c - 1) b² = 1, so that a + b = √(c / (c - 1))
    best = math.exp(math.sqrt(classes / (classes - 1)))
    assert best / (best + classes - 1) == pytest.approx(limit, rel=5e-3)
    network = trained(name, classes=classes, normalise_logits=True)
    logits = network(features(name, 98))
    torch.testing.assert_close(logits.norm(dim=1), torch.ones(3, dtype=torch.float64), **EXACT)
    assert logits.softmax(1).max() < limit * 1.005


def test_the_main_branch_is_rectified_before_the_sum() -> None:
    torch.manual_seed(0)
    block = LambdaBlock(8, 8, TemporalLambda(8), stride=1).eval()
    x = torch.randn(2, 8, 20)
    assert isinstance(block.pool, nn.Identity)  # a pool only where stride or width changes
    assert (block(x) >= x.relu()).all()  # what is added to the input is never below zero
    assert isinstance(LambdaBlock(8, 8, TemporalLambda(8), stride=2).pool, nn.AvgPool1d)
    assert isinstance(LambdaBlock(4, 8, TemporalLambda(8), stride=1).pool, nn.AvgPool1d)


def test_res15_is_wired_as_its_authors_wired_it() -> None:
    """Against the loop of the paper's own code, which counts the stem as layer 0."""
    network = trained("res15")
    assert isinstance(network, Res15)
    convs = [network.stem, *network.convs]
    x = old = features("res15", 30).unsqueeze(1)
    for i, conv in enumerate(convs):
        y = conv(x).relu()
        if i == 0:
            old = y
        if i > 0 and i % 2 == 0:
            x = old = y + old
        else:
            x = y
        if i > 0:
            x = network.norms[i - 1](x)
    dilations = [conv.dilation[0] for conv in network.convs]  # type: ignore[index, union-attr]
    assert dilations == [1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 16]
    expected = network.classify(x.flatten(2).mean(2))
    torch.testing.assert_close(network(features("res15", 30)), expected, **EXACT)


@pytest.mark.parametrize("name", ["tc_resnet8", "tc_resnet14"])
@pytest.mark.parametrize("width", [0.02, 1.0])
def test_narrow_networks_stride_as_wide_ones(name: str, width: float) -> None:
    network = create(name, classes=3, width=width)
    found = [part.stride[0] for part in network.modules() if isinstance(part, nn.Conv1d)]
    assert sum(stride == 2 for stride in found) == 2 * 3  # three blocks and their shortcuts


def test_dropout_is_for_training_alone() -> None:
    network, x = create("tc_resnet8", classes=3, dropout=0.9), torch.randn(4, 40, 98)
    network.eval()
    assert torch.equal(network(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))
