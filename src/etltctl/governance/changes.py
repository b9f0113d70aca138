"""What must change for Lake Formation to hold what is desired: a pure function of two states and the scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from etltctl.governance.model import Grant, Resource, Scope, State, effective_tags
from etltctl.governance.ordering import Change, ordered

Assigned = Mapping[Resource, Mapping[str, str]]
DEPTH = {"database": 0, "table": 1, "column": 2}
SIGNS = {"opt-outs": "-", "revokes": "-", "drop-filters": "-", "unassign": "-", "drop-tags": "-"}


def changes(desired: State, actual: State, scope: Scope) -> tuple[Change, ...]:
    """Every change from the actual to the desired state within the scope, in the order they must be made."""
    revocable = _revocable(desired, actual, scope)
    held = _held_along(desired, actual, scope)
    found = [
        *_settings(desired, actual),
        *_locations(desired, actual),
        *_tags(desired, actual),
        *_assignments(desired, actual, held),
        *_filters(desired, actual),
        *_grants(_missing(desired, actual, revocable), "grants"),
        *_opt_ins(desired, actual, scope),
        *_grants(revocable, "revokes"),
        *_dropped_filters(desired, actual, scope, actual.grants - revocable),
        *_unassigned(desired, actual, scope, held),
        *_dropped_tags(desired, actual, scope),
    ]
    return ordered(found, actual, scope)


def _settings(desired: State, actual: State) -> Iterator[Change]:
    if desired.admins is not None and desired.admins != actual.admins:
        now = actual.admins or frozenset()
        told = [
            *(f"+{name}" for name in sorted(desired.admins - now)),
            *(f"-{name}" for name in sorted(now - desired.admins)),
        ]
        sign = "~" if now - desired.admins else "+"
        yield Change("settings", sign, "admins", desired.admins, f"administrators: {', '.join(told)}")
    if desired.iam_defaults is not None and desired.iam_defaults != actual.iam_defaults:
        told_as = "access by IAM alone" if desired.iam_defaults else "Lake Formation"
        yield Change(
            "settings", "~", "iam_defaults", desired.iam_defaults, f"new databases and tables: {told_as}"
        )
    if desired.source_identity is not None and desired.source_identity != actual.source_identity:
        told_as = "name" if desired.source_identity else "do not name"
        text = f"S3 data events {told_as} the querying role"
        yield Change("settings", "~", "source_identity", desired.source_identity, text)
    for database in sorted(actual.open_databases - desired.open_databases):
        text = f"new tables of database {database}: Lake Formation, no longer IAM alone"
        yield Change("settings", "~", "open_database", database, text)


def _locations(desired: State, actual: State) -> Iterator[Change]:
    for arn, wanted in desired.locations.items():
        now = actual.locations.get(arn)
        how = f"{arn} read as {wanted.role}{', hybrid' if wanted.hybrid else ''}"
        if now is None:
            yield Change("register", "+", arn, wanted, f"location {how}")
        elif now != wanted:
            yield Change("register", "~", arn, wanted, f"location {how}")


def _tags(desired: State, actual: State) -> Iterator[Change]:
    for key, values in desired.tags.items():
        now = actual.tags.get(key)
        missing = values - (now or frozenset())
        if missing:
            phase_key = (key, "create" if now is None else "add")
            yield Change("tags", "+", phase_key, missing, f"LF-tag {key}: {', '.join(sorted(missing))}")


def _dropped_tags(desired: State, actual: State, scope: Scope) -> Iterator[Change]:
    for key, values in desired.tags.items():
        now = actual.tags.get(key, frozenset())
        extra = {value for value in now - values if (key, value) not in scope.in_use}
        if not extra:
            continue
        if not values and extra == now:
            yield Change("drop-tags", "-", (key, "delete"), frozenset(extra), f"LF-tag {key}")
        else:
            yield Change(
                "drop-tags",
                "-",
                (key, "remove"),
                frozenset(extra),
                f"LF-tag {key}: {', '.join(sorted(extra))}",
            )


def _assignments(desired: State, actual: State, held: Assigned) -> Iterator[Change]:
    """Columns and tables come before databases: what they keep must be their own before the database's changes."""
    for resource in sorted({*desired.assigned, *held}, key=lambda found: (-DEPTH[found.kind], found)):
        own, now = actual.assigned.get(resource, {}), effective_tags(actual.assigned, resource)
        wanted = desired.assigned.get(resource, {})
        changed = {key: value for key, value in wanted.items() if own.get(key) != value}
        changed |= held.get(resource, {})
        if changed:
            told = ", ".join(f"{key}={value}" for key, value in sorted(changed.items()))
            sign = "~" if any(now.get(key, value) != value for key, value in changed.items()) else "+"
            yield Change("assign", sign, resource, tuple(sorted(changed.items())), f"{told} on {resource}")


