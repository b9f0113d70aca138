"""Data cells filters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from etltctl.governance.changes.change import Change, Phase
from etltctl.governance.model import Grant, Resource, RowFilter, Scope, State
from etltctl.governance.writer import Writer


@dataclass(frozen=True)
class FilterChange(Change):
    """One filter of a table."""

    resource: Resource

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The filter alone."""
        return (self.resource,)

    @property
    def name(self) -> str:
        """The filter and its table, as people read them."""
        database, table, name = self.resource.key
        return f"filter {name} of {database}.{table}"

    def touches(self, thing: Resource) -> bool:
        """Return whether the thing is the filter's table or a column of it."""
        return thing.key[:2] == self.resource.key[:2]


@dataclass(frozen=True)
class PutFilter(FilterChange):
    """A filter that is created or changed in place."""

    row_filter: RowFilter
    is_new: bool
    phase = Phase.FILTERS

    @property
    def sign(self) -> str:
        """`+` for a new filter, which no grant names yet."""
        return "+" if self.is_new else "~"

    @property
    def text(self) -> str:
        """The filter, with its rows and columns."""
        return f"{self.name}: {self.row_filter}"

    @property
    def moves_rights(self) -> bool:
        """Whether grants on the filter exist, and so open something else after it."""
        return not self.is_new

    def simulate(self, state: State) -> State:
        """Return the state with the filter as it will be."""
        return replace(state, filters={**state.filters, self.resource: self.row_filter})

    def apply(self, writer: Writer) -> None:
        """Create or change the filter."""
        writer.put_filter(self.resource, self.row_filter, is_new=self.is_new)


@dataclass(frozen=True)
class DropFilter(FilterChange):
    """A filter that is deleted."""

    phase = Phase.DROP_FILTERS
    sign = "-"

    @property
    def text(self) -> str:
        """The filter."""
        return self.name

    def waits_for(self, other: Change) -> bool:
        """Return whether the other change revokes the filter: the service deletes none that is granted."""
        return other.phase is Phase.REVOKES and self.resource in other.resources

    def simulate(self, state: State) -> State:
        """Return the state without the filter."""
        filters = {key: row_filter for key, row_filter in state.filters.items() if key != self.resource}
        return replace(state, filters=filters)

    def apply(self, writer: Writer) -> None:
        """Delete the filter."""
        writer.delete_filter(self.resource)


def put_filters(desired: State, actual: State) -> Iterator[PutFilter]:
    """Yield the filters that are not there, or not as desired."""
    for resource in sorted(desired.filters):
        row_filter, present = desired.filters[resource], actual.filters.get(resource)
        if present != row_filter:
            yield PutFilter(resource, row_filter, present is None)


def dropped_filters(
    desired: State, actual: State, scope: Scope, staying: frozenset[Grant]
) -> Iterator[DropFilter]:
    """Yield the filters that are there and not desired, but for those that a grant which stays relies on."""
    # A grant that etltctl may not revoke keeps its filter: the service would refuse to delete it.
    relied_on = scope.in_use | {grant.resource for grant in staying}
    for resource in sorted(set(actual.filters) - set(desired.filters)):
        if scope.covers(resource) and resource not in relied_on:
            yield DropFilter(resource)
