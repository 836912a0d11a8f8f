"""Everything of a run that must survive a restart, by name."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ganeval.checkpoints import Folder, Tensors
from ganeval.conditioning.base import Discriminator
from ganeval.errors import UserError
from ganeval.losses.base import State
from ganeval.networks.base import Generator, ImageShape
from ganeval.recipes.recipe import Recipe
from ganeval.rng import derived_seed
from ganeval.training.ema import GeneratorEMA
from ganeval.training.non_finite import Guard

AUGMENTATION = "augmentation"
SCALE = ("scale", "_growth_tracker")


def build_generator(recipe: Recipe, shape: ImageShape, num_classes: int) -> Generator:
    """The generator of ``recipe``, initialised from the global generator of torch."""
    return recipe.backbone.generator(shape, num_classes)


def build_discriminator(recipe: Recipe, shape: ImageShape, num_classes: int) -> Discriminator:
    """The discriminator of ``recipe``: its backbone's body under its conditioning's head, as its regularisers prepare it."""
    body = recipe.backbone.discriminator(shape)
    discriminator = Discriminator(body, recipe.conditioning.head(body.features, num_classes, recipe.backbone.d_layers))
    for regularizer in recipe.regularizers:
        regularizer.prepare(discriminator)
    return discriminator


def _no_scaling() -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", enabled=False)


@dataclass
class TrainState:
    """Networks, optimisers, the average, the small states of regularisers and augmentation, and the step reached.

    ``g_scaler`` and ``d_scaler`` scale the losses of fp16 and let every other loss pass as it is.
    """

    generator: Generator
    discriminator: Discriminator
    ema: GeneratorEMA | None
    g_optimizer: torch.optim.Optimizer
    d_optimizer: torch.optim.Optimizer
    extras: dict[str, State] = field(default_factory=dict)
    step: int = 0
    g_scaler: torch.amp.GradScaler = field(default_factory=_no_scaling)
    d_scaler: torch.amp.GradScaler = field(default_factory=_no_scaling)
    guard: Guard = field(default_factory=Guard)

    @property
    def best_generator(self) -> Generator:
        """The generator to sample from: the average where there is one."""
        return self.ema.module if self.ema else self.generator  # type: ignore[return-value]

    def tensors(self) -> dict[str, Tensors]:
        """The whole state as named tensors, one file per part."""
        extras = self.extras | self._scales()
        files = {
            "generator": dict(self.generator.state_dict()),
            "discriminator": dict(self.discriminator.state_dict()),
            "g_optimizer": _pack_optimizer(self.g_optimizer, self.generator),
            "d_optimizer": _pack_optimizer(self.d_optimizer, self.discriminator),
            "extras": {f"{part}.{name}": value for part, state in extras.items() for name, value in state.items()},
        }
        return files | ({"ema": dict(self.ema.module.state_dict())} if self.ema else {})

    def load(self, folder: Folder) -> None:
        """Take over a checkpoint written by :meth:`tensors`; raises ``UserError`` where it does not fit."""
        files = folder.tensors
        try:
            self.generator.load_state_dict(files["generator"])
            self.discriminator.load_state_dict(files["discriminator"])
            if self.ema:
                self.ema.module.load_state_dict(files["ema"])
            _unpack_optimizer(self.g_optimizer, self.generator, files["g_optimizer"])
            _unpack_optimizer(self.d_optimizer, self.discriminator, files["d_optimizer"])
            for part, state in self.extras.items():
                for name, value in state.items():
                    value.copy_(files["extras"][f"{part}.{name}"])
            self._load_scales(files["extras"])
        except (KeyError, RuntimeError) as error:
            raise UserError(f"{folder.path} does not hold the state of this recipe: {str(error).splitlines()[0]}") from error
        self.step = int(folder.record["step"])
        self.guard.load(folder.record)

    def _scalers(self) -> dict[str, torch.amp.GradScaler]:
        scalers = {"g_scaler": self.g_scaler, "d_scaler": self.d_scaler}
        return {name: scaler for name, scaler in scalers.items() if scaler.is_enabled()}

    def _scales(self) -> dict[str, State]:
        """Of each scaler what changes: its factor, and how long that has held."""
        states = {part: scaler.state_dict() for part, scaler in self._scalers().items()}
        return {part: {name: torch.tensor(state[name], dtype=torch.float64) for name in SCALE} for part, state in states.items()}

    def _load_scales(self, tensors: Tensors) -> None:
        for part, scaler in self._scalers().items():
            scale, growth = (tensors[f"{part}.{name}"].item() for name in SCALE)
            scaler.load_state_dict({**scaler.state_dict(), "scale": scale, "_growth_tracker": int(growth)})


def initial_state(recipe: Recipe, shape: ImageShape, num_classes: int, seed: int, device: torch.device) -> TrainState:
    """The state before step 0: a function of the recipe, the images' shape and ``seed``.

    Weights are drawn on the CPU, so that they are the same on every device.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, "weights"))
        generator = build_generator(recipe, shape, num_classes)
        discriminator = build_discriminator(recipe, shape, num_classes)
    generator.to(device)
    discriminator.to(device)
    g_optimizer, d_optimizer = _optimizers(recipe, generator, discriminator)
    extras = {regularizer.kind: regularizer.initial_state() for regularizer in recipe.regularizers}
    if recipe.augmentation:
        extras[AUGMENTATION] = recipe.augmentation.initial_state()
    extras = {part: {name: value.to(device) for name, value in state.items()} for part, state in extras.items()}
    ema = GeneratorEMA(generator, recipe.ema) if recipe.ema else None
    return TrainState(generator, discriminator, ema, g_optimizer, d_optimizer, extras)


