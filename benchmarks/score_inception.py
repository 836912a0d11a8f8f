"""FID, IS, KID, precision, recall, density and coverage of a folder of images: one `ganeval score` against one `fidelity`.

    python benchmarks/score_inception.py                   5,000 + 5,000 images; about 35 minutes on 2 cores
    python benchmarks/score_inception.py --images 2500     half of it
    python benchmarks/score_inception.py --quick           a smoke test: 40 + 40 images, FID and IS alone

Whole processes, from start to printed result, cold caches, all cores; both read the same PNG files and the same file of random
Inception weights (Kaiming, the statistics of its normalisations those of the images, seeded). fidelity is given one extractor
for all metrics, so that it too makes one pass; it gives neither density, coverage nor standard errors. The last row is a second
score against the same reference: other images, of which half the number is extracted and nothing of the reference.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from side_by_side import figure, machine, report
from torch import nn

from ganeval.extractors.inception import FIDInception
from ganeval.protocols import PROTOCOLS

SIZE = 32
CLASSES = ("a", "b")
THEIR_NAMES = {
    "frechet_inception_distance": "fid",
    "inception_score_mean": "is",
    "kernel_inception_distance_mean": "kid",
    "precision": "precision",
    "recall": "recall",
}


def pictures(count: int, seed: int, contrast: float) -> np.ndarray:
    """(count, SIZE, SIZE, 3) uint8: waves of colour with noise on them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    waves = rng.uniform(0.5, 3, (count, 3, 2, 1, 1)) * 2 * np.pi
    grey = 127 + contrast * np.sin(waves[:, :, 0] * x + waves[:, :, 1] * y) + rng.normal(0, 12, (count, 3, SIZE, SIZE))
    return grey.clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def save(images: np.ndarray, root: Path) -> Path:
    for name in CLASSES:
        (root / name).mkdir(parents=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(root / CLASSES[index % len(CLASSES)] / f"{index:06d}.png")
    return root


def random_weights(path: Path) -> Path:
    """A file in the layout of the published Inception; no layer's activations fade or explode."""
    generator = torch.Generator().manual_seed(0)
    net = FIDInception(bias=True)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = torch.randn(module.weight.shape, generator=generator) * (2 / module.weight[0].numel()) ** 0.5
        elif isinstance(module, nn.Linear):
            module.weight.data = torch.randn(module.weight.shape, generator=generator) * 0.1
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            module.weight.data = 0.5 + torch.rand(module.weight.shape, generator=generator)
            module.bias.data = 0.2 * torch.randn(module.bias.shape, generator=generator)
    images = torch.from_numpy(pictures(8, 9, 90.0)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        net.train().trunk(nn.functional.interpolate(images, size=(299, 299)) / 128 - 1)
    torch.save({name.removeprefix("trunk."): value for name, value in net.eval().state_dict().items()}, path)
    return path


def run(command: Sequence[object], home: Path) -> tuple[float, dict[str, object]]:
    """Seconds of the process, and the JSON it printed."""
    began = time.perf_counter()
    kept = {**os.environ, "GANEVAL_HOME": str(home)}
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, env=kept)
    if done.returncode not in (0, 1) or not done.stdout.strip():  # 1: a metric could not be computed
        sys.exit(f"failed: {' '.join(map(str, command))}")
    found: dict[str, object] = json.loads(done.stdout[done.stdout.index("{") :])
    return time.perf_counter() - began, found


def theirs(fake: Path, real: Path, weights: Path, quick: bool, home: Path) -> tuple[float, dict[str, float]]:
    fidelity = shutil.which("fidelity", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    command = [
        fidelity, "--input1", fake, "--input2", real, "--samples-find-deep", "--cpu", "--json", "--no-cache", "--fid", "--isc",
        "--feature-extractor", "inception-v3-compat", "--feature-extractor-weights-path", weights,
    ]  # fmt: skip
    if not quick:
        command += ["--kid", "--prc", "--feature-layer-prc", "2048"]
    taken, found = run(command, home)
    return taken, {ours: float(found[key]) for key, ours in THEIR_NAMES.items() if key in found}  # type: ignore[arg-type]


def ours(
    fake: Path, real: Path, weights: Path, quick: bool, home: Path, protocol: str, precision: str
) -> tuple[float, dict[str, float]]:
    keys = "fid,is" if quick else "fid,is,kid,precision,recall,density,coverage"
    command = [
        sys.executable, "-m", "ganeval", "score", fake, "--dataset", real, "--extractor", f"inception:{weights}",
        "--protocol", protocol, "--metrics", keys, "--precision", precision, "--device", "cpu", "--json",
    ]  # fmt: skip
    taken, card = run(command, home)
    scores: list[dict[str, object]] = card["scores"]  # type: ignore[assignment]
    return taken, {str(score["key"]): float(score["value"]) for score in scores if score["value"] is not None}  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--protocol", default="torch-fidelity" if "torch-fidelity" in PROTOCOLS.names() else "small-v2")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count = 40 if options.quick else options.images
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        fake, real = save(pictures(count, 1, 80.0), root / "fake"), save(pictures(count, 2, 90.0), root / "real")
        other = save(pictures(count, 3, 85.0), root / "other")
        weights = random_weights(root / "random-inception.pth")
        measured = {"torch-fidelity": theirs(fake, real, weights, options.quick, root / "none")}
        for name, source, precision in (("fp32", fake, "fp32"), ("bf16", fake, "bf16"), ("fp32, reference known", other, "fp32")):
            home = root / f"home-{precision}"
            measured[f"ganeval {name}"] = ours(source, real, weights, options.quick, home, options.protocol, precision)
            print(f"{name}: {measured[f'ganeval {name}'][0]:.0f} s", file=sys.stderr)
    slow, reference = measured["torch-fidelity"]
    rows = []
    for name, (taken, values) in measured.items():
        same_images = "known" not in name
        rows.append(
            {
                "variant": name, "images": f"{count} + {count}", "pixels": SIZE, "protocol": options.protocol,
                "seconds": figure(taken), "times_torch_fidelity": figure(slow / taken),
                "fid_relative_difference": f"{abs(values['fid'] / reference['fid'] - 1):.1e}" if same_images else "",
                **{key: f"{value:.10g}" for key, value in values.items()}, **machine("torch-fidelity"),
            }
        )  # fmt: skip
    report("score_inception", rows, options.quick)


if __name__ == "__main__":
    main()
