"""Write the figures of a demo run into the README, so that they come from the run and from nowhere else.

make demo
python benchmarks/readme_figures.py            # from runs/demo and runs/demo-untrained: keeps the cards, writes the table
python benchmarks/readme_figures.py --check    # does the README say what the kept cards say?
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
KEPT = ROOT / "benchmarks" / "results" / "demo.json"
START = "<!-- figures: benchmarks/readme_figures.py writes them from benchmarks/results/demo.json -->\n"
END = "<!-- end of figures -->"
ARROWS = {"lower": "↓", "higher": "↑"}


def figures(cards: dict[str, Any]) -> str:
    """The README's table: trained with standard error, held-out real images, untrained."""
    trained, untrained = cards["trained"], {score["column"]: score for score in cards["untrained"]["scores"]}
    counts, environment = trained["counts"], trained["environment"]
    lines = [
        f"| | ReACGAN, {trained['source']['step']:,} steps | held-out real images | untrained |",
        "|---|---|---|---|",
    ]
    for score in trained["scores"]:
        if score["key"] in ("am_entropy", "am_kl", "top5"):
            continue
        value = f"{score['value']:.3g} ± {score['std_error']:.2g}"
        before = untrained[score["column"]]["value"]
        lines.append(f"| {score['column']} {ARROWS[score['better']]} | {value} | {score['floor']:.3g} | {before:.3g} |")
    lines.append(
        f"\nProtocol `{trained['protocol']}` (`{trained['protocol_sha256'][:8]}`): {counts['fake']:,} samples and "
        f"{counts['floor']} held-out images against {counts['reference']:,} training images; "
        f"torch {environment['torch']}, {environment['device']}."
    )
    return "\n" + "\n".join(lines) + "\n\n"


def main() -> int:
    if "--check" not in sys.argv:
        runs = {"trained": "demo", "untrained": "demo-untrained"}
        cards = {name: json.loads((ROOT / "runs" / run / "score.json").read_text()) for name, run in runs.items()}
        KEPT.write_text(json.dumps(cards, indent=1, sort_keys=True) + "\n")
    text = README.read_text()
    before, _, rest = text.partition(START)
    written, _, after = rest.partition(END)
    wanted = figures(json.loads(KEPT.read_text()))
    if "--check" in sys.argv:
        return 0 if written == wanted else 1
    README.write_text(before + START + wanted + END + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
