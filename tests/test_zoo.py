"""The networks we are compared with are wired as their papers say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from watchword.errors import ConfigError
from watchword.models import create, measure_size
from watchword.models.bc_resnet import BcResNet, BroadcastBlock, SubSpectralNorm
from watchword.models.ds_cnn import DsCnn
from watchword.models.kwt import Kwt, KwtLayer
from watchword.models.matchboxnet import MatchboxNet
from watchword.models.separable import BandConv, FrameConv, band_matrix
from watchword.sync import SyncBatchNorm

# Two ways of adding some thousand float64 numbers of order one are off by far less.
EXACT = {"atol": 1e-10, "rtol": 0.0}


def noise(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def kernels(network: nn.Module) -> list[tuple[int, int]]:
    """Return frames and dilation of every depthwise convolution over time."""
    found = [part for part in network.modules() if isinstance(part, FrameConv)]
    return [(part.kernel_size[0], part.dilation[0]) for part in found]


# ------------------------------------------------------------------------- depthwise convolutions


@pytest.mark.parametrize("taps", [1, 3, 5])
@pytest.mark.parametrize(("bands", "step"), [(1, 1), (5, 1), (5, 2), (20, 2), (7, 3)])
def test_band_convolutions_learn_as_they_compute(bands: int, taps: int, step: int) -> None:
    check_that_forms_agree(BandConv(6, taps, step=step), noise(3, 6, bands, 11))


@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (3, 8), (5, 2), (9, 1), (17, 1), (29, 2)])
@pytest.mark.parametrize("frames", [1, 4, 40])
def test_frame_convolutions_learn_as_they_compute(frames: int, taps: int, dilation: int) -> None:
    check_that_forms_agree(FrameConv(6, taps, dilation=dilation), noise(3, 6, frames))


def check_that_forms_agree(conv: nn.Module, x: Tensor) -> None:
    """Compare outputs and gradients of training with those of torch's own convolution."""
    conv.double()
    x.requires_grad_()
    answers = []
    for network in (conv.train(), conv.eval()):
        y = network(x)
        weight = next(network.parameters())
        answers.append((y, *torch.autograd.grad(y, (x, weight), noise(*y.shape))))
    for learned, computed in zip(*answers, strict=True):
        torch.testing.assert_close(learned, computed, **EXACT)


def test_a_band_matrix_holds_the_taps_that_are_inside() -> None:
    wide = band_matrix(torch.tensor([[1.0, 2.0, 3.0]]), 4, dilation=2)
    assert wide.tolist() == [[[2, 0, 3, 0], [0, 2, 0, 3], [1, 0, 2, 0], [0, 1, 0, 2]]]


# ------------------------------------------------------------------------------------ BC-ResNet


def test_each_sub_band_is_normalised_on_its_own() -> None:
    norm, x = SubSpectralNorm(4, 5).double(), noise(3, 4, 10, 7)
    expected = torch.cat(
        [F.batch_norm(part, None, None, training=True) for part in x.chunk(5, dim=2)], dim=2
    )
    torch.testing.assert_close(norm(x), expected, **EXACT)


def test_the_gains_of_a_sub_band_go_to_its_channel_and_bands() -> None:
    norm = SubSpectralNorm(2, 5).double().eval()
    norm.norm.weight.data = torch.arange(10, dtype=torch.float64)
    y = norm(torch.ones(1, 2, 10, 1, dtype=torch.float64))
    gains = y.flatten() * (1 + norm.norm.eps) ** 0.5
    expected = torch.arange(10, dtype=torch.float64).repeat_interleave(2)
    torch.testing.assert_close(gains, expected, **EXACT)


def test_bands_that_cannot_be_divided_are_refused() -> None:
    message = r"found 32 bands .* needed a multiple of 5 .* change features\.mels"
    with pytest.raises(ConfigError, match=message):
        measure_size(create("bc_resnet", classes=3, mels=64), mels=64, frames=98)
    assert measure_size(create("bc_resnet", classes=3, mels=80), mels=80, frames=98).macs > 0


