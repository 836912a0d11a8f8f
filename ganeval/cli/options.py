"""Options that several verbs share."""

from __future__ import annotations

import click

DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
