"""Named, versioned and hashed ways from a source to numbers. One file per tool; ``docs/protocols.md`` compares them."""

from ganeval.protocols.base import HELD_OUT, PROTOCOLS, Protocol, Weights

__all__ = ["HELD_OUT", "PROTOCOLS", "Protocol", "Weights"]