@torch.no_grad()
@pytest.mark.parametrize("is_transition", [False, True])
def test_what_time_says_is_added_to_every_band(*, is_transition: bool) -> None:
    torch.manual_seed(0)
    block = BroadcastBlock(6, 6, is_transition=is_transition, dilation=2).double().eval()
    x = noise(3, 6, 10, 12)
    seen = block.frequency(block.mix(x))
    heard = block.time(seen.mean(2))
    expected = torch.stack([seen[:, :, band] + heard for band in range(10)], dim=2)
    expected = expected if is_transition else expected + x
    torch.testing.assert_close(block(x), expected.relu(), **EXACT)


def test_a_broadcast_network_halves_the_bands_three_times_and_keeps_the_frames() -> None:
    network = BcResNet(mels=40, classes=12).eval()
    shapes = []
    x = network.stem(torch.zeros(1, 1, 40, 30))
    for block in network.stages:
        shapes.append(tuple(x.shape[1:]))
        x = block(x)
    bands = [20] * 3 + [10] * 2 + [5] * 7
    channels = [16] + [8] * 2 + [12] * 2 + [16] * 4 + [20] * 3
    assert shapes == [(c, b, 30) for c, b in zip(channels, bands, strict=True)]
    assert network.head(x).shape == (1, 32, 1, 30)
    assert kernels(network) == [(3, 1)] * 2 + [(3, 2)] * 2 + [(3, 4)] * 4 + [(3, 8)] * 4


def test_joint_normalisation_takes_the_place_of_every_norm_of_a_sub_band() -> None:
    network = create("bc_resnet", classes=3, width=0.3).double().eval()
    x, names = noise(2, 40, 20), list(network.state_dict())
    expected = network(x)
    twin = SyncBatchNorm.convert(network)
    assert sum(isinstance(part, SyncBatchNorm) for part in twin.modules()) == 1 + 12 * 2 + 4 + 1
    assert list(twin.state_dict()) == names
    torch.testing.assert_close(twin(x), expected, **EXACT)


# ------------------------------------------------------------------------------------------ KWT


@torch.no_grad()
@pytest.mark.parametrize("heads", [1, 3])
def test_a_layer_attends_as_that_of_torch(heads: int) -> None:
    torch.manual_seed(0)
    layer = KwtLayer(12, heads).double()
    twin = nn.TransformerEncoderLayer(
        12, heads, 48, dropout=0.0, activation="gelu", batch_first=True, dtype=torch.float64
    )
    first, _, last = layer.perceptron
    weights = {
        "self_attn.in_proj_weight": layer.ask.weight,
        "self_attn.in_proj_bias": torch.zeros(36),
        **{f"self_attn.out_proj.{key}": value for key, value in layer.join.state_dict().items()},
        **{f"linear1.{key}": value for key, value in first.state_dict().items()},
        **{f"linear2.{key}": value for key, value in last.state_dict().items()},
        **{f"norm1.{key}": value for key, value in layer.attend_norm.state_dict().items()},
        **{f"norm2.{key}": value for key, value in layer.perceptron_norm.state_dict().items()},
    }
    twin.load_state_dict(weights)
    x = noise(2, 9, 12)
    torch.testing.assert_close(layer(x), twin.train()(x), **EXACT)


def test_a_transformer_multiplies_as_arithmetic_says() -> None:
    # 98 projections of 40 bands; 12 layers over 99 tokens: queries, keys, values and their join,
    # two products of 99 × 99 × 64, a perceptron of 256; 12 outputs
    layer = 99 * (64 * 192 + 64 * 64) + 2 * 99 * 99 * 64 + 99 * 2 * 64 * 256
    size = measure_size(Kwt(mels=40, classes=12), mels=40, frames=98)
    assert size.macs == 98 * 40 * 64 + 12 * layer + 64 * 12


@pytest.mark.parametrize(("width", "heads", "channels"), [(1, 1, 64), (2, 2, 128), (3, 3, 192)])
def test_a_wider_transformer_has_more_heads_of_64_channels(
    width: float, heads: int, channels: int
) -> None:
    network = Kwt(mels=40, classes=12, width=width)
    assert {layer.heads for layer in network.layers} == {heads}  # type: ignore[union-attr]
    assert network.position.shape == (1, 99, channels)


