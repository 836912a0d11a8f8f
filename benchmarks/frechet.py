"""The Fréchet distance from moments: Cholesky and symmetric eigenvalues against scipy's matrix root and torch-fidelity.

    python benchmarks/frechet.py            2048 dimensions, full rank; about 2 minutes on 2 cores
    python benchmarks/frechet.py --quick    a smoke test of seconds

Wall time, all cores, median of --repeats rounds, the variants in turn. Covariances are given to all; what differs is the trace of
the root. ganeval twice: from scratch, and with the factor of the reference that a second score finds in memory.
"""

from __future__ import annotations

import argparse
import functools

import numpy as np
import scipy.linalg
from side_by_side import figure, machine, report, seconds_in_turn
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

from ganeval.features import FeatureBank, Moments, moments_of
from ganeval.metrics.frechet import Frechet, frechet_distance


def features(seed: int, count: int, dimensions: int, shift: float) -> np.ndarray:
    """Correlated and rectified, with a spectrum that falls as that of Inception features does."""
    rng = np.random.default_rng(seed)
    scales = np.arange(1, dimensions + 1) ** -0.5
    mixing = np.random.default_rng(0).standard_normal((dimensions, dimensions)) / np.sqrt(dimensions)
    made = (rng.standard_normal((count, dimensions)) * scales) @ mixing + 0.1 * rng.standard_normal((count, dimensions))
    return np.maximum(made + 0.3 + shift, 0).astype(np.float32)


def by_scipy(a: Moments, b: Moments) -> float:
    """The definition, as pytorch-fid, clean-fid and StudioGAN compute it."""
    root = scipy.linalg.sqrtm(a.cov @ b.cov)
    shift = a.mean - b.mean
    return float(shift @ shift + np.trace(a.cov) + np.trace(b.cov) - 2 * np.trace(root).real)


def by_torch_fidelity(a: Moments, b: Moments) -> float:
    statistics = ({"mu": each.mean, "sigma": each.cov} for each in (a, b))
    return float(fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    dimensions, samples, repeats = (128, 600, 2) if options.quick else (options.dimensions, options.samples, options.repeats)
    fake, real = FeatureBank(features(1, samples, dimensions, 0.02)), FeatureBank(features(2, samples, dimensions, 0.0))
    a, b = moments_of(fake.features), moments_of(real.features)
    Frechet().compute(fake, real)  # moments and factor are in memory afterwards
    ways = {
        "scipy sqrtm": functools.partial(by_scipy, a, b),
        "torch-fidelity": functools.partial(by_torch_fidelity, a, b),
        "ganeval": functools.partial(frechet_distance, a, b),
        "ganeval, reference known": functools.partial(Frechet().compute, fake, real),
    }
    values = {name: run() for name, run in ways.items()}
    exact = values["ganeval"]
    seconds = seconds_in_turn(repeats, **ways)
    rows = []
    for name in ways:
        value = values[name]["fid"] if isinstance(values[name], dict) else values[name]
        rows.append(
            {
                "variant": name, "dimensions": dimensions, "samples": samples, "repeats": repeats,
                "seconds": figure(seconds[name]),
                "times_scipy": figure(seconds["scipy sqrtm"] / seconds[name]),
                "times_torch_fidelity": figure(seconds["torch-fidelity"] / seconds[name]),
                "distance": f"{value:.12g}", "relative_difference": f"{abs(value / exact - 1):.1e}",
                **machine("scipy", "torch-fidelity"),
            }
        )  # fmt: skip
    report("frechet", rows, options.quick)


if __name__ == "__main__":
    main()
