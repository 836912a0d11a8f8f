"""``ganeval ref``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganeval import defaults
from ganeval.cli.options import DEVICE, PATH, with_weights

if TYPE_CHECKING:
    from ganeval.extractors.base import Precision


@click.command(short_help="Compute reference statistics, keep them and write them.")
@click.argument("dataset")
@click.option("--protocol", default=defaults.PROTOCOL, show_default=True, help="Which split; see 'ganeval ls protocols'.")
@click.option("--extractor", metavar="NAME[:PATH]", help="Instead of the dataset's own; see 'ganeval ls extractors'.")
@click.option("--weights", type=PATH, metavar="FILE", help="Of the extractor: EXTRACTOR:FILE for short.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True, help="Of the extractor.")
@click.option("--resolution", type=click.IntRange(1), metavar="N", help="Of the images to score.  [default: the dataset's]")
@click.option("--out", type=PATH, metavar="FILE.npz", help="Also write them to this file.")
@DEVICE
def ref(
    dataset: str, protocol: str, extractor: str | None, weights: Path | None, precision: Precision, resolution: int | None,
    out: Path | None, device: str,
) -> None:  # fmt: skip
    """Compute the mean and the covariance of DATASET's reference images, once: every later score finds them.

    The file has mu and sigma, as pytorch-fid, clean-fid and ADM read them, and says what it depends on.

    \b
    ganeval ref digits --out digits.npz
    ganeval score samples/ --reference digits.npz
    """
    from ganeval.errors import UserError
    from ganeval.files import require_apart, require_writable
    from ganeval.reference import reference_of
    from ganeval.terminal import extraction_progress

    require_apart({"--out": out}, {"--weights": weights})
    if out:
        require_writable(out)
        if out.suffix.lower() != ".npz":
            raise UserError(f"--out {out}: give the file a name that ends in .npz")
    with extraction_progress() as talk:
        found = reference_of(
            dataset, protocol=protocol, extractor=with_weights(protocol, extractor, weights), precision=precision,
            resolution=resolution, device=device, talk=talk,
        )  # fmt: skip
    if out:
        found.write(out)
    record = found.record
    click.echo(
        f"{record['dataset']} {record['split']}: {found.moments.count:,} images of {record['resolution']} px, "
        f"{len(found.moments.mean)} features of {record['extractor']}, protocol {record['protocol']} "
        f"{record['protocol_sha256'][:8]}; {found.seconds:.1f} s"
    )
    if out:
        click.echo(out)