def test_a_transformer_hears_the_order_of_frames() -> None:
    torch.manual_seed(0)
    network, x = Kwt(mels=8, classes=3, frames=20).double().eval(), noise(1, 8, 20)
    assert not torch.allclose(network(x), network(x.flip(2)))
    network.position.data.zero_()
    torch.testing.assert_close(network(x), network(x.flip(2)), **EXACT)


@pytest.mark.parametrize("frames", [97, 101])
def test_clips_of_another_length_are_refused(frames: int) -> None:
    network = create("kwt", classes=3)
    message = f"found features of {frames} frames, needed 98: this network has a position embedding"
    with pytest.raises(ConfigError, match=message):
        network(torch.zeros(1, 40, frames))
    assert create("kwt", classes=3, frames=frames)(torch.zeros(1, 40, frames)).shape == (1, 3)


# --------------------------------------------------------------------------------- MatchboxNet


def test_a_matchbox_has_the_filters_of_its_paper() -> None:
    blocks = [(13, 1), (13, 1), (15, 1), (15, 1), (17, 1), (17, 1)]
    assert kernels(MatchboxNet(mels=64, classes=35)) == [(11, 1), *blocks, (29, 2)]
    small = MatchboxNet(mels=64, classes=35, blocks=2, repeats=1)
    assert kernels(small) == [(11, 1), (13, 1), (15, 1), (29, 2)]


@torch.no_grad()
def test_a_matchbox_block_adds_its_shortcut_before_the_last_rectifier() -> None:
    block = MatchboxNet(mels=8, classes=3, width=0.1, repeats=3).double().eval().blocks[0]
    x = noise(2, 128, 20)
    y = x
    for number, part in enumerate(block.parts):
        assert isinstance(part, nn.ReLU) == bool(number % 2)
        y = part(y)
    assert len(block.parts) == 5
    torch.testing.assert_close(block(x), (y + block.shortcut(x)).relu(), **EXACT)


# --------------------------------------------------------------------------------------- DS-CNN


def test_a_small_network_multiplies_as_arithmetic_says() -> None:
    # the stem halves 10 × 49 to 5 × 25; four blocks of 9 taps a channel and 64 × 64
    places = 5 * 25
    size = measure_size(DsCnn(mels=10, classes=12), mels=10, frames=49)
    assert size.macs == places * 64 * 40 + 4 * places * (9 * 64 + 64 * 64) + 64 * 12
    # 23,756 trained numbers of the published weights: a bias for each of nine times 64 channels,
    # which the normalisation takes away again
    assert size.parameters == 23_756 - 9 * 64


@torch.no_grad()
@pytest.mark.parametrize("mels", [9, 10])
@pytest.mark.parametrize("frames", [2, 49, 50])
def test_the_stem_pads_as_published(mels: int, frames: int) -> None:
    """Half of the padding on either side, the odd one last, outputs rounded up: "same"."""
    network, x = DsCnn(mels=mels, classes=3, width=0.1).double().eval(), noise(2, 1, mels, frames)
    sides = []
    for size, kernel in ((frames, 10), (mels, 4)):
        missing = max(0, ((size + 1) // 2 - 1) * 2 + kernel - size)
        sides += [missing // 2, missing - missing // 2]
    conv = network.stem[1]
    assert isinstance(conv, nn.Conv2d)
    expected = F.conv2d(F.pad(x, sides), conv.weight, stride=2)
    assert expected.shape[2:] == ((mels + 1) // 2, (frames + 1) // 2)
    torch.testing.assert_close(network.stem[:2](x), expected, **EXACT)


def test_a_small_network_drops_half_as_much_after_its_stem_as_at_its_end() -> None:
    drops = [part.p for part in DsCnn(mels=10, classes=3).modules() if isinstance(part, nn.Dropout)]
    assert drops == [0.2, 0.4]  # as published
