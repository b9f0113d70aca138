"""In which order changes are made, so that nobody loses on the way what is had before and after.

Everything is added before anything is taken away; tags of columns and tables are set before those of their databases
and taken off after them; what hangs on a thing goes before it. A change that would take from somebody on the way, or
show what is seen neither before nor after, waits until other changes have made it harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial, reduce
from typing import Any

from etltctl.governance.model import ALL_TABLES, EVERYBODY, Grant, Resource, Scope, State, effective_tags
from etltctl.governance.rights import Right, gives, is_held, named_in, rights_on, things

PHASES = (
    "settings", "register", "tags", "assign", "filters", "grants", "opt-ins",
    "opt-outs", "revokes", "drop-filters", "unassign", "drop-tags",
)  # fmt: skip
STAYS = frozenset({"settings", "register", "tags", "drop-tags"})
ADDS = frozenset({"assign", "filters", "grants"})
MOVES = frozenset({"grants", "revokes"})


@dataclass(frozen=True)
class Change:
    """One thing to do: in which phase, to what (`key`), and with what (`value`); `text` says it to people."""

    phase: str
    sign: str
    key: Any
    value: Any
    text: str

    @property
    def takes_away(self) -> bool:
        """Whether somebody may lose something by it."""
        return self.sign != "+"

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as printed by `-o json`."""
        return {"phase": self.phase, "sign": self.sign, "what": self.text}


class Harm(IntEnum):
    """What a change does at a moment that neither the state before nor the one after all changes does."""

    NONE = 0
    OPENS = 1
    TAKES = 2


def ordered(found: Iterable[Change], actual: State, scope: Scope) -> tuple[Change, ...]:
    """The changes in the order they must be made."""
    by_phase = sorted(found, key=lambda change: PHASES.index(change.phase))
    pending = [change for change in by_phase if change.phase not in STAYS]
    if any(_moves_rights(change) for change in pending):
        pending = list(_harmless_first(pending, actual, scope))
    first = [change for change in by_phase if change.phase in STAYS - {"drop-tags"}]
    return (*first, *pending, *(change for change in by_phase if change.phase == "drop-tags"))


def _moves_rights(change: Change) -> bool:
    """Whether grants open something else after it; without such a change, adding before taking away is enough."""
    return change.phase in {"assign", "unassign"} or (change.phase == "filters" and change.sign == "~")


def _harmless_first(pending: list[Change], actual: State, scope: Scope) -> Iterator[Change]:
    way = _Way(pending, actual, scope.hybrid)
    while pending:
        left: list[Change] = []
        for number, change in enumerate(pending, 1):
            if way.harm(change) or _waits(change, (*left, *pending[number:])):
                left.append(change)
            else:
                way.make(change)
                yield change
        if len(left) == len(pending):
            least = min((change for change in left if not _waits(change, left)), key=way.harm)
            left.remove(least)
            way.make(least)
            yield least
        pending = left


def _waits(change: Change, others: Sequence[Change]) -> bool:
    """Whether one of the other changes must be made before this one in any case."""
    match change.phase:
        case "grants":
            return any(
                other.phase == "filters" and other.key in change.key[1]
                for other in others
                if other.sign == "+"
            )
        case "opt-ins":
            return any(other.phase in ADDS | {"unassign"} for other in others)
        case "opt-outs":
            return any(other.phase == "opt-ins" for other in others)
        case "revokes" if change.key[0] == EVERYBODY:
            return any(other.phase in ADDS | {"opt-ins", "opt-outs"} for other in others)
        case "revokes":
            return any(other.phase == "opt-outs" and other.key.principal == change.key[0] for other in others)
        case "drop-filters":
            return any(other.phase == "revokes" and change.key in other.key[1] for other in others)
        case "unassign":
            return any(
                other.phase == "assign"
                and other.key == change.key
                and dict(other.value).keys() & dict(change.value)
                for other in others
            )
    return False


