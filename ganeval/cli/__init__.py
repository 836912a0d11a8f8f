"""The command line: each verb parses, calls one function and prints. Results on stdout, talk on stderr.

One file per verb. Nothing but click is imported before a verb runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import click

from ganeval import __version__
from ganeval.allocator import keep_freed_memory
from ganeval.cli.cas import cas
from ganeval.cli.classifier import classifier
from ganeval.cli.curve import curve
from ganeval.cli.data import data
from ganeval.cli.foreign import import_
from ganeval.cli.leaderboard import leaderboard
from ganeval.cli.ls import ls
from ganeval.cli.protocol import protocol
from ganeval.cli.ref import ref
from ganeval.cli.sample import export, sample
from ganeval.cli.score import score
from ganeval.cli.train import train
from ganeval.usage import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="ganeval")
@click.option("--debug", is_flag=True, help="Show the traceback behind an error message.")
def main(debug: bool) -> None:
    """Train, sample, score and compare class-conditional GANs.

    \b
    ganeval train reacgan digits              the same command again resumes
    ganeval score runs/reacgan-digits-seed0   every metric, with its uncertainty
    ganeval sample CKPT --out grid.png        a grid, one class per row
    ganeval leaderboard show digits           the table
    ganeval ls recipes                        what there is

    What was computed once is kept in the folder GANEVAL_HOME.  [default: ~/.cache/ganeval]
    """
    keep_freed_memory()


for _verb in (train, score, cas, ref, curve, sample, import_, export, ls, classifier, data, leaderboard, protocol):
    main.add_command(_verb)
