"""The classification accuracy score of the checkpoint that comes with the repository, on two classifier recipes.

    python benchmarks/cas_digits.py --out benchmarks/results/cas_digits.json    write the two score cards
    python benchmarks/cas_digits.py --seeds 1 --epochs 1                        a look whether it runs

Three classifiers per value; about ten minutes on one core. What was trained is kept in GANEVAL_HOME, so that a run that was
stopped goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ganeval.cas import classification_accuracy_score
from ganeval.checkpoints import canonical_json
from ganeval.classifiers.aloud import training_progress
from ganeval.classifiers.recipe import find_classifier_recipe
from ganeval.files import write_text
from ganeval.terminal import show_card

CHECKPOINT = Path(__file__).resolve().parents[1] / "checkpoints" / "reacgan-digits"
EPOCHS = {"small": 30, "resnet-20": 30}
"""Of each recipe; at 164 epochs resnet-20 would take six times as long."""


def main() -> None:
    parser = argparse.ArgumentParser(description="CAS of checkpoints/reacgan-digits.")
    parser.add_argument("--seeds", type=int, default=3, help="classifiers per value")
    parser.add_argument("--epochs", type=int, help="of every classifier, instead of the script's")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cards = {}
    for name, epochs in EPOCHS.items():
        recipe = find_classifier_recipe(name, epochs=options.epochs or epochs)
        card = classification_accuracy_score(
            CHECKPOINT, recipe=recipe, trainings=options.seeds, device="cpu", show=training_progress
        )  # fmt: skip
        show_card(card)
        cards[name] = card.to_json()
    if options.out:
        write_text(options.out, canonical_json(cards))


if __name__ == "__main__":
    main()
