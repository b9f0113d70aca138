"""The records of moto's backends as JSON, and back: data only, so that reading it can run nothing.

A graph of objects becomes a list of nodes; a node's references are one-element lists that hold the number of another
node, and everything else stands for itself. Objects are made without their constructors, and only of the classes of
`MODULES`.
"""

from __future__ import annotations

import base64
import io
import os
import pickle
import re
import stat
from collections import OrderedDict, defaultdict
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from etltctl.local.kernel.api_models import IMPORTING_MOTO

KEPT_SERVICES = ("athena", "glue", "iam", "lakeformation", "logs", "secretsmanager", "ssm")
# Where the classes of kept records are defined; what they import from elsewhere is not theirs.
MODULES = frozenset(
    {
        *(f"moto.{service}.models" for service in KEPT_SERVICES),
        "moto.glue.utils",
        "moto.logs.metric_filters",
        "moto.logs.utils",
        "moto.utilities.tagging_service",
        "moto.moto_api._internal.managed_state_model",
    }
)
FACTORIES: dict[str, Any] = {
    **{kind.__name__: kind for kind in (list, dict, set, int, str, OrderedDict)},
    "defaultdict(list)": partial(defaultdict, list),
    "defaultdict(dict)": partial(defaultdict, dict),
}
SCALARS = (bool, int, float, str)

Node = list[Any]
FORMAT = 1
# Everything else that such a pickle may name. No function but the one that makes patterns: it runs nothing.
PLAIN: dict[tuple[str, str], Any] = {
    **{
        ("builtins", kind.__name__): kind for kind in (list, dict, set, frozenset, tuple, int, str, bytearray)
    },
    **{("datetime", kind.__name__): kind for kind in (datetime, timedelta, timezone)},
    **{("collections", kind.__name__): kind for kind in (OrderedDict, defaultdict)},
}


def to_nodes(value: Any) -> list[Node]:
    """Return the nodes of the value, which is the first of them; raises TypeError for what is not kept."""
    return _Writer().written(value)


def from_nodes(nodes: list[Node]) -> Any:
    """Return the value that the nodes describe.

    Raises:
        ValueError: a class is not one of those that are kept.
        LookupError, TypeError, AttributeError: the nodes are not what `to_nodes` writes.
    """
    return _Reader(nodes).node(0)


def known_class(module: str, name: str) -> type:
    """Return the class of this name that the module itself defines; raises ValueError for any other."""
    if module not in MODULES:
        raise ValueError(f"{module}.{name} is not one of the records that are kept")
    with IMPORTING_MOTO:
        kind = vars(import_module(module)).get(name)
    # A module's imports would be reachable by its name, `moto.glue.models.json` for one.
    if not isinstance(kind, type) or kind.__module__ != module:
        raise ValueError(f"{module}.{name} is not one of the records that are kept")
    return kind


class _Writer:
    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._numbers: dict[int, int] = {}
        self._values: list[Any] = []  # held, so that no id is given twice

    def written(self, value: Any) -> list[Node]:
        self._reference(value)
        return self._nodes

    def _reference(self, value: Any) -> Any:
        if value is None or type(value) in SCALARS:
            return value
        number = self._numbers.get(id(value))
        if number is None:
            # Numbered before its content is written, because an object may hold itself.
            number = self._numbers[id(value)] = len(self._nodes)
            self._values.append(value)
            self._nodes.append([])
            self._nodes[number] = self._node(value)
        return [number]

    def _node(self, value: Any) -> Node:
        kind = type(value)
        # What lies inside such a node comes back as a copy, even if another record refers to it.
        if kind in (list, dict) and _is_json(value):
            return ["json", value]
        if kind in (list, tuple, set):
            return [kind.__name__, [self._reference(item) for item in value]]
        if kind in (dict, OrderedDict):
            return [kind.__name__, self._pairs(value)]
        if kind is defaultdict:
            return ["defaultdict", self._pairs(value), _factory_name(value)]
        if kind is datetime:
            return ["datetime", value.isoformat()]
        if kind is bytes:
            return ["bytes", base64.b64encode(value).decode()]
        if kind is re.Pattern:
            return ["pattern", value.pattern, value.flags]
        known_class(kind.__module__, kind.__qualname__)
        if isinstance(value, Enum):
            return ["enum", kind.__module__, kind.__qualname__, value.value]
        return ["object", kind.__module__, kind.__qualname__, self._pairs(vars(value)), *self._content(value)]

    def _pairs(self, mapping: Any) -> list[Node]:
        return [[self._reference(name), self._reference(item)] for name, item in mapping.items()]

    def _content(self, value: Any) -> Node:
        """Return the items of an object that is itself a dictionary."""
        if not isinstance(value, dict):
            return []
        return [self._pairs(value), _factory_name(value) if isinstance(value, defaultdict) else ""]


