"""The extractors ``resnet20-cifar10`` to ``resnet56-cifar10``: public classifiers of CIFAR-10.

He et al., CVPR 2016, arXiv 1512.03385, section 4.2, with parameter-free shortcuts (option A). The weights are those of
akamaster/pytorch_resnet_cifar10 (BSD 2-Clause), whose accuracies on CIFAR-10's test split stand in the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ganeval.classifiers.resnet import CifarResNet
from ganeval.extractors.network import IMAGENET, Input, Known, NetworkExtractor
from ganeval.extractors.published import PublishedExtractor
from ganeval.extractors.registry import EXTRACTORS
from ganeval.extractors.resize import PIL_BILINEAR
from ganeval.extractors.weights import PublishedFile, Weights, load_into

SOURCE = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIZE = 32


@dataclass(frozen=True)
class Published:
    """A depth, its file, and the accuracy its author reports on CIFAR-10's test split."""

    depth: int
    file: PublishedFile
    accuracy: float


TABLE = (
    Published(20, PublishedFile(f"{SOURCE}resnet20-12fca82f.th"), 0.9173),
    Published(32, PublishedFile(f"{SOURCE}resnet32-d509ac18.th"), 0.9263),
    Published(44, PublishedFile(f"{SOURCE}resnet44-014dd654.th"), 0.9310),
    Published(56, PublishedFile(f"{SOURCE}resnet56-4bfd9763.th"), 0.9339),
)


def build_resnet(published: Published, name: str, weights: Weights) -> NetworkExtractor:
    """The extractor from a file of the published layout."""
    net = CifarResNet(published.depth)
    load_into(net, weights.tensors, weights)
    original = weights.sha256.startswith(published.file.sha256_prefix)
    record: dict[str, object] = {"dataset": "cifar10", "test_accuracy": published.accuracy} if original else {}
    known = Known(name, weights.sha256, net.feature_dim, "10 classes of CIFAR-10", CLASSES, record)
    return NetworkExtractor(net, Input(SIZE, PIL_BILINEAR, IMAGENET), known, cpu_block=64)


for _row in TABLE:
    _name = f"resnet{_row.depth}-cifar10"
    _text = f"ResNet-{_row.depth}, a public classifier of CIFAR-10 ({_row.accuracy:.1%} on its test split)"
    EXTRACTORS.add(_name, PublishedExtractor(_name, _text, _row.file, partial(build_resnet, _row)))
