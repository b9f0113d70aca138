"""The order of changes: the columns that each principal reaches in between, computed as `govern principal` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice, permutations

from hypothesis import assume, example, given, settings

from etltctl.governance.access import TableView, reaches
from etltctl.governance.changes import Change
from etltctl.governance.model import (
    EVERYBODY,
    Grant,
    OptIn,
    Resource,
    RowFilter,
    State,
    column_of,
    database_of,
    table_of,
)
from etltctl.governance.order import ordered_changes
from support.modelled import Service
from support.random_states import COLUMNS, FILTERS, MANAGED, OTHERS, SCOPE, TABLES, pairs, retagged, scope_of

VIEWS = [TableView(database, name, COLUMNS) for database, names in TABLES.items() for name in names]
GOLD, DAILY, LAT = database_of("gold"), table_of("gold", "daily"), column_of("gold", "daily", "lat")
TAGS = {"zone": frozenset({"curated", "trusted"}), "audience": frozenset({"all", "named"})}
SOUTH = FILTERS[0]
Cells = set[tuple[str, Resource]]


def tagged(**tags: str) -> Resource:
    """Return an expression for every table with these LF-tags."""
    return Resource("tables", (), tuple(sorted((key, (value,)) for key, value in tags.items())))


def reading(*resources: Resource, principal: str = "analyst") -> frozenset[Grant]:
    """Return grants of SELECT on all of them."""
    return frozenset(Grant(principal, resource, "SELECT") for resource in resources)


def governed(
    assigned: dict[Resource, dict[str, str]], *grants: frozenset[Grant], south: RowFilter | None = None
) -> State:
    """Return a state with all existing LF-tags."""
    filters = {SOUTH: south} if south else {}
    return State(tags=TAGS, assigned=assigned, grants=frozenset().union(*grants), filters=filters)


def cells(state: State) -> Cells:
    """Return the columns that each principal reaches, and those of everyone if a database is not hybrid."""
    reached = {
        (reach.principal, column_of(view.database, view.name, column))
        for view in VIEWS
        for reach in reaches(state, view)
        for column in reach.columns or view.columns
    }
    of_everyone = {
        column
        for principal, column in reached
        if principal == EVERYBODY and column.database not in SCOPE.hybrid
    }
    return reached | {(principal, column) for principal in (*MANAGED, *OTHERS) for column in of_everyone}


def walk(desired: State, existing: State, visit: Callable[[State], None]) -> State:
    """Call `visit` with every state in between; return the last."""
    service = Service(existing)
    for change in ordered_changes(desired, service.state, service.scope):
        service.make(change, lambda: visit(service.state))
    return service.state


def cell_history(desired: State, existing: State) -> list[Cells]:
    """Return the cells that are reached before, after each change, and at the end."""
    seen = [cells(existing)]
    walk(desired, existing, lambda state: seen.append(cells(state)))
    return seen


RETAGGED_AND_NAMED = (
    governed({DAILY: {"audience": "named"}}, reading(DAILY)),
    governed({DAILY: {"audience": "all"}}, reading(tagged(audience="all"))),
)
ITS_OWN_TAG_GOES = (  # the inherited tag is granted, the former one is not
    governed({GOLD: {"zone": "curated"}}, reading(tagged(zone="curated"))),
    governed({GOLD: {"zone": "curated"}, DAILY: {"zone": "trusted"}}, reading(tagged(zone="trusted"))),
)
BOTH_TAGS_FROM_TWO_PLACES = (  # between the two calls the table would have one old and one new tag
    governed(
        {GOLD: {"zone": "curated"}, DAILY: {"audience": "named"}},
        reading(tagged(zone="curated", audience="named")),
    ),
    governed(
        {GOLD: {"zone": "trusted"}, DAILY: {"audience": "all"}},
        reading(tagged(zone="trusted", audience="all")),
    ),
)
A_GRANT_TOO_EARLY = (  # after it, no other change is harmless
    governed(
        {DAILY: {"zone": "trusted", "audience": "all"}, LAT: {"zone": "curated"}},
        reading(tagged(zone="trusted", audience="all")),
    ),
    governed(
        {LAT: {"audience": "named"}},
        reading(tagged(zone="curated", audience="named"), principal="engineer"),
    ),
)
COLUMN_LEAVES_A_FILTER = (
    governed({}, reading(SOUTH, LAT), south=RowFilter("", excluded=("lat",))),
    governed({}, reading(SOUTH), south=RowFilter("", excluded=("lon",))),
)


@given(pairs())
@example(RETAGGED_AND_NAMED)
@example(ITS_OWN_TAG_GOES)
@example(COLUMN_LEAVES_A_FILTER)
@settings(max_examples=100, deadline=None)
def test_no_principal_ever_loses_a_column_that_both_states_open(
    both: tuple[State, State],
) -> None:
    desired, existing = both
    known = [each for each in FILTERS if each in existing.filters and each in desired.filters]
    assume(len([each for each in known if existing.filters[each] != desired.filters[each]]) < 2)
    seen = cell_history(desired, existing)
    for now in seen:
        assert seen[0] & seen[-1] <= now


@given(retagged())
@example(BOTH_TAGS_FROM_TWO_PLACES)
@settings(max_examples=100, deadline=None)
def test_no_principal_loses_a_column_while_many_tags_move_at_once(both: tuple[State, State]) -> None:
    seen = cell_history(*both)
    for now in seen:
        assert seen[0] & seen[-1] <= now


@given(retagged())
@example(A_GRANT_TOO_EARLY)
@settings(max_examples=100, deadline=None)
def test_a_column_closed_in_both_states_opens_in_between_only_if_no_order_avoids_it(
    both: tuple[State, State],
) -> None:
    desired, existing = both
    seen = cell_history(desired, existing)
    if any(now - seen[0] - seen[-1] for now in seen):
        planned = ordered_changes(desired, existing, scope_of(existing))
        assert not any(is_clean(order, existing, seen) for order in islice(permutations(planned), 5000))


def is_clean(order: Iterable[Change], existing: State, seen: list[Cells]) -> bool:
    """Return whether the changes in this order close and open no column in between."""
    service = Service(existing)
    for change in order:
        service.make(change, lambda: None)
        if not seen[0] & seen[-1] <= cells(service.state) <= seen[0] | seen[-1]:
            return False
    return cells(service.state) == seen[-1]


def test_no_principal_sees_in_between_a_column_that_neither_state_shows() -> None:
    """Otherwise a new grant on old tags, or an old grant on new tags, opens the column for a moment."""
    for existing, desired in (
        # a new grant on `all` comes after the secret has left it
        (
            governed({DAILY: {"audience": "all"}}),
            governed(
                {DAILY: {"audience": "all"}, LAT: {"audience": "named"}}, reading(tagged(audience="all"))
            ),
        ),
        # a revoke on `all` comes before it gets the secret
        (
            governed({DAILY: {"audience": "named"}}, reading(tagged(audience="all"))),
            governed({DAILY: {"audience": "all"}}, reading(DAILY, principal="engineer")),
        ),
        # a new grant on a filter comes after it was narrowed
        (
            governed({}, south=RowFilter("key = 'a'")),
            governed({}, reading(SOUTH), south=RowFilter("key = 'a'", excluded=("lat",))),
        ),
        # a new tag of a table opens it only to principals that keep the grant
        (
            governed({}, reading(tagged(audience="all"))),
            governed({DAILY: {"audience": "all"}}, reading(tagged(audience="all"), principal="engineer")),
        ),
    ):
        seen = cell_history(desired, existing)
        for now in seen:
            assert now <= seen[0] | seen[-1]


def test_an_opt_in_comes_after_grants_and_tags() -> None:
    silver, raw = database_of("silver"), table_of("silver", "raw")
    everyone = frozenset({Grant(EVERYBODY, raw, "ALL")})
    existing = governed({silver: {"zone": "curated"}, raw: {"zone": "trusted"}}, everyone)
    desired = governed({silver: {"zone": "curated"}}, reading(tagged(zone="curated")))
    desired = replace(desired, opt_ins=frozenset({OptIn("analyst", silver)}))
    phases = [change.phase for change in ordered_changes(desired, existing, SCOPE)]
    assert phases == ["grants", "unassign", "opt-ins"]