def _held_along(desired: State, actual: State, scope: Scope) -> Assigned:
    """Tags that a resource is to inherit but gets as its own for a while.

    Several that change by more than one call must change at one moment: else it has neither the old nor the new ones.
    """
    found = {}
    for resource in {*desired.assigned, *actual.assigned}:
        own, wanted = actual.assigned.get(resource, {}), desired.assigned.get(resource, {})
        before, after = (effective_tags(state.assigned, resource) for state in (actual, desired))
        changed = {key for key in scope.tag_keys & before.keys() & after.keys() if before[key] != after[key]}
        is_own = {key for key in changed if own.get(key) != wanted.get(key)}
        if scope.covers(resource) and is_own and len(changed) > 1 and not changed <= wanted.keys():
            found[resource] = {key: after[key] for key in changed - wanted.keys()}
    return found


def _unassigned(desired: State, actual: State, scope: Scope, held: Assigned) -> Iterator[Change]:
    """Databases come before tables and columns: what has a tag of its own keeps it until what it inherits is right."""
    for resource in sorted({*actual.assigned, *held}, key=lambda found: (DEPTH[found.kind], found)):
        wanted = desired.assigned.get(resource, {})
        own = {**actual.assigned.get(resource, {}), **held.get(resource, {})}
        extra = {
            key: value
            for key, value in own.items()
            if key in scope.tag_keys and key not in wanted and scope.covers(resource)
        }
        if extra:
            told = ", ".join(f"{key}={value}" for key, value in sorted(extra.items()))
            yield Change("unassign", "-", resource, tuple(sorted(extra.items())), f"{told} on {resource}")


def _filters(desired: State, actual: State) -> Iterator[Change]:
    for resource in sorted(desired.filters):
        wanted, now = desired.filters[resource], actual.filters.get(resource)
        if now != wanted:
            sign = "+" if now is None else "~"
            yield Change("filters", sign, resource, wanted, f"{_filter_name(resource)}: {wanted}")


def _dropped_filters(
    desired: State, actual: State, scope: Scope, staying: frozenset[Grant]
) -> Iterator[Change]:
    relied_on = scope.in_use | {grant.resource for grant in staying}
    for resource in sorted(set(actual.filters) - set(desired.filters)):
        if scope.covers(resource) and resource not in relied_on:
            yield Change("drop-filters", "-", resource, None, _filter_name(resource))


def _filter_name(resource: Resource) -> str:
    database, table, name = resource.key
    return f"filter {name} of {database}.{table}"


def _opt_ins(desired: State, actual: State, scope: Scope) -> Iterator[Change]:
    for found in sorted(desired.opt_ins - actual.opt_ins):
        yield Change("opt-ins", "+", found, None, f"{found.principal} opted in on {found.resource}")
    for found in sorted(actual.opt_ins - desired.opt_ins):
        if found.principal in scope.principals and scope.covers(found.resource):
            yield Change("opt-outs", "-", found, None, f"{found.principal} opted in on {found.resource}")


def _revocable(desired: State, actual: State, scope: Scope) -> frozenset[Grant]:
    """What is held and not desired, unless the desired ALL stands for it."""
    return frozenset(
        grant
        for grant in actual.grants - desired.grants
        if scope.may_revoke(grant) and replace(grant, permission="ALL") not in desired.grants
    )


def _missing(desired: State, actual: State, revocable: frozenset[Grant]) -> frozenset[Grant]:
    """What is desired and not held, unless an ALL stands for it that stays."""
    stays = actual.grants - revocable
    return frozenset(
        grant for grant in desired.grants - actual.grants if replace(grant, permission="ALL") not in stays
    )


def _grants(rows: Iterable[Grant], phase: str) -> Iterator[Change]:
    """One change for each principal and resource: its permissions, and those with the grant option."""
    gathered: dict[tuple[str, Resource], tuple[set[str], set[str]]] = {}
    for row in rows:
        plain, grantable = gathered.setdefault((row.principal, row.resource), (set(), set()))
        (grantable if row.grantable else plain).add(row.permission)
    alike: dict[tuple[Any, ...], list[Resource]] = {}
    for (principal, resource), (plain, grantable) in sorted(gathered.items()):
        same = resource.key[:2] if resource.kind == "column" else resource
        alike.setdefault((principal, same, frozenset(plain), frozenset(grantable)), []).append(resource)
    for (principal, _, plain, grantable), resources in alike.items():
        told = [name if name not in grantable else f"{name} (grantable)" for name in sorted(plain)]
        told += [f"the grant option of {name}" for name in sorted(grantable - plain)]
        preposition = "to" if phase == "grants" else "from"
        text = f"{', '.join(told)} on {_told(resources)} {preposition} {principal}"
        value = (tuple(sorted(plain)), tuple(sorted(grantable)))
        yield Change(phase, SIGNS.get(phase, "+"), (principal, tuple(resources)), value, text)


def _told(resources: list[Resource]) -> str:
    if len(resources) == 1:
        return str(resources[0])
    return f"{'.'.join(resources[0].key[:2])} columns {', '.join(found.key[2] for found in resources)}"
