"""Signatures of functions, and how the types of a call fit them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.trino_types import UNKNOWN, Type, split_top


@dataclass(frozen=True)
class Bound:
    """A signature for one call: no type in it is open any more. `cost` counts the coercions."""

    parameters: tuple[Type, ...]
    returns: Type
    cost: int


@dataclass(frozen=True)
class Signature:
    """A function's name, parameters and result. A type named by one capital letter stands for any type."""

    name: str
    parameters: tuple[Type, ...]
    returns: Type

    @classmethod
    def of(cls, text: str) -> Signature:
        """Read `name(type, …) -> type`."""
        match = re.fullmatch(r"(\w+)\((.*)\) -> (.+)", text)
        assert match is not None, text
        parameters = split_top(match[2]) if match[2].strip() else []
        return cls(match[1], tuple(_type(part) for part in parameters), _type(match[3]))

    def bound(self, types: Sequence[Type]) -> Bound | None:
        """Return the signature as it is for these argument types, or None if it does not take them."""
        if len(types) != len(self.parameters):
            return None
        letters: dict[str, Type] = {}
        for parameter, kind in zip(self.parameters, types, strict=True):
            if not _unify(parameter, kind, letters):
                return None
        parameters = tuple(_filled(parameter, letters) for parameter in self.parameters)
        cost = 0
        for kind, parameter in zip(types, parameters, strict=True):
            if not coercion.can(kind, parameter):
                return None
            cost += coercion.cost(kind, parameter)
        return Bound(parameters, _filled(self.returns, letters), cost)


def _type(text: str) -> Type:
    text = text.strip()
    if match := re.fullmatch(r"(array|map)\((.*)\)", text):
        return Type(match[1], tuple(_type(part) for part in split_top(match[2])))
    if match := re.fullmatch(r"timestamp(?:\((\d)\))?( with time zone)?", text):
        return Type(f"timestamp{match[2] or ''}", (int(match[1] or 3),))
    if match := re.fullmatch(r"(\w+)\(([\d, ]+)\)", text):
        return Type(match[1], tuple(int(part) for part in match[2].split(",")))
    return Type(text)


def _unify(parameter: Type, kind: Type, letters: dict[str, Type]) -> bool:
    """Note which type each letter stands for; widen it if it is used for two types."""
    if len(parameter.name) == 1:
        common = coercion.common(letters.get(parameter.name, UNKNOWN), kind)
        if common is None:
            return False
        letters[parameter.name] = common
        return True
    if parameter.is_("array", "map") and kind.name == parameter.name:
        return all(_unify(a, b, letters) for a, b in zip(parameter.inners, kind.inners, strict=True))
    return True


def _filled(kind: Type, letters: dict[str, Type]) -> Type:
    if len(kind.name) == 1:
        return letters.get(kind.name, UNKNOWN)
    if kind.is_("array", "map"):
        return Type(kind.name, tuple(_filled(inner, letters) for inner in kind.inners))
    return kind
