"""``ganeval curve``."""

from __future__ import annotations

from pathlib import Path

import click

from ganeval.cli.options import PATH


@click.command(short_help="Draw losses, logits, norms and scores of runs over their steps.")
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN...")
@click.option("--out", type=PATH, default=Path("curve.png"), show_default=True, help="The picture, a .png file.")
@click.option("--csv", "table", type=PATH, help="Also write the numbers to this file.")
def curve(runs: tuple[Path, ...], out: Path, table: Path | None) -> None:
    """Draw the curves of RUN, or of several over each other, as one PNG.

    Losses, logits of real and generated images, gradient and spectral norms from the log; every metric that was evaluated
    during training, a star at the smallest Fréchet distance comparable with the last one.

    \b
    ganeval curve runs/reacgan-digits-seed0
    ganeval curve runs/a runs/b --out both.png --csv both.csv
    """
    from ganeval.files import require_writable, write_text
    from ganeval.training.curve import draw, read_histories
    from ganeval.training.curve import table as table_of

    _require_two_files(out, table)
    for path in (out, table):
        if path:
            require_writable(path)
    histories = read_histories(runs)
    draw(histories, out)
    click.echo(out)
    if table:
        write_text(table, table_of(histories).to_csv(index=False, lineterminator="\n"))
        click.echo(table)


def _require_two_files(out: Path, table: Path | None) -> None:
    """Raise ``UserError`` where the picture's name is not a PNG's, or is the table's too."""
    from ganeval.errors import UserError
    from ganeval.files import require_apart

    if out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: the picture is a PNG, give a name that ends in .png")
    require_apart({"--out": out, "--csv": table})
