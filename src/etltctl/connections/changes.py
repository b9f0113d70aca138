"""One change of a resource in Airbyte, and the fields that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from etltctl.airbyte.resources import Kind, Resource
from etltctl.connections.desired import Desired

SIGNS = {"create": "+", "adopt": "=", "update": "~", "replace": "±", "delete": "-"}


class Action(StrEnum):
    """What happens to a resource.

    `adopt` records one that has the desired name. `replace` deletes one and creates it again, with a new id.
    """

    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True)
class Difference:
    """A field as it is and as it should be; None where it is not set."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {_shown(self.before)} → {_shown(self.after)}"


@dataclass(frozen=True)
class Change:
    """The change of one resource. `breaking` are the reasons why the caller must agree to it."""

    action: Action
    kind: Kind
    key: str
    name: str
    desired: Desired | None = None
    actual: Resource | None = None
    differences: tuple[Difference, ...] = ()
    breaking: tuple[str, ...] = ()

    @property
    def sign(self) -> str:
        """`+` creates, `=` adopts, `~` updates, `±` replaces, `-` deletes."""
        return SIGNS[self.action]

    @property
    def label(self) -> str:
        """The kind of resource."""
        return str(self.kind)

    @property
    def text(self) -> str:
        """The resource's name, and the action where the sign alone is not clear."""
        return f"{self.name}  ({self.action})" if self.action in (Action.ADOPT, Action.REPLACE) else self.name

    @property
    def details(self) -> tuple[str, ...]:
        """The fields that differ, and the reasons why it is breaking."""
        # Every field of a new resource differs, which says nothing.
        differences = () if self.action is Action.CREATE else tuple(map(str, self.differences))
        return (*differences, *(f"! {reason}" for reason in self.breaking))

    @property
    def takes_away(self) -> bool:
        """Whether it is breaking."""
        return bool(self.breaking)

    def as_dict(self) -> dict[str, object]:
        """Return plain data without secrets, as printed by `-o json`."""
        return {
            "action": str(self.action),
            "kind": str(self.kind),
            "name": self.name,
            "id": self.actual.id if self.actual else None,
            # Secrets stand in no difference: their values are masked before one is made.
            "differences": [
                {"path": each.path, "before": each.before, "after": each.after} for each in self.differences
            ],
            "breaking": list(self.breaking),
        }


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and "streams" in value:
        return f"version {value['version']} with {len(value['streams'])} streams"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)
