"""Images per second of training steps: a plain float32 loop against the shipped settings, as ratios on one machine.

    python benchmarks/train_step.py            # some minutes; writes benchmarks/results/train_step.csv
    python benchmarks/train_step.py --quick    # tiny networks, seconds: does it run?

A step is five discriminator updates and one generator update of ReACGAN on CIFAR-10's recipe at batch 64: with its 96 channels,
and with 32. Each loop is a process of its own; they take turns, one step of each, and medians are compared.

The plain loop is what a straightforward PyTorch program does, PyTorch-StudioGAN's included: float32, maps in NCHW, nearest
upsampling and then a 3x3 convolution, a 3x3 convolution and then average pooling, 1x1 convolutions of shortcuts after upsampling
and before pooling, gain and bias of conditional batch normalisation as two operations, Adam with its default implementation, the
C library's default way with freed memory. What that program does well, the plain loop does too: no graph of the generator in the
discriminator's updates, one power iteration per pass, data on the device. It computes the same function: its losses must be those
of the shipped loop.
What loading and logging cost beside a step: benchmarks/watching_cost.py.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from ganeval.allocator import keep_freed_memory
from ganeval.conditioning import base as conditioning_base
from ganeval.networks import layers, residual
from ganeval.networks.base import ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.residual import upsample
from ganeval.precision import Precision
from ganeval.recipes.cifar10 import REACGAN
from ganeval.recipes.recipe import Recipe
from ganeval.rng import generator_for
from ganeval.training.engine import Engine
from ganeval.training.state import TrainState, initial_state
from ganeval.training.step import RealImages, discriminator_update, generator_update

RESULTS = Path(__file__).parent / "results" / "train_step.csv"
CPU = torch.device("cpu")
SHAPE = ImageShape(3, 32)
VARIANTS: dict[str, Precision] = {"plain": "fp32", "fp32": "fp32", "bf16": "bf16"}


def recipe_of(channels: int, batch: int) -> Recipe:
    """ReACGAN's row of CIFAR-10 with so many channels and so large a batch."""
    backbone = REACGAN.backbone
    assert isinstance(backbone, BigGAN)
    narrow = replace(backbone, g_channels=channels, d_channels=channels)
    return replace(REACGAN, backbone=narrow, schedule=replace(REACGAN.schedule, batch_size=batch))


def plain_generator_block(self: residual.GeneratorBlock, x: Tensor, condition: Tensor) -> Tensor:
    h = self.conv1(upsample(relu(self.norm1(x, condition))))
    h = self.conv2(relu(self.norm2(h, condition)))
    drawn: Tensor = h + self.shortcut(upsample(x))
    return drawn


def plain_discriminator_block(self: residual.DiscriminatorBlock, x: Tensor) -> Tensor:
    rectified = relu(self.norm1(x))
    h = self.conv2(relu(self.norm2(self.conv1(rectified))))
    kept = self.shortcut(self.norm0(rectified if self.rectify_shortcut else x))
    judged: Tensor = avg_pool2d(h, 2) + avg_pool2d(kept, 2) if self.halve else h + kept
    return judged


def plain_first_block(self: residual.FirstBlock, x: Tensor) -> Tensor:
    h = self.conv2(relu(self.norm1(self.conv1(x))))
    judged: Tensor = avg_pool2d(h, 2) + self.shortcut(self.norm0(avg_pool2d(x, 2)))
    return judged


def plain_conditional_norm(self: layers.ConditionalBatchNorm, x: Tensor, condition: Tensor) -> Tensor:
    gain, bias = 1.0 + self.gain(condition), self.bias(condition)
    normalised: Tensor = self.bn(x) * gain[:, :, None, None] + bias[:, :, None, None]
    return normalised


@contextmanager
def plain_networks() -> Iterator[None]:
    """Inside the block the networks compute in the plain order."""

    def as_it_is(x: Tensor) -> Tensor:
        return x

    with (
        patch.object(residual.GeneratorBlock, "forward", plain_generator_block),
        patch.object(residual.DiscriminatorBlock, "forward", plain_discriminator_block),
        patch.object(residual.FirstBlock, "forward", plain_first_block),
        patch.object(layers.ConditionalBatchNorm, "forward", plain_conditional_norm),
        patch.object(residual, "channels_last", as_it_is),
        patch.object(conditioning_base, "channels_last", as_it_is),
    ):
        yield


def default_adam(network: nn.Module, optimizer: torch.optim.Optimizer) -> torch.optim.Adam:
    """Adam with the settings of ``optimizer`` in torch's default implementation."""
    group = optimizer.param_groups[0]
    return torch.optim.Adam(network.parameters(), group["lr"], group["betas"], group["eps"], group["weight_decay"])