def start_from(state: TrainState, checkpoint: Folder) -> None:
    """Begin with the weights of ``checkpoint`` wherever a tensor has the same name and shape; optimisers begin anew.

    For fine-tuning, on other classes too: what depends on their number keeps its fresh weights. Raises ``UserError`` where
    nothing of the generator or the discriminator fits.
    """
    networks = {"generator": state.generator, "discriminator": state.discriminator}
    for file, network in networks.items():
        own, given = network.state_dict(), checkpoint.tensors.get(file, {})
        fitting = {name: tensor for name, tensor in given.items() if name in own and own[name].shape == tensor.shape}
        if not fitting:
            raise UserError(f"nothing in {checkpoint.path} fits this recipe's {file}: give a checkpoint of a run of its kind")
        network.load_state_dict({**own, **fitting})
    if state.ema:
        state.ema.module.load_state_dict(state.generator.state_dict())


def _optimizers(recipe: Recipe, generator: nn.Module, discriminator: nn.Module) -> tuple[torch.optim.Adam, torch.optim.Adam]:
    rule = recipe.optimizer

    def adam(network: nn.Module, lr: float, weight_decay: float) -> torch.optim.Adam:
        trained = [p for p in network.parameters() if p.requires_grad]
        fused = all(p.device.type in ("cpu", "cuda") for p in trained)
        return torch.optim.Adam(trained, lr, (rule.beta1, rule.beta2), rule.eps, weight_decay, fused=fused)

    return adam(generator, rule.g_lr, rule.g_weight_decay), adam(discriminator, rule.d_lr, rule.d_weight_decay)


def _trained_names(optimizer: torch.optim.Optimizer, network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return [(name, p) for name, p in network.named_parameters() if id(p) in trained]


def _pack_optimizer(optimizer: torch.optim.Optimizer, network: nn.Module) -> Tensors:
    """The optimiser's moments by parameter name; the learning rates are the recipe's, not the checkpoint's."""
    return {
        f"{name}.{moment}": value
        for name, parameter in _trained_names(optimizer, network)
        for moment, value in optimizer.state[parameter].items()
    }


def _unpack_optimizer(optimizer: torch.optim.Optimizer, network: nn.Module, tensors: Tensors) -> None:
    saved: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, _, moment = key.rpartition(".")
        saved.setdefault(name, {})[moment] = value
    names = _trained_names(optimizer, network)
    state = {index: saved[name] for index, (name, _) in enumerate(names) if name in saved}
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
