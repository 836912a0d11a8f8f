"""Recipes as JSON and back, and the command line's ``part.field=value``.

A part is written as an object with its ``kind``; everything else follows the types of the dataclass fields. ``cattrs`` does the
structuring: it reports what does not fit instead of guessing.
"""

from __future__ import annotations

import dataclasses
import types
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import cattrs
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from ganeval.checkpoints import sha256_of
from ganeval.errors import UserError
from ganeval.parts import Part
from ganeval.registry import unknown

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Plain JSON of a dataclass tree: parts carry their ``kind``, tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": value.kind, **fields} if isinstance(value, Part) else fields
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    return value


def sha256_of_part(value: Any) -> str:
    """SHA-256 of the canonical JSON of a dataclass tree."""
    return sha256_of(to_json(value))


def from_json(cls: type[T], content: Any) -> T:
    """The dataclass tree ``content`` describes. Raises ``UserError`` naming the first place that does not fit."""
    try:
        return _converter().structure(content, cls)
    except BaseValidationError as error:
        raise UserError(f"not a valid {cls.__name__.lower()}: {'; '.join(cattrs.transform_error(error))}") from error
    except (ForbiddenExtraKeysError, TypeError, ValueError, KeyError) as error:
        raise UserError(f"not a valid {cls.__name__.lower()}: {error}") from error


def difference(old: Any, new: Any, path: str = "") -> list[str]:
    """The places in which two JSON trees differ, as ``path: old -> new``."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [line for key in keys for line in difference(old.get(key), new.get(key), f"{path}.{key}" if path else key)]
    return [] if old == new else [f"{path}: {_brief(old)} -> {_brief(new)}"]


def override(value: T, *assignments: str) -> T:
    """``value`` with fields changed by assignments such as ``conditioning.temperature=0.25``.

    A part is replaced by the name of another of its family (``adversarial=logistic``), a member of a tuple is addressed by
    its kind (``regularizers.lecam.weight=0.1``). What must fit together may change together: the whole is checked after
    the last assignment. Raises ``UserError`` for an unknown key, with the nearest ones, and for a value of the wrong type.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        path, separator, text = assignment.partition("=")
        if not separator or not path:
            raise UserError(f"'{assignment}' is not an override: write part.field=value, for example schedule.batch_size=32")
        name, *rest = path.split(".")
        hint = _hint(value, name, path, [name, *rest])
        current = changes[name] if name in changes else getattr(value, name)
        changes[name] = _set(current, rest, text, path) if rest else _parse(text, hint, path)
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]


def _set(value: Any, keys: list[str], text: str, path: str) -> Any:
    """``value`` with the field that ``keys`` lead to set to ``text``."""
    name, *rest = keys
    if isinstance(value, tuple):
        kinds = [member.kind for member in value if isinstance(member, Part)]
        if name not in kinds or not rest:
            raise unknown("key", path, [_sibling(path, keys, f"{kind}.{f}") for kind in kinds for f in _fields_of(value, kind)])
        return tuple(_set(member, rest, text, path) if member.kind == name else member for member in value)
    hint = _hint(value, name, path, keys)
    new = _set(getattr(value, name), rest, text, path) if rest else _parse(text, hint, path)
    return dataclasses.replace(value, **{name: new})


def _hint(value: Any, name: str, path: str, keys: list[str]) -> Any:
    """The type of the field ``name`` of ``value``; raises ``UserError`` where there is none."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise UserError(f"'{path}': {_sibling(path, keys, '').rstrip('.')} has no fields")
    names = [f.name for f in dataclasses.fields(value)]
    if name not in names:
        below = [f"{part}.{name}" for part in names if path == name and name in _own_fields(getattr(value, part))]
        if below:
            raise UserError(f"unknown key '{path}': did you mean {' or '.join(below)}?")
        raise unknown("key", path, [_sibling(path, keys, known) for known in names])
    return get_type_hints(type(value))[name]


def _own_fields(value: Any) -> list[str]:
    return [f.name for f in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []


def _sibling(path: str, keys: list[str], name: str) -> str:
    """The dotted path beside the part of ``path`` that ``keys`` begins with."""
    prefix = path.split(".")[: len(path.split(".")) - len(keys)]
    return ".".join([*prefix, name])


def _fields_of(members: tuple[Any, ...], kind: str) -> list[str]:
    return [f.name for member in members if member.kind == kind for f in dataclasses.fields(member)]


def _parse(text: str, hint: Any, path: str) -> Any:
    """``text`` as a value of the type ``hint``."""
    choices = _alternatives(hint)
    if type(None) in choices and text.lower() == "none":
        return None
    (kind,) = [choice for choice in choices if choice is not type(None)]
    try:
        return _parse_as(text, kind)
    except ValueError as error:
        raise UserError(f"{path}={text}: expected {_describe(kind)}") from error


def _parse_as(text: str, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        member = get_args(kind)[0]
        return tuple(_parse_as(item, member) for item in text.split(",") if item)
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(text)
        return text
    if isinstance(kind, type) and issubclass(kind, Part):
        return _default_member(kind, text)
    if kind is bool:
        return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _fail(text)
    if kind is float:
        number = float(text)
        return number if number == number and abs(number) != float("inf") else _fail(text)
    if kind in (int, str):
        return kind(text)
    return _fail(text)


def _default_member(family: type[Part], kind: str) -> Part:
    member = family.member(kind)
    try:
        return member()
    except TypeError as error:
        raise UserError(f"{family.noun} '{kind}' has no defaults: it needs {', '.join(_required(member))}") from error


def _required(member: type[Part]) -> list[str]:
    fields = dataclasses.fields(member)  # type: ignore[arg-type]
    return [f.name for f in fields if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]


def _fail(text: str) -> Any:
    raise ValueError(text)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _describe(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) is tuple:
        return f"{_describe(get_args(kind)[0])}, or several separated by commas"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names.get(kind, f"the name of a {getattr(kind, 'noun', 'part')}")


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("kind", "..."))
    if isinstance(value, list):
        return "[" + ", ".join(_brief(item) for item in value) + "]"
    return "none" if value is None else str(value)


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (int, float, bool, str):
        converter.register_structure_hook(kind, _strict)
    converter.register_structure_hook_factory(_is_tuple, lambda kind: lambda value, _: _tuple_from_json(kind, value))
    converter.register_structure_hook_factory(_is_family, lambda family: lambda value, _: _member_from_json(family, value))
    return converter


def _strict(value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"expected {_describe(kind)}, got {value!r}")
    return value


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _tuple_from_json(kind: Any, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {value!r}")
    return tuple(_converter().structure(item, get_args(kind)[0]) for item in value)


def _is_family(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Part)


def _member_from_json(family: type[Part], value: Any) -> Part:
    if not isinstance(value, dict) or "kind" not in value:
        raise TypeError(f"expected an object with a kind, got {value!r}")
    member = family.member(value["kind"])
    fields = {key: item for key, item in value.items() if key != "kind"}
    part: Part = _member_structure(member)(fields, member)
    return part


@cache
def _member_structure(member: type[Part]) -> Any:
    return make_dict_structure_fn(member, _converter(), _cattrs_forbid_extra_keys=True)
