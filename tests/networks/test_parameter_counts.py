"""Parameter counts of the published networks, as PyTorch-StudioGAN (commit 947b35e) has them.

A discriminator's count is that of our body and, in arithmetic, of the head its conditioning scheme puts on h (N, C): one
output with bias always; then PD K x C, AC K x C, 2C and D2D-CE (C + 1) x E + K x E; ADC with 2K for K; TAC the scheme's
layers twice; MH K + 1 outputs and MD K instead of one; InfoGAN K x C more for its code of K values. The listing has two of
the five InfoGAN rows; the counts of the others follow from those of the same networks without a code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from ganeval.networks.base import Backbone, Body, ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import BigGANDeep, BigGANDeepStudioGAN
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.resnet import ResNet

Head = Callable[[int, int], int]


def outputs(count: Callable[[int], int]) -> Head:
    return lambda c, k: count(k) * (c + 1)


ONE = outputs(lambda k: 1)


def per_class(copies: int = 1) -> Head:
    return lambda c, k: ONE(c, k) + copies * k * c


def proxies(e: int, copies: int = 1, rows_per_class: int = 1) -> Head:
    return lambda c, k: ONE(c, k) + copies * ((c + 1) * e + rows_per_class * k * e)


def and_code(head: Head) -> Head:
    return lambda c, k: head(c, k) + k * c


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


SNGAN = ResNet(d_spectral_norm=True)
SAGAN = ResNet(g_spectral_norm=True, d_spectral_norm=True, g_attention=(2,), d_attention=(1,))
BN_RESNET = ResNet()
BN_RESNET_UNCONDITIONAL = ResNet(class_conditional=False)
CIFAR10 = BigGAN(g_attention=(2,), d_attention=(1,))
CIFAR10_UNCONDITIONAL = BigGAN(g_attention=(2,), d_attention=(1,), class_conditional=False)
TINY = BigGAN(z_dim=100, g_channels=80, d_channels=80, g_attention=(3,), d_attention=(1,))
CUB200 = BigGAN(z_dim=120, g_channels=80, d_channels=80, g_attention=(4,), d_attention=(1,))
IMAGENET = BigGAN(z_dim=120, g_attention=(4,), d_attention=(1,))
WITH_CODE = replace(CIFAR10, code_dim=10)
UNCOND_WITH_CODE = replace(CIFAR10_UNCONDITIONAL, code_dim=10)
DCGAN_WITH_CODE = DCGAN(class_conditional=False, code_dim=10)
BIGGAN_CODE = 128 * 11 + 6 * 2 * 384 * 128
DCGAN_CODE = 128 * 11 + 2 * (256 + 128 + 64) * (128 - 1)  # conditional norms in the place of plain ones
DEEP = BigGANDeep(g_attention=(2,), d_attention=(1,))
DEEP_STUDIOGAN = BigGANDeepStudioGAN(g_attention=(2,), d_attention=(1,))

ROWS: dict[str, tuple[Backbone, int, int, Head, int, int]] = {
    # name                         backbone  resolution  K    head         G           D
    "CIFAR10 SNGAN": (SNGAN, 32, 10, per_class(), 4_304_387, 1_055_105),
    "CIFAR10 SAGAN": (SAGAN, 32, 10, per_class(), 4_386_308, 1_075_586),
    "CIFAR10 ProjGAN": (BN_RESNET, 32, 10, per_class(), 4_304_387, 1_057_159),
    "CIFAR10 ACGAN-Mod": (BN_RESNET, 32, 10, per_class(), 4_304_387, 1_057_159),
    "CIFAR10 WGAN-GP": (BN_RESNET_UNCONDITIONAL, 32, 10, ONE, 4_276_739, 1_055_879),
    "CIFAR10 BigGAN": (CIFAR10, 32, 10, per_class(), 9_416_196, 2_415_170),
    "CIFAR10 BigGAN-Uncond": (CIFAR10_UNCONDITIONAL, 32, 10, ONE, 8_825_092, 2_413_250),
    "CIFAR10 ACGAN-Mod-Big": (CIFAR10, 32, 10, per_class(), 9_416_196, 2_415_170),
    "CIFAR10 ACGAN-Mod-Big-TAC": (CIFAR10, 32, 10, per_class(2), 9_416_196, 2_417_090),
    "CIFAR10 ACGAN-Mod-Big-ADC": (CIFAR10, 32, 10, per_class(2), 9_416_196, 2_417_090),
    "CIFAR10 ContraGAN, ReACGAN": (CIFAR10, 32, 10, proxies(512), 9_416_196, 2_517_186),
    "CIFAR10 ReACGAN-TAC": (CIFAR10, 32, 10, proxies(512, copies=2), 9_416_196, 2_621_122),
    "CIFAR10 ReACGAN-ADC": (CIFAR10, 32, 10, proxies(512, rows_per_class=2), 9_416_196, 2_522_306),
    "CIFAR10 MHGAN": (CIFAR10, 32, 10, outputs(lambda k: k + 1), 9_416_196, 2_415_180),
    "CIFAR10 MDGAN": (CIFAR10, 32, 10, outputs(lambda k: k), 9_416_196, 2_414_987),
    "CIFAR10 DCGAN": (DCGAN(class_conditional=False), 32, 10, ONE, 3_812_355, 2_931_009),
    "CIFAR10 SNGAN-Info": (replace(SNGAN, code_dim=10), 32, 10, and_code(per_class()), 4_699_011, 1_056_385),
    "CIFAR10 BigGAN-Info": (WITH_CODE, 32, 10, and_code(per_class()), 10_007_428, 2_417_090),
    "CIFAR10 BigGAN-Info-Uncond": (UNCOND_WITH_CODE, 32, 10, and_code(ONE), 8_825_092 + BIGGAN_CODE, 2_413_250 + 1920),
    "CIFAR10 ReACGAN-Info": (WITH_CODE, 32, 10, and_code(proxies(512)), 9_416_196 + BIGGAN_CODE, 2_517_186 + 1920),
    "CIFAR10 DCGAN-Info": (DCGAN_WITH_CODE, 32, 10, and_code(ONE), 3_812_355 + DCGAN_CODE, 2_931_009 + 5120),
    "CIFAR10 BigGAN-Deep": (DEEP, 32, 10, per_class(), 7_762_948, 2_908_930),
    "CIFAR10 BigGAN-Deep-StudioGAN": (DEEP_STUDIOGAN, 32, 10, per_class(), 9_338_884, 3_177_730),
    "Tiny BigGAN": (TINY, 64, 200, per_class(), 17_335_204, 30_796_722),
    "Tiny ReACGAN": (TINY, 64, 200, proxies(768), 17_335_204, 31_678_130),
    "Tiny SNGAN": (SNGAN, 64, 200, per_class(), 13_366_915, 19_747_521),
    "CUB200 BigGAN": (CUB200, 128, 200, per_class(), 49_226_404, 60_290_482),
    "CUB200 ReACGAN": (CUB200, 128, 200, proxies(1024), 49_226_404, 61_551_026),
    "ImageNet BigGAN": (IMAGENET, 128, 1000, per_class(), 70_433_988, 87_982_370),
    "ImageNet ReACGAN": (IMAGENET, 128, 1000, proxies(2048), 70_433_988, 91_642_146),
    "ImageNet SNGAN": (SNGAN, 128, 1000, per_class(), 41_996_931, 39_443_137),
}


@pytest.mark.parametrize("name", ROWS)
def test_counts_are_the_published_ones(name: str) -> None:
    backbone, resolution, num_classes, head, g_count, d_count = ROWS[name]
    shape = ImageShape(3, resolution)
    with torch.device("meta"):
        generator, body = backbone.generator(shape, num_classes), backbone.discriminator(shape)
    assert isinstance(body, Body)
    assert count(generator) == g_count
    assert count(body) + head(body.features, num_classes) == d_count
