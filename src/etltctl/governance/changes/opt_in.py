"""Principals for whom Lake Formation counts on hybrid resources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from etltctl.governance.changes.change import Change, Phase
from etltctl.governance.model import OptIn, Resource, Scope, State
from etltctl.governance.writer import Writer

# From the moment of its opt-in a principal has what Lake Formation gives it, and nothing else: all of it must be there.
BEFORE_OPT_IN = frozenset({Phase.ASSIGN, Phase.FILTERS, Phase.GRANTS, Phase.UNASSIGN})


@dataclass(frozen=True)
class OptInChange(Change):
    """One principal on one resource."""

    opt_in: OptIn

    @property
    def principal(self) -> str:
        """The principal that opts in or out."""
        return self.opt_in.principal

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The resource alone."""
        return (self.opt_in.resource,)

    @property
    def text(self) -> str:
        """The principal and the resource."""
        return f"{self.opt_in.principal} opted in on {self.opt_in.resource}"


class AddOptIn(OptInChange):
    """A principal that opts in."""

    phase = Phase.OPT_INS
    sign = "+"

    def waits_for(self, other: Change) -> bool:
        """Return whether the other change may give the principal something."""
        return other.phase in BEFORE_OPT_IN

    def apply(self, writer: Writer) -> None:
        """Opt in."""
        writer.opt_in(self.opt_in)


class DropOptIn(OptInChange):
    """A principal that opts out."""

    phase = Phase.OPT_OUTS
    sign = "-"

    def waits_for(self, other: Change) -> bool:
        """Return whether the other change opts in: one opt-in may replace another."""
        return other.phase is Phase.OPT_INS

    def apply(self, writer: Writer) -> None:
        """Opt out."""
        writer.opt_out(self.opt_in)


def opted_in(desired: State, actual: State) -> Iterator[AddOptIn]:
    """Yield the opt-ins that are not there."""
    yield from map(AddOptIn, sorted(desired.opt_ins - actual.opt_ins))


def opted_out(desired: State, actual: State, scope: Scope) -> Iterator[DropOptIn]:
    """Yield the opt-ins of managed principals on managed resources that are there and not desired."""
    for opt_in in sorted(actual.opt_ins - desired.opt_ins):
        if opt_in.principal in scope.principals and scope.covers(opt_in.resource):
            yield DropOptIn(opt_in)
