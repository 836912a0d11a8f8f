"""One of the processes of test_gather.py: `gather_worker.py FOLDER RANK WORLD`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch.nn.parallel import DistributedDataParallel

from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.base import Conditioning, Discriminator, Verdict
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.tac import TAC
from ganeval.gather import gather
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.regularizers.feature_matching import feature_distance
from ganeval.networks.layers import Layers
from ganeval.processes import join_group, leave_group

SCHEMES: dict[str, Conditioning] = {
    "d2dce": D2DCE(embed_dim=5),
    "d2dce-paper": D2DCE(embed_dim=5, formula="paper"),
    "contrastive": Contrastive(embed_dim=5, temperature=0.5),
    "acgan": ACGAN(),
    "tac": TAC(base=D2DCE(embed_dim=5)),
    "adc": ADC(base=Contrastive(embed_dim=5)),
}
PER_PROCESS = 5


def network(scheme: Conditioning) -> Discriminator:
    torch.manual_seed(3)
    return Discriminator(torch.nn.Linear(4, 8), scheme.head(8, 3, Layers(False))).double()


def batch(world: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The union of all processes' batches."""
    draw = torch.Generator().manual_seed(7)
    count = world * PER_PROCESS
    return torch.randn(count, 4, generator=draw, dtype=torch.float64), torch.randint(3, (count,), generator=draw)


def loss(scheme: Conditioning, verdict: Verdict, y: torch.Tensor) -> torch.Tensor:
    matching = feature_distance(gather(verdict.h), gather(-verdict.h.detach()))
    return Hinge().g_loss(verdict.adv) + scheme.g_loss(verdict, y) + matching


def gradients(scheme: Conditioning, images: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor | None]:
    """Averaged over the processes."""
    model = DistributedDataParallel(network(scheme))
    loss(scheme, model(images, labels), labels).backward()
    return {key: parameter.grad for key, parameter in model.module.named_parameters()}


def main(folder: Path, rank: int, world: int) -> None:
    join_group("gloo", init_method=(folder / "meet").as_uri(), rank=rank, world_size=world)
    images, labels = (rows[rank * PER_PROCESS : (rank + 1) * PER_PROCESS] for rows in batch(world))
    result = {"images": gather(images), "labels": gather(labels)}
    for name, scheme in SCHEMES.items():
        result |= {f"{name}.{key}": gradient for key, gradient in gradients(scheme, images, labels).items()}
    torch.save(result, folder / f"{rank}.pt")
    leave_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
