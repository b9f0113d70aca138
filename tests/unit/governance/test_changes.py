"""The changes between two states: they lead to the desired one, and no access is lost in between."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given, settings

from etltctl.governance.model import (
    EVERYBODY,
    Grant,
    Resource,
    State,
    column_of,
    database_of,
    effective_tags,
    table_of,
)
from etltctl.governance.order import PHASES, ordered_changes
from support.modelled import Service
from support.random_states import SCOPE, canonical, pairs, scope_of

ROUNDS = 4
TAGS = {"zone": frozenset({"curated", "trusted"}), "audience": frozenset({"all", "named"})}
TAGGED_DATABASE = State(tags=TAGS, assigned={database_of("gold"): {"audience": "named"}})
TAGGED_COLUMN = State(
    tags=TAGS,
    assigned={
        table_of("gold", "daily"): {"audience": "all"},
        column_of("gold", "daily", "key"): {"audience": "named"},
    },
)


def apply(service: Service, desired: State) -> int:
    """Plan and apply until no change is left; return the number of rounds."""
    for number in range(ROUNDS):
        planned = ordered_changes(desired, service.state, service.scope)
        if not planned:
            return number
        for change in planned:
            service.make(change, lambda: None)
    assert not ordered_changes(desired, service.state, service.scope), "no fixpoint"
    return ROUNDS


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_apply_reaches_the_desired_state_and_the_plan_is_then_empty(both: tuple[State, State]) -> None:
    desired, existing = both
    service = Service(existing)
    apply(service, desired)
    reached = service.state
    covered = {g for g in reached.grants if SCOPE.may_revoke(g)}
    assert all(service.holds(row) for row in desired.grants)
    assert {g for g in covered if replace(g, permission="ALL") not in desired.grants} <= desired.grants
    assert {r: t for r, t in reached.assigned.items() if SCOPE.covers(r)} == desired.assigned
    assert desired.filters.items() <= reached.filters.items()


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_no_grant_of_both_states_is_ever_missing(both: tuple[State, State]) -> None:
    desired, existing = both
    service = Service(existing)
    kept = {row for row in desired.grants if service.holds(row)}

    def check() -> None:
        assert all(service.holds(row) for row in kept)

    for _ in range(ROUNDS):
        for change in ordered_changes(desired, service.state, service.scope):
            service.make(change, check)


@given(pairs())
@example((TAGGED_DATABASE, TAGGED_COLUMN))  # remove the column's tag only after the tag of its table
@settings(max_examples=40, deadline=None)
def test_no_resource_ever_loses_a_tag_that_it_has_in_both_states(
    both: tuple[State, State],
) -> None:
    desired, existing = both
    service = Service(existing)
    about = [r for r in (*existing.assigned, *desired.assigned) if SCOPE.covers(r)]
    given_by_both = [
        (resource, key, value)
        for resource in about
        for key, value in effective_tags(existing.assigned, resource).items()
        if effective_tags(desired.assigned, resource).get(key) == value
    ]

    def check() -> None:
        assert all(
            effective_tags(service.assigned, resource).get(key) == value
            for resource, key, value in given_by_both
        )

    for change in ordered_changes(desired, service.state, service.scope):
        service.make(change, check)


@given(pairs())
@settings(max_examples=40, deadline=None)
def test_unmanaged_resources_stay_unchanged(both: tuple[State, State]) -> None:
    desired, existing = both
    service = Service(existing)
    apply(service, desired)
    outside = {g for g in existing.grants if not SCOPE.may_revoke(g)}
    assert outside <= service.grants
    assert {
        f: r for f, r in existing.filters.items() if not SCOPE.covers(f)
    }.items() <= service.filters.items()
    assert "old" in service.tags["zone"] or "old" not in existing.tags["zone"]


@given(pairs())
@settings(max_examples=30, deadline=None)
def test_a_grant_that_the_service_revoked_by_itself_is_restored_in_the_next_round(
    both: tuple[State, State],
) -> None:
    desired, existing = both
    service = Service(existing, revokes_all=True)
    apply(service, desired)
    assert not ordered_changes(desired, service.state, service.scope)


@given(pairs())
@settings(max_examples=30, deadline=None)
def test_an_interrupted_apply_can_always_be_resumed(both: tuple[State, State]) -> None:
    desired, existing = both
    planned = ordered_changes(desired, Service(existing).state, scope_of(existing))
    for cut in range(0, len(planned), 3):
        service = Service(existing)
        for change in planned[:cut]:
            service.make(change, lambda: None)
        apply(service, desired)
        assert not ordered_changes(desired, service.state, service.scope)


def test_additions_come_before_removals() -> None:
    assert PHASES.index("grants") < PHASES.index("revokes") < PHASES.index("drop-filters")
    assert PHASES.index("filters") < PHASES.index("grants") < PHASES.index("opt-ins")
    assert PHASES.index("settings") < PHASES.index("register") < PHASES.index("tags") < PHASES.index("assign")


def test_all_includes_the_rest_and_is_revoked_after_a_narrower_grant_exists() -> None:
    daily = table_of("gold", "daily")
    wide = State(grants=frozenset({Grant("analyst", daily, "ALL")}))
    narrow = State(grants=frozenset({Grant("analyst", daily, "SELECT")}))
    assert [change.text for change in ordered_changes(narrow, wide, SCOPE)] == [
        "SELECT on gold.daily to analyst", "ALL on gold.daily from analyst",
    ]  # fmt: skip
    assert [change.text for change in ordered_changes(wide, narrow, SCOPE)] == [
        "ALL on gold.daily to analyst"
    ]


def test_an_implicit_all_is_neither_revoked_nor_granted_again() -> None:
    raw = table_of("silver", "raw")
    actual = State(grants=frozenset({Grant("analyst", raw, "ALL")}))
    assert not ordered_changes(State(), actual, SCOPE)
    assert not ordered_changes(State(grants=frozenset({Grant("analyst", raw, "SELECT")})), actual, SCOPE)


def test_everyone_loses_access_to_managed_databases_unless_they_are_hybrid() -> None:
    open_to_all = canonical(
        frozenset(
            Grant(EVERYBODY, database, "ALL")
            for database in (database_of("gold"), database_of("silver"), database_of("foreign"))
        )
    )
    texts = [change.text for change in ordered_changes(State(), State(grants=open_to_all), SCOPE)]
    assert texts == [f"ALL on database gold from {EVERYBODY}"]


def test_columns_granted_separately_are_one_change() -> None:
    rows = frozenset(
        Grant("analyst", Resource("column", ("gold", "daily", name)), "SELECT") for name in ("key", "lat")
    )
    assert [c.text for c in ordered_changes(State(grants=rows), State(), SCOPE)] == [
        "SELECT on gold.daily columns key, lat to analyst"
    ]


def test_a_table_keeps_the_tag_it_inherited_while_its_database_gets_another() -> None:
    gold, daily = database_of("gold"), table_of("gold", "daily")
    before = State(assigned={gold: {"zone": "trusted"}}, tags={"zone": frozenset({"trusted", "curated"})})
    desired = State(assigned={gold: {"zone": "curated"}, daily: {"zone": "trusted"}})
    service = Service(before)

    def check() -> None:
        assert effective_tags(service.assigned, daily) == {"zone": "trusted"}

    planned = ordered_changes(desired, service.state, SCOPE)
    assert [change.resources for change in planned] == [(daily,), (gold,)]
    for change in planned:
        service.make(change, check)


def test_only_a_tag_that_replaces_an_inherited_one_counts_as_a_removal() -> None:
    gold, daily = database_of("gold"), table_of("gold", "daily")
    all_of_it = State(tags=TAGS, assigned={gold: {"audience": "all"}})
    named = State(tags=TAGS, assigned={gold: {"audience": "all"}, daily: {"audience": "named"}})
    assert [(change.sign, change.takes_away) for change in ordered_changes(named, all_of_it, SCOPE)] == [
        ("~", True)
    ]
    untagged = State(tags=TAGS, assigned={gold: {"audience": "all"}})
    assert [change.sign for change in ordered_changes(untagged, State(tags=TAGS), SCOPE)] == ["+"]
