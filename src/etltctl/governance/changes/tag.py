"""LF-tags: their keys and values, and what carries them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from etltctl.governance.changes.change import Change, Phase
from etltctl.governance.model import Resource, Scope, State, effective_tags
from etltctl.governance.writer import Writer

Assigned = Mapping[Resource, Mapping[str, str]]
Tags = tuple[tuple[str, str], ...]
DEPTH = {"database": 0, "table": 1, "column": 2}


@dataclass(frozen=True)
class AddTagValues(Change):
    """Values that an LF-tag gets; `is_new` creates the tag."""

    key: str
    values: tuple[str, ...]
    is_new: bool
    phase = Phase.TAGS
    sign = "+"

    @property
    def text(self) -> str:
        """The key and the values."""
        return f"LF-tag {self.key}: {', '.join(self.values)}"

    def apply(self, writer: Writer) -> None:
        """Create the tag or add the values."""
        writer.add_tag_values(self.key, self.values, is_new=self.is_new)


@dataclass(frozen=True)
class DropTagValues(Change):
    """Values that an LF-tag loses, and all that carries them; `is_whole` deletes the tag."""

    key: str
    values: tuple[str, ...]
    is_whole: bool
    phase = Phase.DROP_TAGS
    sign = "-"

    @property
    def text(self) -> str:
        """The key, and the values if others stay."""
        return f"LF-tag {self.key}" if self.is_whole else f"LF-tag {self.key}: {', '.join(self.values)}"

    def apply(self, writer: Writer) -> None:
        """Delete the tag or the values."""
        writer.drop_tag_values(self.key, self.values, is_whole=self.is_whole)


@dataclass(frozen=True)
class TagAssignment(Change):
    """LF-tags of one resource."""

    resource: Resource
    tags: Tags
    moves_rights = True  # a grant on tags opens something else as soon as a thing carries others

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The resource alone."""
        return (self.resource,)

    @property
    def text(self) -> str:
        """The tags and the resource."""
        return f"{', '.join(f'{key}={value}' for key, value in self.tags)} on {self.resource}"

    def touches(self, thing: Resource) -> bool:
        """Return whether the thing carries the resource's tags, itself or by inheritance."""
        return self.resource == thing or self.resource in thing.parents


@dataclass(frozen=True)
class AssignTags(TagAssignment):
    """LF-tags that a resource gets; `replaces` if it has or inherits another value of one of them."""

    replaces: bool
    phase = Phase.ASSIGN

    @property
    def sign(self) -> str:
        """`~` if a value is replaced: a grant on it stops opening the resource."""
        return "~" if self.replaces else "+"

    def simulate(self, state: State) -> State:
        """Return the state in which the resource has these tags."""
        # The service merges: keys that are not named keep their values.
        own = {**state.assigned.get(self.resource, {}), **dict(self.tags)}
        return replace(state, assigned={**state.assigned, self.resource: own})

    def apply(self, writer: Writer) -> None:
        """Set the tags."""
        writer.assign(self.resource, dict(self.tags))


@dataclass(frozen=True)
class UnassignTags(TagAssignment):
    """LF-tags that a resource has itself and loses; what it inherits shows again."""

    phase = Phase.UNASSIGN
    sign = "-"

    def waits_for(self, other: Change) -> bool:
        """Return whether the other change assigns one of these tags: it is held for the time in between."""
        if not isinstance(other, AssignTags) or other.resource != self.resource:
            return False
        return not dict(other.tags).keys().isdisjoint(dict(self.tags))

    def simulate(self, state: State) -> State:
        """Return the state in which the resource lacks these tags."""
        gone = dict(self.tags)
        own = {key: value for key, value in state.assigned.get(self.resource, {}).items() if key not in gone}
        return replace(state, assigned={**state.assigned, self.resource: own})

    def apply(self, writer: Writer) -> None:
        """Take the tags off."""
        writer.unassign(self.resource, dict(self.tags))


def added_values(desired: State, actual: State) -> Iterator[AddTagValues]:
    """Yield the LF-tags and values that are not there."""
    for key, values in desired.tags.items():
        present = actual.tags.get(key)
        if lacking := values - (present or frozenset()):
            yield AddTagValues(key, tuple(sorted(lacking)), present is None)


def dropped_values(desired: State, actual: State, scope: Scope) -> Iterator[DropTagValues]:
    """Yield the LF-tags and values that are there and not desired, but for those that are in use elsewhere."""
    for key, values in desired.tags.items():
        present = actual.tags.get(key, frozenset())
        if extra := {value for value in present - values if (key, value) not in scope.in_use}:
            yield DropTagValues(key, tuple(sorted(extra)), not values and extra == present)


def assigned(desired: State, actual: State, held: Assigned) -> Iterator[AssignTags]:
    """Yield the tags that resources get, columns and tables before databases.

    What a column or table is to keep must be its own before its database's tags change.
    """
    for resource in sorted(
        {*desired.assigned, *held}, key=lambda resource: (-DEPTH[resource.kind], resource)
    ):
        own, now = actual.assigned.get(resource, {}), effective_tags(actual.assigned, resource)
        tags = desired.assigned.get(resource, {})
        changed = {key: value for key, value in tags.items() if own.get(key) != value}
        changed |= held.get(resource, {})
        if changed:
            replaces = any(now.get(key, value) != value for key, value in changed.items())
            yield AssignTags(resource, tuple(sorted(changed.items())), replaces)


def held_tags(desired: State, actual: State, scope: Scope) -> Assigned:
    """Return tags that a resource is to inherit but gets as its own until the end.

    Tags of one resource that change by more than one call must change at one moment. Otherwise the resource would have
    some old and some new ones in between, and a grant on either combination would miss it.
    """
    held = {}
    for resource in {*desired.assigned, *actual.assigned}:
        own, tags = actual.assigned.get(resource, {}), desired.assigned.get(resource, {})
        before, after = (effective_tags(state.assigned, resource) for state in (actual, desired))
        changed = {key for key in scope.tag_keys & before.keys() & after.keys() if before[key] != after[key]}
        is_own = {key for key in changed if own.get(key) != tags.get(key)}
        if scope.covers(resource) and is_own and len(changed) > 1 and not changed <= tags.keys():
            held[resource] = {key: after[key] for key in changed - tags.keys()}
    return held


def unassigned(desired: State, actual: State, scope: Scope, held: Assigned) -> Iterator[UnassignTags]:
    """Yield the tags that resources lose, databases before tables and columns.

    A resource keeps the tags that were assigned to itself until those that it inherits are right.
    """
    for resource in sorted({*actual.assigned, *held}, key=lambda resource: (DEPTH[resource.kind], resource)):
        tags = desired.assigned.get(resource, {})
        own = {**actual.assigned.get(resource, {}), **held.get(resource, {})}
        extra = {
            key: value
            for key, value in own.items()
            if key in scope.tag_keys and key not in tags and scope.covers(resource)
        }
        if extra:
            yield UnassignTags(resource, tuple(sorted(extra.items())))
