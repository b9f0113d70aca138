"""What has to change so that Airbyte is as wanted: a pure comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from etltctl.airbyte.resources import Kind, Resource
from etltctl.connections.desired import Path_, Wanted
from etltctl.connections.shown import configuration_of, link_of, schedule_of, streams_of
from etltctl.connections.state import Recorded
from etltctl.errors import BlockedError

MASKED = "***"
# What Airbyte takes a field for that it answers with null, or not at all.
DEFAULTS = {
    "status": "active", "namespaceDefinition": "destination", "nonBreakingSchemaUpdatesBehavior": "ignore",
}  # fmt: skip
DEFAULT_SYNC_MODE = "full_refresh_overwrite"


class Action(StrEnum):
    """What becomes of a resource; `adopt` records one that has the wanted name, `replace` makes it anew."""

    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True)
class Difference:
    """A field as it is and as it should be; None where it is not."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {_told(self.before)} → {_told(self.after)}"


@dataclass(frozen=True)
class Change:
    """One resource's change; `breaking` says why it needs a yes."""

    action: Action
    kind: Kind
    key: str
    name: str
    wanted: Wanted | None = None
    actual: Resource | None = None
    differences: tuple[Difference, ...] = ()
    breaking: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without secrets."""
        return {
            "action": str(self.action),
            "kind": str(self.kind),
            "name": self.name,
            "id": self.actual.id if self.actual else None,
            "differences": [
                {"path": found.path, "before": found.before, "after": found.after}
                for found in self.differences
            ],
            "breaking": list(self.breaking),
        }

    def lines(self) -> list[str]:
        """The same for people: `+` make, `=` adopt, `~` change, `-` delete, `!` breaking."""
        sign = {
            Action.CREATE: "+",
            Action.ADOPT: "=",
            Action.UPDATE: "~",
            Action.REPLACE: "±",
            Action.DELETE: "-",
        }
        told = f"  {sign[self.action]} {self.kind:<12} {self.name}"
        if self.action in (Action.ADOPT, Action.REPLACE):
            told += f"  ({self.action})"
        shown = [] if self.action is Action.CREATE else [f"      {found}" for found in self.differences]
        return [told, *shown, *(f"      ! {reason}" for reason in self.breaking)]


@dataclass(frozen=True)
class Plan:
    """Every change, in the order in which it can be made."""

    changes: tuple[Change, ...]

    @property
    def breaking(self) -> list[str]:
        """Why the plan needs a yes, resource by resource."""
        return [f"{c.kind} {c.name}: {reason}" for c in self.changes for reason in c.breaking]

    def told(self, schema: str, when_empty: str) -> tuple[dict[str, Any], str]:
        """The plan as a document and as text."""
        document = {"schema": schema, "changes": [change.as_dict() for change in self.changes]}
        lines = [line for change in self.changes for line in change.lines()]
        breaking = f", {len(self.breaking)} breaking" if self.breaking else ""
        summary = f"{len(self.changes)} to change{breaking}; nothing touched."
        return document, "\n".join([*lines, summary]) if lines else when_empty


def compare(wanted: Sequence[Wanted], actual: Sequence[Resource], recorded: Recorded) -> Plan:
    """The changes from actual to wanted; what was not recorded and has another name is nobody's business here.

    Raises:
        BlockedError: Two resources have the name that the settings give to one.
        ServiceError: Airbyte shows a wanted resource without a link that it must have, or in another shape.
    """
    found: dict[str, Resource | None] = {}
    changes: list[Change] = []
    for each in wanted:
        found[each.key] = _match(each, actual, recorded, found)
        change = _change(each, found, recorded)
        if change is not None:
            changes.append(change)
            if change.action is Action.REPLACE:
                found[each.key] = None  # what leads to it has to be made anew as well
    keys = {each.key for each in wanted}
    stale = [key for key in recorded.ids if key not in keys]
    by_id = {each.id: each for each in actual}
    gone = [by_id[recorded.ids[key]] for key in stale if recorded.ids[key] in by_id]
    gone.sort(key=lambda each: -list(Kind).index(each.kind))
    deletions = [_deletion(each, recorded) for each in gone]
    return Plan((*changes, *deletions))


def _match(
    wanted: Wanted, actual: Sequence[Resource], recorded: Recorded, found: Mapping[str, Resource | None]
) -> Resource | None:
    same_kind = [each for each in actual if each.kind is wanted.kind]
    ours = next((each for each in same_kind if each.id == recorded.ids.get(wanted.key)), None)
    if ours is not None:
        return ours
    same_name = [each for each in same_kind if each.name == wanted.name and _is_of_type(each, wanted, found)]
    if len(same_name) > 1:
        raise BlockedError(
            f"{len(same_name)} {wanted.kind}s in Airbyte are called {wanted.name}",
            hint="rename or delete all but one there: etltctl cannot tell which is meant",
            ids=", ".join(each.id for each in same_name),
        )
    return same_name[0] if same_name else None


def _is_of_type(each: Resource, wanted: Wanted, found: Mapping[str, Resource | None]) -> bool:
    if "definitionId" in wanted.links:
        return _leads_to(each.definition_id, found[wanted.links["definitionId"]])
    return not wanted.type or each.type == wanted.type


def _change(wanted: Wanted, found: Mapping[str, Resource | None], recorded: Recorded) -> Change | None:
    actual = found[wanted.key]
    if actual is None:
        return Change(Action.CREATE, wanted.kind, wanted.key, wanted.name, wanted)
    differences = tuple(_differences(wanted, actual, recorded))
    breaking = tuple(_breaking(wanted, differences))
    action = (
        Action.UPDATE
        if wanted.key in recorded.ids and recorded.ids[wanted.key] == actual.id
        else Action.ADOPT
    )
    moved = [name for name, key in wanted.links.items() if not _leads_to(link_of(actual, name), found[key])]
    if moved:
        reason = f"{' and '.join(moved)} cannot be changed: it is deleted and made anew, with a new id"
        breaking = (*breaking, reason)
        action = Action.REPLACE
    if action is Action.UPDATE and not differences:
        return None
    return Change(action, wanted.kind, wanted.key, wanted.name, wanted, actual, differences, breaking)


def _leads_to(identifier: Any, found: Resource | None) -> bool:
    return found is not None and identifier == found.id


def _differences(wanted: Wanted, actual: Resource, recorded: Recorded) -> Iterator[Difference]:
    if wanted.name != actual.name and wanted.kind is not Kind.DEFINITION:  # nobody can rename a definition
        yield Difference("name", actual.name, wanted.name)
    shown = _flat(actual)
    streams = {path for path in shown if path[0] == "streams"}
    for path in [*wanted.fields, *(streams - wanted.fields.keys())]:
        before, after = shown.get(path), wanted.fields.get(path)
        if path[0] == "namespace" and before is None:
            continue  # the stream is new, or Airbyte does not say
        if before != after and not (before is None and after in ("", [])):
            if path == ("manifest",):
                before, after = _digest_of(before), _digest_of(after)
            yield Difference(".".join(path), before, after)
    if not recorded.has_secrets(wanted.key, wanted.secrets):
        for path in wanted.secrets:
            yield Difference(".".join(path), MASKED, f"{MASKED} (of the settings)")


def _flat(actual: Resource) -> dict[Path_, Any]:
    """The fields of a resource by path, in the shape of those that are wanted."""
    body = actual.body
    if actual.kind is Kind.DEFINITION:
        return {("manifest",): body.get("manifest")}
    if actual.kind is Kind.CONNECTION:
        streams = streams_of(actual)
        return {
            ("schedule",): schedule_of(actual),
            **{(name,): body.get(name) or default for name, default in DEFAULTS.items()},
            ("prefix",): body.get("prefix") or "",
            **{
                ("streams", stream["name"]): stream.get("syncMode") or DEFAULT_SYNC_MODE for stream in streams
            },
            **{("namespace", stream["name"]): stream.get("namespace") for stream in streams},
        }
    return dict(_leaves(configuration_of(actual), ("configuration",)))


def _leaves(table: Mapping[str, Any], path: Path_) -> Iterator[tuple[Path_, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _breaking(wanted: Wanted, differences: Sequence[Difference]) -> Iterator[str]:
    for found in differences:
        yield from _reasons(wanted.kind, found)


def _reasons(kind: Kind, found: Difference) -> Iterator[str]:
    what, _, name = found.path.partition(".")
    if kind is Kind.CONNECTION and what == "streams" and found.before is not None:
        if found.after is None:
            yield f"stream {name} is removed: its files stay in bronze and are never renewed"
        else:
            yield f"stream {name} needs a clear or a refresh: what {found.before} wrote stays beside it until then"
    elif kind is Kind.CONNECTION and what == "namespace":
        yield f"stream {name} is read from {found.after}: what came from {found.before} stays in its folder of bronze"
    elif kind is Kind.CONNECTION and what in ("namespaceDefinition", "prefix"):
        yield f"{what} moves every stream to other folders of bronze"
    elif kind is Kind.DESTINATION and found.path.endswith(
        ("s3_bucket_name", "s3_bucket_path", "format_type")
    ):
        yield f"{found.path.rpartition('.')[2]} moves every stream: what is there stays, and is never renewed"
    elif kind is Kind.SOURCE and found.path.endswith("databases"):
        yield "another database: its streams replace those of the one before"
    elif kind is Kind.DEFINITION:
        lost = sorted(set(found.before["streams"]) - set(found.after["streams"]))
        yield from (f"stream {stream} is removed from the connector" for stream in lost)


def _digest_of(manifest: Any) -> dict[str, Any]:
    """Return a manifest's version and the names of its streams; what has another shape counts as left out."""
    manifest = _object(manifest)
    definitions, streams = _object(manifest.get("definitions")), manifest.get("streams")
    names = [_stream_name(stream, definitions) for stream in streams] if isinstance(streams, list) else []
    return {"version": manifest.get("version", ""), "streams": [name for name in names if name]}


def _stream_name(stream: Any, definitions: Mapping[str, Any]) -> str:
    stream = _object(stream)
    reference = str(stream.get("$ref", "")).rpartition("/")[2]
    return str(stream.get("name") or _object(definitions.get(reference)).get("name") or "")


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _deletion(found: Resource, recorded: Recorded) -> Change:
    key = next(key for key, identifier in recorded.ids.items() if identifier == found.id)
    reason = "no longer in the settings: it is deleted in Airbyte; what it wrote stays in bronze"
    return Change(Action.DELETE, found.kind, key, found.name, actual=found, breaking=(reason,))


def _told(value: Any) -> str:
    if isinstance(value, Mapping) and "streams" in value:
        return f"version {value['version']} with {len(value['streams'])} streams"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)