class _Reader:
    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._made: dict[int, Any] = {}

    def node(self, number: int) -> Any:
        if number not in self._made:
            kind, *rest = self._nodes[number]
            self._make(number, kind, rest)
        return self._made[number]

    def _make(self, number: int, kind: str, rest: Node) -> None:
        """Put the value in its place before what it holds is read: that may hold it in turn."""
        match kind, rest:
            case "list", [items]:
                self._keep(number, []).extend(map(self._value, items))
            case "tuple" | "set", [items]:
                self._made[number] = (tuple if kind == "tuple" else set)(map(self._value, items))
            case "dict" | "OrderedDict", [pairs]:
                self._fill(self._keep(number, {} if kind == "dict" else OrderedDict()), pairs)
            case "defaultdict", [pairs, factory]:
                self._fill(self._keep(number, defaultdict(FACTORIES.get(factory))), pairs)
            case "object", [module, name, pairs, *content]:
                self._make_object(number, known_class(module, name), pairs, content)
            case _:
                self._made[number] = _plain(kind, rest)

    def _make_object(self, number: int, kind: type, pairs: list[Node], content: Node) -> None:
        # Without the constructor, whose arguments are not the attributes that are kept.
        base = defaultdict if issubclass(kind, defaultdict) else dict if issubclass(kind, dict) else object
        instance = self._keep(number, base.__new__(kind))
        self._fill(vars(instance), pairs)
        if content:
            if isinstance(instance, defaultdict):
                instance.default_factory = FACTORIES.get(content[1])
            self._fill(instance, content[0])

    def _keep(self, number: int, value: Any) -> Any:
        self._made[number] = value
        return value

    def _fill(self, mapping: dict[Any, Any], pairs: list[Node]) -> None:
        # The base class's own assignment, because a subclass may redefine it.
        put = OrderedDict.__setitem__ if isinstance(mapping, OrderedDict) else dict.__setitem__
        for name, item in pairs:
            put(mapping, self._value(name), self._value(item))

    def _value(self, node: Any) -> Any:
        return self.node(node[0]) if isinstance(node, list) else node


def _plain(kind: str, rest: Node) -> Any:
    match kind, rest:
        case "json", [value]:
            return value
        case "datetime", [text]:
            return datetime.fromisoformat(text)
        case "bytes", [text]:
            return base64.b64decode(text)
        case "pattern", [text, flags]:
            return re.compile(text, flags)
        case "enum", [module, name, value]:
            return known_class(module, name)(value)
    raise ValueError(f"{kind} is not a node")


def _is_json(value: Any) -> bool:
    """Return whether JSON gives back the same value. Most of a catalog is such: one node is 10 times faster."""
    kind = type(value)
    if kind is dict:
        return all(type(name) is str and _is_json(item) for name, item in value.items())
    if kind is list:
        return all(map(_is_json, value))
    return value is None or kind in SCALARS


def _factory_name(value: defaultdict[Any, Any]) -> str:
    """Return the name of a default factory, judged by what it makes; raise TypeError for one not in `FACTORIES`."""
    if value.default_factory is None:
        return ""
    value_made = value.default_factory()
    name = type(value_made).__name__
    if type(value_made) is defaultdict and value_made.default_factory is not None:
        name = f"defaultdict({value_made.default_factory.__name__})"
    if value_made or name not in FACTORIES:
        raise TypeError(
            f"{value.default_factory} makes the missing values of a dictionary, and cannot be kept"
        )
    return name


def read_pickled(path: Path, moto: str) -> dict[str, dict[str, Any]]:
    """Return the backends by service and region.

    Raises:
        ValueError, pickle.UnpicklingError: the file is another user's, may be written by others, names anything
            but records, or was written by another version of moto.
    """
    _refuse_foreign(path)
    content = _load(path.read_bytes())
    if (content["format"], content["moto"]) != (FORMAT, moto):
        raise ValueError(f"written by moto {content['moto']}")
    return {name: _load(data) for name, data in content["services"].items()}


class _Records(pickle.Unpickler):
    """Finds the classes of records, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("re", "_compile"):
            import re

            return re.compile
        if module in MODULES:
            return known_class(module, name)
        try:
            return PLAIN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no record holds") from None


def _load(content: bytes) -> Any:
    return _Records(io.BytesIO(content)).load()


def _refuse_foreign(path: Path) -> None:
    # A user who owns the folder can exchange the file, so the folder counts too.
    for place in (path, path.parent):
        facts = place.stat()
        if facts.st_uid != os.geteuid():
            raise ValueError(f"{place} belongs to another user (uid {facts.st_uid})")
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError(f"other users may write {path.name}")
