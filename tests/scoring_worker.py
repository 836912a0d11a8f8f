"""One of the processes of test_scores_together.py: `scoring_worker.py CASES OUT`; it gives the command line each case's words.

What became of a case goes to ``OUT/NAME.RANK.json``: exit status, stdout, stderr.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

import torch
from click.testing import CliRunner

from ganeval.cli import main


def run(cases: Path, out: Path) -> None:
    for name, words in json.loads(cases.read_text()).items():
        done = CliRunner().invoke(main, words, prog_name="ganeval")
        trace = "" if done.exc_info is None else "".join(traceback.format_exception(*done.exc_info))
        told = {"status": done.exit_code, "stdout": done.stdout, "stderr": done.stderr, "trace": trace}
        (out / f"{name}.{os.environ.get('RANK', '0')}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), Path(sys.argv[2]))
