"""In which order changes are made, so that nobody loses on the way what is had before and after.

Everything is added before anything is taken away; tags of columns and tables are set before those of their databases
and taken off after them; what hangs on a thing goes before it. A change that would take from somebody on the way, or
show what is seen neither before nor after, waits until other changes have made it harmless; where all that is left
would do harm, another order of the last changes is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from etltctl.governance.harm import Way, after
from etltctl.governance.model import EVERYBODY, Scope, State

PHASES = (
    "settings", "register", "tags", "assign", "filters", "grants", "opt-ins",
    "opt-outs", "revokes", "drop-filters", "unassign", "drop-tags",
)  # fmt: skip
STAYS = frozenset({"settings", "register", "tags", "drop-tags"})
ADDS = frozenset({"assign", "filters", "grants"})
MOST_SEARCHED, MOST_TRIES = 12, 5_000  # so many changes are put in another order, looked for so long


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


def ordered(found: Iterable[Change], actual: State, scope: Scope) -> tuple[Change, ...]:
    """The changes in the order they must be made."""
    by_phase = sorted(found, key=lambda change: PHASES.index(change.phase))
    pending = [change for change in by_phase if change.phase not in STAYS]
    if any(_moves_rights(change) for change in pending):
        pending = _harmless_first(pending, actual, scope)
    first = [change for change in by_phase if change.phase in STAYS - {"drop-tags"}]
    return (*first, *pending, *(change for change in by_phase if change.phase == "drop-tags"))


def _moves_rights(change: Change) -> bool:
    """Whether grants open something else after it; without such a change, adding before taking away is enough."""
    return change.phase in {"assign", "unassign"} or (change.phase == "filters" and change.sign == "~")


def _harmless_first(pending: list[Change], actual: State, scope: Scope) -> list[Change]:
    way, made = Way(pending, actual, scope.hybrid), list[Change]()
    while pending:
        left: list[Change] = []
        for number, change in enumerate(pending, 1):
            if way.harm(change) or _waits(change, (*left, *pending[number:])):
                left.append(change)
            else:
                way.make(change)
                made.append(change)
        if len(left) == len(pending):
            again = made[max(0, len(made) + len(left) - MOST_SEARCHED) :] if len(left) < MOST_SEARCHED else []
            kept = made[: len(made) - len(again)]
            state = reduce(after, kept, actual)
            if again and (found := _Search(way).order(state, (*again, *left))) is not None:
                return [*kept, *found]
            least = min((change for change in left if not _waits(change, left)), key=way.harm)
            left.remove(least)
            way.make(least)
            made.append(least)
        pending = left
    return made


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


@dataclass
class _Search:
    """Another order, where taking the first harmless change each time has led to where none is left."""

    way: Way
    tries: int = MOST_TRIES
    in_vain: set[frozenset[int]] = field(default_factory=set)

    def order(self, state: State, pending: tuple[Change, ...]) -> list[Change] | None:
        """The changes in an order in which none does harm; None if there is none, or it takes too long to find."""
        if not pending:
            return []
        which = frozenset(map(id, pending))
        if which in self.in_vain:
            return None
        for number, change in enumerate(pending):
            others = pending[:number] + pending[number + 1 :]
            if _waits(change, others) or self._is_harmful(change, state):
                continue
            found = self.order(after(state, change), others)
            if found is not None:
                return [change, *found]
        self.in_vain.add(which)
        return None

    def _is_harmful(self, change: Change, state: State) -> bool:
        self.tries -= 1
        return self.tries < 0 or bool(self.way.harm_in(state, change))
