"""Apply: make the changes of a plan, round by round, until a plan is empty.

What was done before a failure stays done, and the next plan starts from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from etltctl.errors import NextStep, UnverifiedError, command
from etltctl.governance.changes import Change
from etltctl.governance.needs import CatalogChanges
from etltctl.governance.plan import Governor, Plan
from etltctl.governance.writer import Writer
from etltctl.lakeformation import BATCH
from etltctl.plans import Consent, count

if TYPE_CHECKING:
    from etltctl.settings import Settings

# One round is enough unless the service holds more than it shows: with another tag on a database, a tag of a table that
# looked inherited turns out to be the table's own.
ROUNDS = 4
OnChange = Callable[[Change], None]


def apply(
    settings: Settings,
    steps: Sequence[CatalogChanges] = (),
    *,
    confirm: Callable[[Plan], bool],
    on_change: OnChange,
) -> int:
    """Make Lake Formation as the settings say. If nothing is to change, no write call is made.

    Args:
        settings: The settings.
        steps: What the steps of the pipelines change in the catalog, as for `plan`.
        confirm: Asked before access is taken away, or before any change of a protected environment. Asked again for
            what turns up while changes are made.
        on_change: Called with every change that was made.

    Returns:
        The number of changes that were made.

    Raises:
        BlockedError: `confirm` said no. What was made before stays.
        UnverifiedError: Lake Formation accepted every change and still differs.
    """
    governor = Governor.of(settings)
    consent = Consent[Plan](confirm, "govern", settings.protected)
    writer = Writer(governor.service, governor.catalog, governor.identity.principal)
    first = governor.plan(steps)
    if not first.changes:
        return 0
    # Asked before the loop, because the first plan is the one that the caller has seen.
    consent.require(first)
    done = 0
    # The first round plans again: an answer may take minutes, and what is made must follow from what is there then.
    for _ in range(ROUNDS):
        plan = governor.plan(steps)
        if not plan.changes:
            return done
        consent.require(plan, done)
        make(plan.changes, writer, on_change)
        done += len(plan.changes)
    # More rounds would repeat the same calls: the service and the settings do not agree on something.
    if left := governor.plan(steps).changes:
        raise UnverifiedError(
            f"Lake Formation accepted every change, but still differs from the settings: {count(len(left))} left",
            hint=NextStep(command("govern", "plan"), "  # shows the difference; apply may be run again"),
            first=left[0].text,
        )
    return done


def make(changes: Sequence[Change], writer: Writer, on_change: OnChange) -> None:
    """Make the changes in their order; raise the error of the first that fails."""
    for change in changes:
        # All are asked before the first is made: a plan that is bound to fail changes nothing.
        if refusal := change.refusal():
            raise refusal
    for batch in _batches(changes):
        for change in batch:
            change.apply(writer)
        writer.flush()
        for change in batch:
            on_change(change)


def _batches(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Yield neighbours that one call makes together, and every other change alone."""
    for (_, is_batched), group in groupby(changes, key=lambda change: (change.phase, change.is_batched)):
        members, size = list(group), BATCH if is_batched else 1
        for first in range(0, len(members), size):
            yield members[first : first + size]
