"""Resizing to 299 pixels: banded products and sums of few taps against Pillow's loop (clean-fid) and torch-fidelity's gather.

    python benchmarks/resize.py            32 to 1,024 pixels; about two minutes
    python benchmarks/resize.py --quick    a smoke test of seconds

One thread; process CPU time, which other programs on the machine disturb least; variants in turn, best of --repeats. The largest
difference from the peer, in grey levels, stands beside every ratio. ``all_threads``: the same ratio in wall time with every core,
of which Pillow's loop uses one and torch-fidelity's gather all. Eight images are what an extractor resizes at a time on a CPU; of
every variant freed memory stays with the process, as in all commands of ganeval.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import torch
from cleanfid.resize import build_resizer
from side_by_side import figure, machine, report
from torch import Tensor
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from ganeval.allocator import keep_freed_memory
from ganeval.extractors.resize import CLEAN, TF1_BILINEAR, Resizer

SIZE = 299

Resize = Callable[[Tensor], Tensor]


def by_clean_fid(images: Tensor) -> Tensor:
    resize = build_resizer("clean")
    return torch.stack([torch.from_numpy(resize(image.permute(1, 2, 0).numpy())).permute(2, 0, 1) for image in images])


def by_torch_fidelity(images: Tensor) -> Tensor:
    resized: Tensor = interpolate_bilinear_2d_like_tensorflow1x(images.float(), size=(SIZE, SIZE), align_corners=False)
    return resized


PAIRS: tuple[tuple[Resizer, str, Resize], ...] = (
    (CLEAN, "clean-fid", by_clean_fid),
    (TF1_BILINEAR, "torch-fidelity", by_torch_fidelity),
)


def best_of(repeats: int, *resizes: Resize, images: Tensor, threads: int, clock: Callable[[], float]) -> list[float]:
    """The shortest time of each by ``clock``, in seconds, taken in turn."""
    torch.set_num_threads(threads)
    best = [float("inf")] * len(resizes)
    for _ in range(repeats):
        for index, resize in enumerate(resizes):
            began = clock()
            resize(images)
            best[index] = min(best[index], clock() - began)
    return best


def rows(count: int, repeats: int, widths: tuple[int, ...]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for width in widths:
        images = torch.randint(
            0, 256, (count, 3, width, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(width)
        )
        for resizer, peer, theirs in PAIRS:

            def ours(x: Tensor, resizer: Resizer = resizer) -> Tensor:
                return resizer(x, SIZE)

            difference = float((ours(images) - theirs(images)).abs().max())
            cores = os.cpu_count() or 1
            slow_wall, fast_wall = best_of(repeats, theirs, ours, images=images, threads=cores, clock=time.perf_counter)
            slow, fast = best_of(repeats, theirs, ours, images=images, threads=1, clock=time.process_time)
            made.append(
                {
                    "filter": resizer.name, "peer": peer, "from": width, "to": SIZE, "images": count, "repeats": repeats,
                    "peer_ms": figure(1e3 * slow), "ganeval_ms": figure(1e3 * fast), "ratio": figure(slow / fast),
                    "all_threads": figure(slow_wall / fast_wall),
                    "grey_levels": f"{difference:.1e}", **machine("pillow", "clean-fid", "torch-fidelity"),
                }
            )  # fmt: skip
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    keep_freed_memory()
    quick = options.quick
    report(
        "resize", rows(options.images, 1 if quick else options.repeats, (32,) if quick else (32, 64, 128, 256, 512, 1024)), quick
    )


if __name__ == "__main__":
    main()
