"""What a change does to rights at a moment that neither the state before all changes nor the one after them does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial, reduce
from typing import TYPE_CHECKING

from etltctl.governance.model import ALL_TABLES, EVERYBODY, Grant, Resource, State, effective_tags
from etltctl.governance.rights import Right, gives, is_held, named_in, rights_on, things

if TYPE_CHECKING:
    from etltctl.governance.ordering import Change

MOVES = frozenset({"grants", "revokes"})


class Harm(IntEnum):
    """What a change does at a moment that neither the state before nor the one after all changes does."""

    NONE = 0
    OPENS = 1
    TAKES = 2


class Way:
    """From one state to another, change by change: what a change does at a moment that neither end does."""

    def __init__(self, changes: Sequence[Change], start: State, hybrid: frozenset[str]) -> None:
        self._state, end = start, reduce(after, changes, start)
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
        self._state = after(self._state, made)
        del self._pending[id(made)]
        for which, other in self._pending.items():
            if _is_of_same(made, other):
                self._unknown[which] |= self._touched[id(made)] & self._touched[which]

    def harm(self, change: Change) -> Harm:
        """What the change does in the state that was come to; what is known of it is not looked for again."""
        harms, unknown = self._harms[id(change)], self._unknown[id(change)]
        if self._takes_row(self._state, change):
            return Harm.TAKES
        harms |= self._harms_on(unknown, self._state, change)
        unknown.clear()
        return max(harms.values(), default=Harm.NONE)

    def harm_in(self, state: State, change: Change) -> Harm:
        """What the change does in any state."""
        if self._takes_row(state, change):
            return Harm.TAKES
        return max(self._harms_on(self._touched[id(change)], state, change).values(), default=Harm.NONE)

    def _takes_row(self, state: State, change: Change) -> bool:
        if change.phase != "revokes":
            return False
        later = after(state, change).grants
        return any(is_held(state.grants, row) and not is_held(later, row) for row in self._rows)

    def _harms_on(self, touched: Iterable[Resource], state: State, change: Change) -> dict[Resource, Harm]:
        later = after(state, change)
        is_of_one = change.phase in MOVES and change.key[0] != EVERYBODY
        principals = frozenset({change.key[0], EVERYBODY}) if is_of_one else None
        return {thing: self._harm_on(thing, state, later, principals) for thing in touched}

    def _harm_on(
        self, thing: Resource, state: State, later: State, principals: frozenset[str] | None
    ) -> Harm:
        ends = self._ends[thing]
        if ends.loses_tag(effective_tags(state.assigned, thing), effective_tags(later.assigned, thing)):
            return Harm.TAKES
        now, then = rights_on(thing, state, principals), rights_on(thing, later, principals)
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


def after(state: State, change: Change) -> State:
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
