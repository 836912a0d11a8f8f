"""The classification accuracy score: what a classifier that saw only generated images knows of real ones, and the reverse.

Ravuri & Vinyals, Classification Accuracy Score for Conditional Generative Models, NeurIPS 2019, arXiv 1905.10887; Shmelkov et
al., How good is my GAN?, ECCV 2018, arXiv 1807.09499 (GAN-train, GAN-test).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from torch import Tensor

from ganeval.cache import cached_bank, home
from ganeval.checkpoints import sha256_of
from ganeval.classifiers.evaluate import logits_of
from ganeval.classifiers.recipe import ClassifierRecipe, find_classifier_recipe
from ganeval.classifiers.record import load_classifier
from ganeval.classifiers.training import Talk as TrainingTalk
from ganeval.classifiers.training import Training, train_on
from ganeval.data.base import Dataset, ImageSet
from ganeval.environment import environment, find_device, require_memory
from ganeval.errors import UserError
from ganeval.extractors.classifier import with_channels
from ganeval.features import FeatureBank
from ganeval.files import require_folder
from ganeval.importers.studiogan import Hints
from ganeval.metrics.accuracy import top_accuracy
from ganeval.progress import Talk
from ganeval.protocols import PROTOCOLS, Protocol
from ganeval.recipes.schema import to_json
from ganeval.sampling import Which
from ganeval.scorecard import Score, ScoreCard
from ganeval.sources import ImageSource, open_source
from ganeval.uncertainty import of_trainings

NAME = "cas-v1"
CHUNK = 1024
"""Images resized at a time."""

Listener = Callable[[], AbstractContextManager[Talk]]
"""Gives something to call with what is being done, how many images are done, and of how many."""

Show = Callable[[str], AbstractContextManager[TrainingTalk]]
"""Gives, for the name of a classifier, something to call after every step of its training."""


@dataclass(frozen=True)
class CasProtocol:
    """What a value depends on beside the source: ``recipe`` for every classifier, ``trainings`` of them with seeds 0, 1, ...

    Generated images: as many as the dataset's training split has, labels exactly balanced, of the averaged generator where
    there is one. Tested on the held-out split; the reverse on the same generated images. Another number of them is no part
    of the protocol: such a score is not ranked.
    """

    recipe: ClassifierRecipe
    trainings: int

    def sha256(self) -> str:
        """The hash that stands in every row."""
        fixed = {"name": NAME, "fakes": "as many as the training split", "labels": "balanced", "weights": "ema"}
        return sha256_of({**fixed, "trainings": self.trainings, "classifier": to_json(self.recipe)})

    def sampling(self, fakes: int) -> Protocol:
        """The same as a protocol of scores, for what samples: ``fakes`` images."""
        return replace(
            PROTOCOLS.get("small-v1"), name=NAME, description="", fakes=fakes, labels="balanced", weights="ema", metrics=()
        )


def classification_accuracy_score(
    source: str | Path, *, dataset: str | None = None, recipe: ClassifierRecipe | None = None, num: int | None = None,
    trainings: int = 1, seed: int = 0, device: str | torch.device = "auto", hints: Hints | None = None,
    checkpoint: Which = "latest", talk_to: Listener | None = None, show: Show | None = None,
) -> ScoreCard:  # fmt: skip
    """The card of ``source``: ``cas``, ``gan_test`` and their top-5 beyond 5 classes, means over ``trainings`` classifiers.

    ``cas``: trained on the generated images, tested on held-out reals. ``gan_test``: trained on the real training split, tested
    on the generated images. Every value's floor is the accuracy of the classifiers trained on reals on held-out reals. Standard
    errors and intervals are of the mean over trainings, ``None`` for one; the held-out reals are held fixed, the generated images
    that ``gan_test`` is tested on are a sample. Classifiers are kept in the cache, found by what they learned; one that was
    interrupted goes on. ``hints`` and ``checkpoint`` are those of :func:`ganeval.scoring.score`. Raises ``UserError`` for a
    source without labels or with too few images, and for a dataset without a held-out split;
    :class:`~ganeval.classifiers.training.Stopped` after a signal in a training.
    """
    began = time.monotonic()
    where = find_device(device) if isinstance(device, str) else device
    recipe = recipe or find_classifier_recipe("resnet-20")
    samples, data = _open(
        Path(source), CasProtocol(recipe, trainings), dataset, num=num, seed=seed, device=where, hints=hints, which=checkpoint
    )
    rules = CasProtocol(recipe.resolved(data, samples.resolution), trainings)
    require_memory(samples.count * data.channels * rules.recipe.resolution**2, f"{samples.count:,} images to train on")
    bench = Bench(rules, samples, data, where, talk_to or _unheard, show or _silent)
    results = [bench.accuracies(number) for number in range(trainings)]
    sampling = rules.sampling(len(bench.train))
    return ScoreCard(
        dataset=data.name,
        resolution=samples.resolution,
        source=samples.origin,
        protocol=NAME,
        protocol_sha256=rules.sha256(),
        reference_sha256=bench.train.fingerprint,
        extractor=_described(rules, data, results),
        counts={"fake": samples.count, "reference": len(bench.train), "floor": len(bench.test)},
        seed=samples.seed,
        scores=_scores(rules.recipe.name, results, samples.count),
        deviations=tuple(samples.deviations(sampling)),
        environment=environment(where),
        seconds=round(time.monotonic() - began, 2),
    )


def _unheard() -> AbstractContextManager[Talk]:
    return nullcontext(lambda what, done, total: None)


def _silent(what: str) -> AbstractContextManager[TrainingTalk]:
    return nullcontext(lambda progress: None)


def _open(
    path: Path, rules: CasProtocol, dataset: str | None, *, num: int | None, seed: int, device: torch.device,
    hints: Hints | None, which: Which,
) -> tuple[ImageSource, Dataset]:  # fmt: skip
    """The source with as many images as the training split has, and its dataset, once both are known to serve."""
    source, data = open_source(path, rules.sampling(1), dataset, num=num, seed=seed, device=device, hints=hints, which=which)
    if data is None:
        raise UserError(source.unknown)
    if not isinstance(source, ImageSource) or not source.labelled:
        raise UserError(f"{path} has no labelled images: a classification accuracy score needs images with their classes")
    if data.held_out is None:
        raise UserError(f"dataset '{data.name}' holds nothing out: a classification accuracy score needs a test split of reals")
    if source.classes != data.classes:
        raise UserError(f"{path} has {len(source.classes)} classes that are not the {data.num_classes} of '{data.name}'")
    if num is None and source.seed is not None:
        num = data.splits["train"]
        return _open(path, rules, dataset, num=num, seed=seed, device=device, hints=hints, which=which)
    return source, data


class Bench:
    """The images of one score at the classifiers' resolution, and the classifiers that learn them.

    ``train`` and ``test`` are the dataset's splits, ``fakes`` the generated images, made when they are first needed.
    """

    def __init__(
        self, rules: CasProtocol, source: ImageSource, dataset: Dataset, device: torch.device, talk_to: Listener, show: Show
    ) -> None:
        self.rules, self.source, self.dataset, self.device, self.talk_to, self.show = (
            rules,
            source,
            dataset,
            device,
            talk_to,
            show,
        )
        self.train, self.test = (self._real(split) for split in ("train", str(dataset.held_out)))

    def _real(self, split: str) -> ImageSet:
        whole = self.dataset.load(split, self.source.resolution)
        if whole.resolution == self.rules.recipe.resolution:
            return whole
        return ImageSet(shrunk(whole.images, self.rules.recipe.resolution), whole.labels, whole.classes)

    @cached_property
    def fakes(self) -> ImageSet:
        """Raises ``UserError`` where a class is missing."""
        images, labels = [], []
        done = 0
        with self.talk_to() as talk:
            for batch, y in self.source.batches():
                assert y is not None  # the source is labelled
                images.append(shrunk(with_channels(batch, self.train.channels), self.rules.recipe.resolution))
                labels.append(y)
                done += len(batch)
                talk("images of the source", done, self.source.count)
        return _complete(ImageSet(torch.cat(images), torch.cat(labels), self.dataset.classes))

    def accuracies(self, seed: int) -> dict[str, float]:
        """Of the two classifiers of ``seed``: ``cas``, ``gan_test`` and ``real``, each with ``_top5`` beyond 5 classes."""
        source = {"source": self.source.fingerprint, "count": self.source.count}
        fake = self._classifier({"learned": source}, lambda: self.fakes, sha256_of(source), seed, "on generated images")
        real = self._classifier({"learned": self.train.fingerprint}, lambda: self.train, None, seed, "on real images")
        tested = {"real": self.test.fingerprint}
        return {
            **self._accuracy("cas", fake, tested, lambda: self.test),
            **self._accuracy("gan_test", real, source, lambda: self.fakes),
            **self._accuracy("real", real, tested, lambda: self.test),
        }

    def _classifier(
        self, key: Mapping[str, object], images: Callable[[], ImageSet], fingerprint: str | None, seed: int, what: str
    ) -> Path:
        """The classifier in the cache that learned what ``key`` says, trained first, or further, where it is not there."""
        recipe, shape = to_json(self.rules.recipe), [self.train.channels, self.train.resolution, *self.dataset.classes]
        key = {**key, "recipe": recipe, "seed": seed, "images": shape, "device": self.device.type, "test": self.test.fingerprint}
        out = _classifiers() / sha256_of(key)
        with FileLock(f"{out}.lock"):
            if out.exists():
                try:
                    load_classifier(out)
                    return out
                except UserError:
                    shutil.rmtree(out)
            training = Training(self.rules.recipe, self.dataset.name, images(), self.test, seed, fingerprint)
            with self.show(f"classifier {seed + 1}/{self.rules.trainings} {what}") as talk:
                train_on(training, out, self.device, talk)
        return out

    def _accuracy(
        self, name: str, classifier: Path, key: Mapping[str, object], images: Callable[[], ImageSet]
    ) -> dict[str, float]:
        """Top-1, and top-5 beyond 5 classes, of a classifier on the images that ``key`` describes."""
        net, record, folder = load_classifier(classifier)

        def compute() -> FeatureBank:
            data = images()
            with self.talk_to() as talk:
                logits = logits_of(net.to(self.device), data, self.device, lambda done: talk("images to test", done, len(data)))
            return FeatureBank(logits.numpy(), labels=data.labels.numpy())

        bank = cached_bank({"classified": dict(key), "classifier": folder.sha256, "device": self.device.type}, compute)
        assert bank.labels is not None  # as it was computed
        found = {name: top_accuracy(bank.features, bank.labels, 1)}
        return found if len(record.classes) <= 5 else {**found, f"{name}_top5": top_accuracy(bank.features, bank.labels, 5)}


def shrunk(images: Tensor, resolution: int) -> Tensor:
    """uint8 (N, C, R, R) brought to ``resolution`` by torch's antialiased bilinear filter in float32, rounded to uint8."""
    if images.shape[2] == resolution:
        return images
    size = (resolution, resolution)
    parts = [F.interpolate(part.float(), size=size, mode="bilinear", antialias=True) for part in images.split(CHUNK)]
    return torch.cat([part.round().clamp(0, 255).to(torch.uint8) for part in parts])


