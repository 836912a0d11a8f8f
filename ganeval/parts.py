"""Parts: the small frozen dataclasses a recipe is made of.

A family (``Conditioning``, ``Adversarial``, ``Regularizer`` ...) is a class derived from :class:`Part` that names the package in
which its members live. A member is a frozen dataclass with a ``kind`` and only its own parameters: one file adds one
member, and nothing else has to change.
"""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, TypeVar

from ganeval.registry import import_all, unknown

P = TypeVar("P", bound="Part")


class Part(ABC):  # noqa: B024 - its families have the abstract methods
    """Base of every part. Members set ``kind``; families set ``noun`` and ``package``."""

    kind: ClassVar[str] = ""
    noun: ClassVar[str] = "part"
    package: ClassVar[str] = ""

    @classmethod
    def members(cls: type[P]) -> dict[str, type[P]]:
        """Every member of this family, by kind."""
        if cls.kind:
            return {cls.kind: cls}
        if cls.package:
            import_all(cls.package)
        found: dict[str, type[P]] = {}
        pending: list[type[P]] = [cls]
        while pending:
            for member in pending.pop().__subclasses__():
                pending.append(member)
                if member.kind:
                    found[member.kind] = member
        return dict(sorted(found.items()))

    @classmethod
    def member(cls: type[P], kind: str) -> type[P]:
        """The member called ``kind``; raises :class:`~ganeval.errors.UserError` with the nearest kinds."""
        known = cls.members()
        if kind not in known:
            raise unknown(cls.noun, kind, known)
        return known[kind]
