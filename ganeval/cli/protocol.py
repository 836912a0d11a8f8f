"""``ganeval protocol``."""

from __future__ import annotations

import click


@click.group()
def protocol() -> None:
    """What a protocol does, field by field. 'ganeval ls protocols' lists them."""


@protocol.command(short_help="Every field of a protocol in words.")
@click.argument("name")
def show(name: str) -> None:
    """Every field of the protocol NAME: its value, what it means, what else is common and who does that."""
    from ganeval.protocols import PROTOCOLS
    from ganeval.protocols.explain import explained
    from ganeval.terminal import show_protocol

    found = PROTOCOLS.get(name)
    show_protocol(f"{found.name} {found.sha256()[:8]}: {found.description}", list(explained(found)))


@protocol.command(short_help="What two protocols do differently.")
@click.argument("a")
@click.argument("b")
def diff(a: str, b: str) -> None:
    """The fields and metric parameters in which the protocols A and B differ; a metric that one lacks is empty there."""
    from ganeval.protocols import PROTOCOLS
    from ganeval.protocols.explain import differences
    from ganeval.terminal import show_rows

    show_rows(("field", a, b), list(differences(PROTOCOLS.get(a), PROTOCOLS.get(b))))
