"""Simulate the order of changes in memory, to find rights that are missing or open only while they are made.

The ends are the state before all changes and the state after them. A right that both ends give must not be missing in
between, and a right that neither end gives should not appear in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial, reduce

from etltctl.governance.changes import Change, Phase
from etltctl.governance.model import EVERYBODY, Resource, State, effective_tags
from etltctl.governance.rights import Right, gives, is_held, named_in, rights_on, things


class Harm(IntEnum):
    """What a change does to rights in between, though the start and the end of the plan do not."""

    NONE = 0
    OPENS = 1
    TAKES = 2


def after(state: State, change: Change) -> State:
    """Return the state when the change is made."""
    return change.simulate(state)


class Simulation:
    """Lake Formation in memory, on its way from one state to another, change by change.

    Rights are compared on every thing that either end names: databases, tables, columns, locations, and one thing that
    stands for all others of its kind. That is what makes a comparison expensive, so each answer is kept until a change
    is made that may alter it. Changes are distinguished by identity: a hash of their nested values would cost more than
    the comparison that it saves.

    Args:
        changes: Every change of the plan.
        start: The state before them.
        hybrid: Databases in which IAM's access stays, so that the rights of IAM_ALLOWED_PRINCIPALS are not everyone's.
    """

    def __init__(self, changes: Sequence[Change], start: State, hybrid: frozenset[str]) -> None:
        # The end does not depend on the order of the changes, so any order gives it.
        self._state, end = start, reduce(after, changes, start)
        self._hybrid = hybrid
        self._ends = {
            thing: _Ends.of(thing, start, end) for thing in things((*named_in(start), *named_in(end)))
        }
        # Rows and not rights: a revoke of a row that the end holds would have to be granted again.
        self._kept_rows = frozenset(
            row
            for row in start.grants | end.grants
            if is_held(start.grants, row) and is_held(end.grants, row)
        )
        # Computed once: which things a change may alter follows from its resource alone.
        self._touched = {
            id(change): frozenset(thing for thing in self._ends if change.touches(thing))
            for change in changes
        }
        self._pending = {id(change): change for change in changes}
        # Nothing is known at first. `harm` fills in answers, and `make` forgets those that may have changed.
        self._unknown = {key: set(touched) for key, touched in self._touched.items()}
        self._harms: dict[int, dict[Resource, Harm]] = {id(change): {} for change in changes}

    def make(self, change: Change) -> None:
        """Go on to the state after the change, and forget the answers that it may alter."""
        self._state = after(self._state, change)
        del self._pending[id(change)]
        for key, other in self._pending.items():
            # Grants of two principals leave each other's answers valid; without this nearly every answer would be
            # forgotten.
            if _may_share_rights(change, other):
                self._unknown[key] |= self._touched[id(change)] & self._touched[key]

    def harm(self, change: Change) -> Harm:
        """Return what the change does in the present state."""
        # First, because it compares sets of rows and reads no rights.
        if self._takes_row(self._state, change):
            return Harm.TAKES
        harms, unknown = self._harms[id(change)], self._unknown[id(change)]
        harms |= self._harms_on(unknown, self._state, change)
        unknown.clear()
        return max(harms.values(), default=Harm.NONE)

    def harm_in(self, state: State, change: Change) -> Harm:
        """Return what the change does in any state, without what is known of the present one."""
        if self._takes_row(state, change):
            return Harm.TAKES
        return max(self._harms_on(self._touched[id(change)], state, change).values(), default=Harm.NONE)

    def _takes_row(self, state: State, change: Change) -> bool:
        """Return whether the change takes a grant that both ends hold, even if another grant gives the same rights."""
        if change.phase is not Phase.REVOKES:
            return False
        later = after(state, change).grants
        return any(is_held(state.grants, row) and not is_held(later, row) for row in self._kept_rows)

    def _harms_on(self, touched: Iterable[Resource], state: State, change: Change) -> dict[Resource, Harm]:
        later = after(state, change)
        # A change of one principal alters its rights alone; EVERYBODY is compared with it because it may give the same.
        principals = frozenset({change.principal, EVERYBODY}) if change.principal else None
        return {thing: self._harm_on(thing, state, later, principals) for thing in touched}

    def _harm_on(
        self, thing: Resource, state: State, later: State, principals: frozenset[str] | None
    ) -> Harm:
        ends = self._ends[thing]
        # A tag counts as a right for programs that read it, and for grants that etltctl does not manage.
        if ends.loses_tag(effective_tags(state.assigned, thing), effective_tags(later.assigned, thing)):
            return Harm.TAKES
        now, then = rights_on(thing, state, principals), rights_on(thing, later, principals)
        has = partial(gives, counts_everybody=thing.database not in self._hybrid)
        if now - then:
            # Only rights of both ends count: one that the plan takes anyway may go at any time.
            kept = (right for right in ends.rights if has(ends.start, right) and has(ends.end, right))
            if any(has(now, right) and not has(then, right) for right in kept):
                return Harm.TAKES
        # Measured against both ends together: what one of them gives is either still there or on its way.
        is_opened = any(not has(ends.rights, right) and not has(now, right) for right in then - now)
        return Harm.OPENS if is_opened else Harm.NONE


@dataclass(frozen=True)
class _Ends:
    """The rights on a thing at both ends and at either, and the LF-tags that it has at both."""

    start: frozenset[Right]
    end: frozenset[Right]
    rights: frozenset[Right]
    tags: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, thing: Resource, start: State, end: State) -> _Ends:
        """Return the ends of one thing."""
        first, last = rights_on(thing, start), rights_on(thing, end)
        tags = effective_tags(start.assigned, thing).items() & effective_tags(end.assigned, thing).items()
        return cls(first, last, first | last, frozenset(tags))

    def loses_tag(self, now: Mapping[str, str], then: Mapping[str, str]) -> bool:
        """Return whether a tag that both ends give is there now and not then."""
        return any(now.get(key) == value != then.get(key) for key, value in self.tags)


def _may_share_rights(one: Change, other: Change) -> bool:
    """Return whether two changes may alter the same rights: grants of two principals do not."""
    return not (one.principal and other.principal) or one.principal == other.principal
