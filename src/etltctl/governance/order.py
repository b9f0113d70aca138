"""Order the changes so that no principal loses, even briefly, access that it has in both the old and the new state.

Why there is such an order to look for: a grant on LF-tags opens whatever carries the tags, so changing a tag moves the
rights of every principal at once, and each change is a separate call. Three rules, from the strongest to the weakest:

1. Some changes must come before others in every order (`Change.waits_for`): a filter exists before it is granted, and
   is revoked before it is deleted.
2. No principal loses a right that both ends give. Where every remaining change would take such a right, the least
   harmful one is made, because the plan has to end in the desired state.
3. No principal gets, even briefly, a right that neither end gives, wherever an order avoids that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce

from etltctl.governance.changes import Change, Phase, difference
from etltctl.governance.model import Scope, State
from etltctl.governance.simulate import Simulation, after

PHASES = tuple(Phase)
# These move no right, and what others need of them (a key before its value is assigned) holds by phase alone.
FIRST = frozenset({Phase.SETTINGS, Phase.REGISTER, Phase.TAGS})
LAST = frozenset({Phase.DROP_TAGS})
# The bounds of the search below. 12 changes have 4,096 subsets. 5,000 tries took 0.5 s of one core where a plan named
# 23 databases, tables and columns; each try compares rights on those that its change touches.
MOST_SEARCHED, MOST_TRIES = 12, 5_000


def ordered_changes(desired: State, actual: State, scope: Scope) -> tuple[Change, ...]:
    """Return every change from the actual to the desired state within the scope, in the order to make them."""
    return ordered(difference(desired, actual, scope), actual, scope)


def ordered(changes: Sequence[Change], actual: State, scope: Scope) -> tuple[Change, ...]:
    """Return the changes in the order to make them.

    Without a change that makes existing grants open something else, adding before removing is enough, and the phases
    say that. Only otherwise is the plan simulated, which is the expensive part.
    """
    # The sort is stable: within a phase the changes keep the order of `difference`, such as columns before databases.
    by_phase = sorted(changes, key=lambda change: PHASES.index(change.phase))
    first = [change for change in by_phase if change.phase in FIRST]
    last = [change for change in by_phase if change.phase in LAST]
    moving = [change for change in by_phase if change.phase not in FIRST | LAST]
    # Most plans only grant and revoke. For them the phases are a proof already, and no simulation is paid for.
    if any(change.moves_rights for change in moving):
        moving = _harmless_first(moving, actual, scope)
    return (*first, *moving, *last)


def _harmless_first(pending: list[Change], actual: State, scope: Scope) -> list[Change]:
    """Return the changes in passes: each makes, by phase, whatever is harmless at that moment, and keeps the rest.

    This greedy walk solves nearly every plan in a few passes. It ends, because a pass that makes nothing is followed by
    the search, which orders all that is left, or by the least harmful change, which shortens what is left.
    """
    # The settings, locations and tag values of `FIRST` move no right, so the simulation begins at the actual state.
    simulation, done = Simulation(pending, actual, scope.hybrid), list[Change]()
    while pending:
        # A change that does harm now may be harmless after a later one: what is left is tried again in the next pass.
        left = _one_pass(pending, simulation, done)
        if len(left) == len(pending):
            # A dead end. Only now the expensive search: it may undo what the greedy walk did too early.
            reordered = _search_again(simulation, actual, done, left)
            if reordered is not None:
                return reordered
            # No order avoids all harm, or the search gave up. The plan must end in the desired state all the same.
            _make_least_harmful(left, simulation, done)
        pending = left
    return done


def _one_pass(pending: Sequence[Change], simulation: Simulation, done: list[Change]) -> list[Change]:
    """Make every change that is harmless when its turn comes, and return the others."""
    left: list[Change] = []
    for number, change in enumerate(pending, 1):
        # What was left in this pass still has to come before those that wait for it, so both lists are searched.
        if simulation.harm(change) or _waits(change, (*left, *pending[number:])):
            left.append(change)
        else:
            simulation.make(change)
            done.append(change)
    return left


def _search_again(
    simulation: Simulation, actual: State, done: Sequence[Change], left: Sequence[Change]
) -> list[Change] | None:
    """Return all changes in an order in which the last few do no harm; None if the search does not find one.

    The greedy walk has made a harmless change too early: after it, each of those that are left does harm. So the last
    changes that were made are taken back, up to `MOST_SEARCHED` together with those that are left, and searched again.
    Where none was made, there is nothing to take back, and the search would begin at the same dead end.
    """
    if not done or len(left) >= MOST_SEARCHED:
        return None
    # The newest changes are taken back first: the mistake lies near the dead end more often than at the start.
    kept = list(done[: max(0, len(done) + len(left) - MOST_SEARCHED)])
    # Simulated again from the start: a simulation cannot go backwards.
    state = reduce(after, kept, actual)
    tail = _Search(simulation).order(state, (*done[len(kept) :], *left))
    return None if tail is None else [*kept, *tail]


def _make_least_harmful(left: list[Change], simulation: Simulation, done: list[Change]) -> None:
    """Move the change that does the least harm from those that are left to those that are made."""
    # At least one does not wait: `waits_for` holds between kinds of change and has no circle.
    least = min((change for change in left if not _waits(change, left)), key=simulation.harm)
    left.remove(least)
    simulation.make(least)
    done.append(least)


def _waits(change: Change, others: Sequence[Change]) -> bool:
    """Return whether one of the other changes must be made before this one in every order."""
    return any(change.waits_for(other) for other in others)


@dataclass
class _Search:
    """Depth-first search for an order in which no change does harm.

    The state depends only on which changes are made and not on their order: where two of them touch the same value,
    `waits_for` fixes their order. So a set of changes from which no order leads on is remembered and never entered
    again, and the search enters each of the 2^n sets at most once instead of walking n! orders. It ends because each
    level has one change less, and early when `tries` simulated changes are spent.
    """

    simulation: Simulation
    tries: int = MOST_TRIES
    dead_ends: set[frozenset[int]] = field(default_factory=set)

    def order(self, state: State, pending: tuple[Change, ...]) -> list[Change] | None:
        """Return the changes in an order in which none does harm; None if none is found."""
        if not pending:
            return []
        # By identity: changes are nested values, and hashing them costs more than the search saves.
        members = frozenset(map(id, pending))
        if members in self.dead_ends:
            return None
        for number, change in enumerate(pending):
            # Pending changes keep their order, so the search tries the order of the phases first.
            others = pending[:number] + pending[number + 1 :]
            # Cheap question first: whether it waits is a comparison, whether it harms is a simulation.
            if _waits(change, others) or self._is_harmful(change, state):
                continue
            rest = self.order(after(state, change), others)
            if rest is not None:
                return [change, *rest]
        # Remembered only after every choice has failed; an early return above means that an order exists.
        self.dead_ends.add(members)
        return None

    def _is_harmful(self, change: Change, state: State) -> bool:
        """Return whether the change does harm; once the tries are spent, every change counts as harmful."""
        self.tries -= 1
        return self.tries < 0 or bool(self.simulation.harm_in(state, change))
