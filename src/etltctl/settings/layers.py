"""Settings from one place, laid over those from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from etltctl.settings.places import Path as KeyPath
from etltctl.settings.places import place_of


@dataclass(frozen=True)
class Layer:
    """Settings from one place: what they say and how the place of a key is told."""

    data: Mapping[str, Any]
    name: str
    section: KeyPath = ()
    places: Mapping[KeyPath, Any] = field(default_factory=dict)

    def origin(self, path: KeyPath) -> str:
        """Where the value of the key comes from."""
        place = place_of((*self.section, *path), self.places)
        within = f" [{'.'.join(self.section)}]" if self.section else ""
        return f"{self.name}:{place.line}{within}" if place else self.name

    def complaint_place(self, path: KeyPath) -> str:
        """The same with the column, as editors understand it."""
        place = place_of((*self.section, *path), self.places)
        return f"{self.name}:{place.line}:{place.column}" if place else self.name


def first_layer(layers: list[Layer], path: KeyPath) -> Layer:
    """The topmost layer that sets the key; the lowest if none does, for its value is the model's default."""
    for layer in layers:
        data: Any = layer.data
        for name in path:
            data = _within(data, name)
        if data is not None:
            return layer
    return Layer({}, "default")


def _within(data: Any, name: str) -> Any:
    if isinstance(data, list):
        return data[int(name)] if name.isdigit() and int(name) < len(data) else None
    return data.get(name) if isinstance(data, Mapping) else None
