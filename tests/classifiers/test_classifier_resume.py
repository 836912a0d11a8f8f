"""A classifier's training can be stopped anywhere, by anything: the same call goes on, and the bits are the same."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from click.testing import Result

from ganeval.checkpoints import load_folder, save_folder
from ganeval.classifiers.augmentations import Distort
from ganeval.classifiers.recipe import RECIPES, find_classifier_recipe
from ganeval.classifiers.record import load_classifier
from ganeval.classifiers.small import SMALL, SmallCNN
from ganeval.classifiers.state import Workshop
from ganeval.classifiers.training import Progress, train_classifier
from ganeval.data.folder import FolderDataset
from ganeval.data.loader import batch_indices
from ganeval.data.pixels import to_float
from ganeval.errors import UserError
from ganeval.extractors.digits_cnn import FOLDER, SHA256
from ganeval.rng import derived_seed, generator_for

TINY = {
    "small": (),
    "resnet-20": ("network.depth=8", "network.width=2", "batch_size=64"),
    "densenet-bc-40-40": ("network.depth=10", "network.growth=2"),
}


class Killed(Exception):
    """Stands for a kill: nothing after it runs."""


def kill_after(step: int) -> Callable[[Progress], None]:
    def talk(progress: Progress) -> None:
        if progress.step == step:
            raise Killed

    return talk


@pytest.mark.parametrize("name", TINY)
def test_a_killed_training_goes_on_bit_for_bit(shapes: FolderDataset, tmp_path: Path, name: str) -> None:
    recipe = find_classifier_recipe(name, *TINY[name], epochs=4)
    train_classifier(shapes, out=tmp_path / "whole", recipe=recipe, seed=3)
    for step in (2, 5, 11):  # 3 steps an epoch: before the first checkpoint, after it, in the last epoch
        with pytest.raises(Killed):
            train_classifier(shapes, out=tmp_path / "killed", recipe=recipe, seed=3, talk=kill_after(step))
        assert not (tmp_path / "killed").exists()
    steps: list[int] = []
    train_classifier(shapes, out=tmp_path / "killed", recipe=recipe, seed=3, talk=lambda p: steps.append(p.step))
    assert steps == [10, 11, 12]
    assert load_folder(tmp_path / "killed").sha256 == load_folder(tmp_path / "whole").sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


def test_a_finished_training_is_left_alone(shapes: FolderDataset, tmp_path: Path) -> None:
    out = tmp_path / "cnn"
    record = train_classifier(shapes, out=out, epochs=1)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert train_classifier(shapes, out=out, epochs=1, talk=kill_after(1)) == record
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    with pytest.raises(UserError, match=r"cnn exists and is another classifier \(epochs: 1 -> 2\): choose another name"):
        train_classifier(shapes, out=out, epochs=2)


def test_another_training_in_the_same_place_is_refused(shapes: FolderDataset, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train_classifier(shapes, out=tmp_path / "cnn", epochs=3, talk=kill_after(4))
    with pytest.raises(UserError, match=r"cnn.training holds another training \(epochs: 3 -> 2; seed: 0 -> 1\): choose"):
        train_classifier(shapes, out=tmp_path / "cnn", epochs=2, seed=1)
    (weights,) = (tmp_path / "cnn.training").glob("step-*/network.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"damaged.*remove .*cnn.training to train from the beginning"):
        train_classifier(shapes, out=tmp_path / "cnn", epochs=3)


def test_a_loss_that_is_not_finite_stops_and_saves_nothing(shapes: FolderDataset, tmp_path: Path) -> None:
    recipe = find_classifier_recipe("resnet-20", *TINY["resnet-20"], "optimizer.lr=1e30", epochs=2)
    with pytest.raises(UserError, match=r"loss is not finite at step 1: lower optimizer.lr or change --seed"):
        train_classifier(shapes, out=tmp_path / "cnn", recipe=recipe)
    assert list(tmp_path.iterdir()) == []


def test_signals_save_and_the_same_command_goes_on(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    out = tmp_path / "cnn"
    words = ["classifier", "train", "digits", "--recipe", "resnet-20", "network.depth=8", "network.width=2", "--epochs", "24"]
    words += ["--device", "cpu", "--out"]

    def checkpoints() -> set[str]:
        return {path.name for path in tmp_path.glob("cnn.training/step-*")}

    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        known, deadline = checkpoints(), time.monotonic() + 120
        with subprocess.Popen(
            [sys.executable, "-m", "ganeval", *words, str(out)], env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            while process.poll() is None and checkpoints() <= known and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(number)
            talk = process.communicate(timeout=120)[1]
        assert process.returncode == status, talk
        assert talk.splitlines()[-1] == f"stopped; the same command goes on from {out}.training"
        assert not out.exists()
    done = ganeval(*words, out)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["test_count"] == 500
    assert ganeval(*words, tmp_path / "whole").exit_code == 0
    assert load_folder(out).sha256 == load_folder(tmp_path / "whole").sha256


def test_a_classifier_is_trained_by_one_process_at_a_time(shapes: FolderDataset, tmp_path: Path) -> None:
    said = rf"another process is training {tmp_path / 'cnn'}: wait for it or choose another --out"
    with Workshop(tmp_path / "cnn", {}), pytest.raises(UserError, match=said):
        train_classifier(shapes, out=tmp_path / "cnn", epochs=1)
    assert train_classifier(shapes, out=tmp_path / "cnn", epochs=1).test_count == 60


def test_small_computes_what_it_always_did(shapes: FolderDataset, tmp_path: Path) -> None:
    """The loop that made ``digits-cnn``, as it was written, and torch's own schedule."""
    data = shapes.load("train")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed("classifier weights", 0))
        net = SmallCNN(3, SMALL, 3)
    steps = 2 * 3
    optimiser = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=5e-4)

    def warm_cosine(step: int) -> float:
        part = (step + 0.5) / steps
        return part / 0.2 if part < 0.2 else 0.5 * (1 + math.cos(math.pi * (part - 0.2) / 0.8))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warm_cosine)
    for step in range(steps):
        index = batch_indices(180, 64, step * 64, 0)
        rng = generator_for(torch.device("cpu"), "distort", 0, step)
        batch = Distort()(to_float(data.images[index]), False, torch.zeros(3), rng)
        loss = F.cross_entropy(net(batch)[1], data.labels[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    train_classifier(shapes, out=tmp_path / "cnn", epochs=2)
    made = load_folder(tmp_path / "cnn").tensors["classifier"]
    assert made.keys() == net.state_dict().keys()
    assert all(torch.equal(made[name], value) for name, value in net.state_dict().items())


@pytest.mark.slow
def test_small_makes_the_weights_of_digits_cnn(tmp_path: Path) -> None:
    from ganeval.data.registry import find_dataset

    train_classifier(find_dataset("digits"), out=tmp_path / "cnn")
    made, shipped = (load_folder(path).tensors["classifier"] for path in (tmp_path / "cnn", FOLDER))
    for name, value in shipped.items():  # other processors round otherwise; here they are the same bits
        torch.testing.assert_close(made[name], value, rtol=1e-3, atol=1e-4)


def test_a_folder_from_before_there_were_recipes_loads() -> None:
    net, record, folder = load_classifier(FOLDER)
    assert folder.sha256 == SHA256
    assert "recipe" not in folder.record
    assert (record.recipe.name, record.recipe.epochs, record.recipe.flip, record.recipe.resolution) == ("small", 30, False, 16)
    assert isinstance(net, SmallCNN)


def test_a_folder_from_before_with_another_network_is_refused(tmp_path: Path) -> None:
    old = load_folder(FOLDER)
    save_folder(tmp_path / "other", old.tensors, {**old.record, "stages": [[8], [64]]})
    with pytest.raises(UserError, match="holds a classifier of another version: train it again"):
        load_classifier(tmp_path / "other")


def test_the_command_takes_recipes_and_overrides(ganeval: Callable[..., Result], shapes: FolderDataset, tmp_path: Path) -> None:
    words = ("classifier", "train", shapes.root, "--out", tmp_path / "cnn", "--recipe", "densenet-bc-40-40", "--epochs", "1")
    done = ganeval(*words, "network.depth=10", "network.growth=2", "flip=false")
    assert (done.exit_code, done.stderr.count("epoch 1/1")) == (0, 1), done.output
    record = json.loads(done.stdout)
    assert record["recipe"]["network"] == {"kind": "densenet-bc", "depth": 10, "growth": 2}
    assert (record["recipe"]["flip"], record["resolution"], record["test_count"]) == (False, 12, 60)
    net, known, _ = load_classifier(tmp_path / "cnn")
    assert known.to_json() == record
    assert net.feature_dim == 4
    again = ganeval(*words, "network.depth=10", "network.growth=2")
    assert (again.exit_code, "flip: False -> True" in again.stderr) == (2, True)


def test_every_recipe_is_listed(ganeval: Callable[..., Result]) -> None:
    lines = ganeval("ls", "classifiers").stdout.splitlines()
    assert [line.split()[0] for line in lines] == RECIPES.names()