class Loop:
    """One way to train: :meth:`step` does one step and gives the seconds of its D updates and of its G update."""

    def __init__(self, variant: str, recipe: Recipe) -> None:
        self.variant, self.recipe, self.done = variant, recipe, 0
        self.state: TrainState = initial_state(recipe, SHAPE, 10, 0, CPU)
        Engine(precision=VARIANTS[variant]).apply_to(self.state, recipe)
        if variant == "plain":
            self.state.g_optimizer = default_adam(self.state.generator, self.state.g_optimizer)
            self.state.d_optimizer = default_adam(self.state.discriminator, self.state.d_optimizer)
        pixels = torch.randint(0, 256, (1000, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
        self.reals = RealImages(pixels, torch.arange(1000) % 10, recipe.data.flip, 0, CPU)
        self.first_losses: list[float] = []

    def batches(self, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        size = self.recipe.schedule.batch_size
        position = self.done * self.recipe.schedule.images_per_step
        while True:
            yield self.reals.batch(size, position, rng)
            position += size

    def step(self) -> tuple[float, float]:
        with plain_networks() if self.variant == "plain" else nullcontext():
            rng = generator_for(CPU, 0, "step", self.done)
            batches = self.batches(rng)
            began = time.perf_counter()
            for _ in range(self.recipe.schedule.d_steps):
                log = discriminator_update(self.state, self.recipe, batches, rng)
                if self.done == 0:
                    self.first_losses.append(float(log["d_loss"]))
            between = time.perf_counter()
            log = generator_update(self.state, self.recipe, batches, rng)
            ended = time.perf_counter()
            if self.done == 0:
                self.first_losses.append(float(log["g_loss"]))
        self.done += 1
        return between - began, ended - between


def require_equal_losses(loops: dict[str, Child]) -> None:
    """The plain loop computes the same: its first loss agrees to 1e-4, those after updates, which magnify rounding, to 1e-2."""
    plain, shipped = (torch.tensor(loops[name].ask("losses"), dtype=torch.float64) for name in ("plain", "fp32"))
    torch.testing.assert_close(shipped[:1], plain[:1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(shipped, plain, rtol=1e-2, atol=1e-2)


class Child:
    """A loop in a process of its own, which does a step when it is told to."""

    def __init__(self, variant: str, channels: int, batch: int) -> None:
        threads = str(torch.get_num_threads())
        command = [sys.executable, __file__, "--serve", variant, str(channels), str(batch), "--threads", threads]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, word: str) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("a loop has ended: its own message says why")
        return json.loads(answer)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *reason: object) -> None:
        self.process.kill()
        self.process.communicate()


def serve(variant: str, channels: int, batch: int) -> None:
    """Answer words on stdin until there are no more: ``step`` with its seconds, ``losses``, ``peak`` with MiB."""
    if variant != "plain":
        keep_freed_memory()
    loop = Loop(variant, recipe_of(channels, batch))
    answers: dict[str, Callable[[], object]] = {"step": loop.step, "losses": lambda: loop.first_losses, "peak": own_peak}
    for word in sys.stdin:
        print(json.dumps(answers[word.strip()]()), flush=True)


def own_peak() -> int:
    """The largest resident set of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # not ru_maxrss, which on Linux begins with what the parent had
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20


def measure(channels: int, batch: int, rounds: int) -> list[dict[str, object]]:
    """One row per variant."""
    seconds: dict[str, list[tuple[float, float]]] = {variant: [] for variant in VARIANTS}
    with ExitStack() as children:
        loops = {variant: children.enter_context(Child(variant, channels, batch)) for variant in VARIANTS}
        for loop in loops.values():
            loop.ask("step")  # the first step allocates and compiles kernels
        require_equal_losses(loops)
        for _ in range(rounds):
            for variant, loop in loops.items():
                seconds[variant].append(loop.ask("step"))
        peak = {variant: loop.ask("peak") for variant, loop in loops.items()}
    whole = {variant: median(d + g for d, g in times) for variant, times in seconds.items()}
    updates = recipe_of(channels, batch).schedule.d_steps
    return [
        {
            "channels": channels, "batch": batch, "loop": variant, "steps": rounds,
            "d_images_per_second": round(batch * updates / median(d for d, _ in times), 1),
            "g_images_per_second": round(batch / median(g for _, g in times), 1),
            "step_seconds": round(whole[variant], 4), "ratio": round(whole["plain"] / whole[variant], 2),
            "peak_mib": peak[variant],
            "cpu": cpu_name(), "threads": torch.get_num_threads(), "torch": torch.__version__,
        }
        for variant, times in seconds.items()
    ]  # fmt: skip


def cpu_name() -> str:
    """The processor, and whether it has AMX."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}{' with AMX' if 'amx_bf16' in text else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="tiny networks; only prints")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--serve", nargs=3, metavar=("LOOP", "CHANNELS", "BATCH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.serve:
        variant, channels, batch = arguments.serve
        return serve(variant, int(channels), int(batch))
    sizes, rounds = (((4, 8),), 2) if arguments.quick else (((32, 64), (96, 64)), arguments.rounds)
    rows = [row for channels, batch in sizes for row in measure(channels, batch, rounds)]
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items() if name not in ("cpu", "torch", "threads")))
    if not arguments.quick:
        with RESULTS.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return None


if __name__ == "__main__":
    main()