def _complete(images: ImageSet) -> ImageSet:
    """``images``, once every class is known to be among them."""
    counts = torch.bincount(images.labels, minlength=len(images.classes)).tolist()
    missing = [name for name, count in zip(images.classes, counts, strict=True) if not count]
    if missing:
        more = f" and {len(missing) - 1} more classes" if len(missing) > 1 else ""
        raise UserError(f"none of the {len(images):,} images is of class '{missing[0]}'{more}: every class has to be learned")
    return images


def _classifiers() -> Path:
    folder = home() / "classifiers"
    try:
        require_folder(folder)
    except UserError as error:
        raise UserError(f"{error}: set GANEVAL_HOME to the folder in which ganeval may keep classifiers") from error
    return folder


def _described(rules: CasProtocol, dataset: Dataset, results: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """The classifiers in the place of the extractor: their recipe and its hash, and every training's accuracies."""
    known = [result["real"] for result in results]
    each = [dict(result) for result in results]
    record = {"recipe": to_json(rules.recipe), "trainings": each, "dataset": dataset.name, "test_accuracy": float(np.mean(known))}
    resize = f"torch bilinear antialiased to {rules.recipe.resolution}x{rules.recipe.resolution}, uint8"
    return {"name": rules.recipe.name, "sha256": rules.recipe.fingerprint(), "resize": resize, "record": record}


def _scores(recipe: str, results: Sequence[Mapping[str, float]], fakes: int) -> tuple[Score, ...]:
    names = {"cas": "CAS", "cas_top5": "CAS-top-5", "gan_test": "GAN-test", "gan_test_top5": "GAN-test-top-5"}
    return tuple(_score(key, f"{column}-{recipe}", results, fakes) for key, column in names.items() if key in results[0])


def _score(key: str, column: str, results: Sequence[Mapping[str, float]], fakes: int) -> Score:
    on_reals = key.startswith("cas")
    measured = of_trainings([result[key] for result in results], None if on_reals else fakes)
    floor = "real_top5" if key.endswith("_top5") else "real"
    return Score(
        key=key, column=column, value=measured.value, std_error=measured.std_error, interval=measured.interval,
        floor=float(np.mean([result[floor] for result in results])), better="higher",
        unit="fraction of held-out real images" if on_reals else "fraction of generated images",
    )  # fmt: skip