class _Way:
    """From one state to another, change by change: what a change does at a moment that neither end does."""

    def __init__(self, changes: Sequence[Change], start: State, hybrid: frozenset[str]) -> None:
        self._state, end = start, reduce(_after, changes, start)
        self._hybrid = hybrid
        self._ends = {
            thing: _End.of(thing, start, end) for thing in things((*named_in(start), *named_in(end)))
        }
        self._rows = frozenset(
            row
            for row in start.grants | end.grants
            if is_held(start.grants, row) and is_held(end.grants, row)
        )
        self._touched = {
            id(change): frozenset(thing for thing in self._ends if _is_touched(thing, change))
            for change in changes
        }
        self._pending = {id(change): change for change in changes}
        self._unknown = {which: set(touched) for which, touched in self._touched.items()}
        self._harms: dict[int, dict[Resource, Harm]] = {id(change): {} for change in changes}

    def make(self, made: Change) -> None:
        """Goes on to the state after the change."""
        self._state = _after(self._state, made)
        del self._pending[id(made)]
        for which, other in self._pending.items():
            if _is_of_same(made, other):
                self._unknown[which] |= self._touched[id(made)] & self._touched[which]

    def harm(self, change: Change) -> Harm:
        """What the change does in the state that was come to."""
        later = _after(self._state, change)
        if change.phase == "revokes" and any(
            is_held(self._state.grants, row) and not is_held(later.grants, row) for row in self._rows
        ):
            return Harm.TAKES
        is_of_one = change.phase in MOVES and change.key[0] != EVERYBODY
        principals = frozenset({change.key[0], EVERYBODY}) if is_of_one else None
        harms, unknown = self._harms[id(change)], self._unknown[id(change)]
        harms |= {thing: self._harm_on(thing, later, principals) for thing in unknown}
        unknown.clear()
        return max(harms.values(), default=Harm.NONE)

    def _harm_on(self, thing: Resource, later: State, principals: frozenset[str] | None) -> Harm:
        ends = self._ends[thing]
        if ends.loses_tag(effective_tags(self._state.assigned, thing), effective_tags(later.assigned, thing)):
            return Harm.TAKES
        now, then = rights_on(thing, self._state, principals), rights_on(thing, later, principals)
        has = partial(gives, counts_everybody=thing.database not in self._hybrid)
        if now - then:
            kept = (right for right in ends.rights if has(ends.start, right) and has(ends.end, right))
            if any(has(now, right) and not has(then, right) for right in kept):
                return Harm.TAKES
        is_opened = any(not has(ends.rights, right) and not has(now, right) for right in then - now)
        return Harm.OPENS if is_opened else Harm.NONE


@dataclass(frozen=True)
class _End:
    """The rights on a thing before and after all changes, and the LF-tags that it has at both."""

    start: frozenset[Right]
    end: frozenset[Right]
    rights: frozenset[Right]
    tags: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, thing: Resource, start: State, end: State) -> _End:
        first, last = rights_on(thing, start), rights_on(thing, end)
        tags = effective_tags(start.assigned, thing).items() & effective_tags(end.assigned, thing).items()
        return cls(first, last, first | last, frozenset(tags))

    def loses_tag(self, now: Mapping[str, str], then: Mapping[str, str]) -> bool:
        return any(now.get(key) == value != then.get(key) for key, value in self.tags)


def _is_touched(thing: Resource, change: Change) -> bool:
    match change.phase:
        case "grants" | "revokes":
            return any(_is_about(resource, thing) for resource in change.key[1])
        case "assign" | "unassign":
            return change.key == thing or change.key in thing.parents
        case "filters" | "drop-filters":
            return bool(thing.key[:2] == change.key.key[:2])
    return False


def _is_of_same(made: Change, other: Change) -> bool:
    """Whether they may bear on the same rights; grants of two principals do not."""
    if {made.phase, other.phase} <= MOVES:
        return made.key[0] == other.key[0] or EVERYBODY in {made.key[0], other.key[0]}
    return True


def _is_about(resource: Resource, thing: Resource) -> bool:
    """Whether a grant on the resource may open something of the thing."""
    if resource.kind in {"tables", "databases"}:
        return True
    if resource.database != thing.database or len(thing.key) == 1 or len(resource.key) == 1:
        return resource == thing
    return resource.key[1] in {thing.key[1], ALL_TABLES}


def _after(state: State, change: Change) -> State:
    """The state when the change is made."""
    match change.phase:
        case "grants":
            rows = _rows_of(change)
            return replace(
                state, grants=state.grants | rows | {replace(row, grantable=False) for row in rows}
            )
        case "revokes":
            return replace(state, grants=state.grants - _rows_of(change))
        case "assign":
            own = {**state.assigned.get(change.key, {}), **dict(change.value)}
            return replace(state, assigned={**state.assigned, change.key: own})
        case "unassign":
            gone = dict(change.value)
            own = {key: value for key, value in state.assigned.get(change.key, {}).items() if key not in gone}
            return replace(state, assigned={**state.assigned, change.key: own})
        case "filters":
            return replace(state, filters={**state.filters, change.key: change.value})
        case "drop-filters":
            return replace(state, filters={key: f for key, f in state.filters.items() if key != change.key})
    return state


def _rows_of(change: Change) -> frozenset[Grant]:
    principal, about = change.key
    plain, grantable = change.value
    rows = {Grant(principal, resource, name) for resource in about for name in plain}
    return frozenset(
        rows | {Grant(principal, resource, name, True) for resource in about for name in grantable}
    )
