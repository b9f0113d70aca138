"""Plan: compare the resources that the settings describe with those that the workspace holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from etltctl import plans
from etltctl.airbyte.resources import Kind, Resource
from etltctl.connections.actual import (
    Workspace,
    configuration_of,
    link_of,
    open_workspace,
    schedule_of,
    streams_of,
)
from etltctl.connections.changes import Action, Change, Difference
from etltctl.connections.desired import Desired, Path_, desired_resources
from etltctl.connections.state import Recorded
from etltctl.errors import BlockedError, ConfigurationError, NextStep, command
from etltctl.settings.manifests import stream_name
from etltctl.settings.toml_tables import leaves
from etltctl.values import OVERWRITE

if TYPE_CHECKING:
    from etltctl.settings import Settings

Plan = plans.Plan[Change]
MASKED = "***"
# What Airbyte takes a field for that it answers with null, or not at all.
DEFAULTS = {
    "status": "active", "namespaceDefinition": "destination", "nonBreakingSchemaUpdatesBehavior": "ignore",
}  # fmt: skip


def make_plan(settings: Settings) -> Plan:
    """Return what must change for Airbyte to be as the settings say. Nothing is written.

    Raises:
        BlockedError: Two resources have the name that the settings give to one.
        ConfigurationError: A secret has no value, or no single workspace is meant.
    """
    workspace = open_workspace(settings)
    desired, actual = desired_resources(settings, workspace.aws.reveal), workspace.all_resources()
    plan = compare(desired, actual, workspace.state.read())
    warnings = (*_second_connections(plan, workspace, actual), *_own_cursors(settings))
    return replace(plan, warnings=warnings)


def _own_cursors(settings: Settings) -> Iterator[str]:
    """Yield a warning for each incremental source of MongoDB whose cursor is not sent, because Airbyte has its own."""
    from etltctl.settings.sources import MongodbSource

    for name, source in settings.sources.items():
        if (
            isinstance(source, MongodbSource)
            and source.is_incremental
            and set(source.cursors.values()) - {"_id"}
        ):
            yield (
                f"sources.{name}.cursor is not sent: Airbyte's MongoDB connector has its own cursor and follows the "
                "change stream, which needs a replica set. The setting is for the embedded endpoints"
            )


def _second_connections(plan: Plan, workspace: Workspace, actual: Sequence[Resource]) -> Iterator[str]:
    """Yield a warning for each source whose `connection_id` names another connection: syncs would ignore the new one.

    So it is on the embedded server, which makes a connection for every source and leads the settings to it.
    """
    connections = {each.id: each for each in actual if each.kind is Kind.CONNECTION}
    for change in plan.changes:
        if change.kind is not Kind.CONNECTION or change.action is not Action.CREATE:
            continue
        source = change.key.partition(":")[2]
        setting = f"sources.{source}.connection_id"
        reference = workspace.settings.sources[source].connection_id
        identifier = ""
        with suppress(ConfigurationError):  # a reference without a value names no connection
            identifier = workspace.aws.reveal(reference, setting) if reference else ""
        if used := connections.get(identifier):
            yield (
                f"syncs of {source} use connection {used.name} ({used.id}), which {setting} leads to: "
                f"connection {change.name} would be a second one, and unused while that setting has a value"
            )


def compare(desired: Sequence[Desired], actual: Sequence[Resource], recorded: Recorded) -> Plan:
    """Return the changes from actual to desired, in the order in which they can be made.

    A resource comes after those that it needs; deletions come last, the other way round. A resource that has another
    name and that no apply recorded belongs to someone else and stays.

    Args:
        desired: The resources as the settings describe them.
        actual: The resources of the workspace.
        recorded: What earlier applies recorded.

    Raises:
        BlockedError: Two resources have the name that the settings give to one.
        ServiceError: Airbyte shows a desired resource without a link that it must have, or in another shape.
    """
    # Resources come after those that they need, so a link's target is matched before the link is compared.
    matches: dict[str, Resource | None] = {}
    changes: list[Change] = []
    for each in desired:
        matches[each.key] = _match(each, actual, recorded, matches)
        change = _change(each, matches, recorded)
        if change is not None:
            changes.append(change)
            if change.action is Action.REPLACE:
                matches[each.key] = None  # whatever links to it must be created again as well
    return Plan("Airbyte", (*changes, *_deletions(desired, actual, recorded)))


def _deletions(
    desired: Sequence[Desired], actual: Sequence[Resource], recorded: Recorded
) -> Iterator[Change]:
    """Yield the deletions of resources that were made from settings which no longer describe them."""
    keys = {each.key for each in desired}
    by_id = {each.id: each for each in actual}
    stale = {key: by_id[identifier] for key, identifier in recorded.ids.items() if identifier in by_id}
    reason = "no longer in the settings: it is deleted in Airbyte; what it wrote stays in bronze"
    for key, resource in sorted(stale.items(), key=lambda item: -list(Kind).index(item[1].kind)):
        if key not in keys:
            yield Change(
                Action.DELETE, resource.kind, key, resource.name, actual=resource, breaking=(reason,)
            )


def _match(
    desired: Desired,
    actual: Sequence[Resource],
    recorded: Recorded,
    matches: Mapping[str, Resource | None],
) -> Resource | None:
    """Return the resource that an apply recorded, else the only one with the desired name."""
    same_kind = [each for each in actual if each.kind is desired.kind]
    # The record comes first: a person may rename a resource in Airbyte's own pages.
    known = next((each for each in same_kind if each.id == recorded.ids.get(desired.key)), None)
    if known is not None:
        return known
    same_name = [
        each for each in same_kind if each.name == desired.name and _is_of_type(each, desired, matches)
    ]
    # Airbyte allows equal names. To take one of them at random could delete the other's history later.
    if len(same_name) > 1:
        raise BlockedError(
            f"{len(same_name)} {desired.kind}s in Airbyte are called {desired.name}; nothing was changed",
            hint=NextStep("rename or delete all but one in Airbyte, then: ", command("connections", "plan")),
            ids=", ".join(each.id for each in same_name),
        )
    return same_name[0] if same_name else None


def _is_of_type(each: Resource, desired: Desired, matches: Mapping[str, Resource | None]) -> bool:
    if "definitionId" in desired.links:
        return _leads_to(each.definition_id, matches[desired.links["definitionId"]])
    return not desired.type or each.type == desired.type


def _change(desired: Desired, matches: Mapping[str, Resource | None], recorded: Recorded) -> Change | None:
    actual = matches[desired.key]
    if actual is None:
        return Change(Action.CREATE, desired.kind, desired.key, desired.name, desired)
    differences = tuple(_differences(desired, actual, recorded))
    breaking = tuple(_breaking(desired, differences))
    action = (
        Action.UPDATE
        if desired.key in recorded.ids and recorded.ids[desired.key] == actual.id
        else Action.ADOPT
    )
    moved = [
        name for name, key in desired.links.items() if not _leads_to(link_of(actual, name), matches[key])
    ]
    if moved:
        reason = f"{' and '.join(moved)} cannot be changed: it is deleted and created again, with a new id"
        breaking = (*breaking, reason)
        action = Action.REPLACE
    # An adoption without differences stays a change: it records the id.
    if action is Action.UPDATE and not differences:
        return None
    return Change(action, desired.kind, desired.key, desired.name, desired, actual, differences, breaking)


def _leads_to(identifier: Any, resource: Resource | None) -> bool:
    return resource is not None and identifier == resource.id


def _differences(desired: Desired, actual: Resource, recorded: Recorded) -> Iterator[Difference]:
    if (
        desired.name != actual.name and desired.kind is not Kind.DEFINITION
    ):  # Airbyte cannot rename a definition
        yield Difference("name", actual.name, desired.name)
    shown = _flat(actual)
    streams = {path for path in shown if path[0] == "streams"}
    # A stream that the settings no longer name is a difference too: Airbyte would sync it still.
    for path in [*desired.fields, *(streams - desired.fields.keys())]:
        before, after = shown.get(path), desired.fields.get(path)
        if path[0] == "namespace" and before is None:
            continue  # the stream is new, or Airbyte does not say
        # Airbyte leaves out what is empty, so empty and missing are the same.
        if before != after and not (before is None and after in ("", [], {})):
            if path == ("manifest",):
                # A manifest has hundreds of lines; the digest says that it changed.
                before, after = _digest_of(before), _digest_of(after)
            yield Difference(".".join(path), before, after)
    # Airbyte shows stars, so the only sign of a changed secret is the hash of what was sent last.
    if not recorded.has_secrets(desired.key, desired.secrets):
        for path in desired.secrets:
            yield Difference(".".join(path), MASKED, f"{MASKED} (of the settings)")


def _flat(actual: Resource) -> dict[Path_, Any]:
    """Return the fields of a resource by path, in the shape of the desired ones."""
    body = actual.body
    if actual.kind is Kind.DEFINITION:
        return {("manifest",): body.get("manifest")}
    if actual.kind is Kind.CONNECTION:
        streams = streams_of(actual)
        return {
            ("schedule",): schedule_of(actual),
            **{(name,): body.get(name) or default for name, default in DEFAULTS.items()},
            ("prefix",): body.get("prefix") or "",
            **{("streams", stream["name"]): stream.get("syncMode") or OVERWRITE for stream in streams},
            **{("namespace", stream["name"]): stream.get("namespace") for stream in streams},
        }
    return dict(leaves(configuration_of(actual), ("configuration",)))


def _breaking(desired: Desired, differences: Sequence[Difference]) -> Iterator[str]:
    for difference in differences:
        yield from _reasons(desired.kind, difference)


def _reasons(kind: Kind, difference: Difference) -> Iterator[str]:
    """Yield why a difference needs consent: Airbyte allows it, and rows then stop to arrive where they are read."""
    what, _, name = difference.path.partition(".")
    before, after = difference.before, difference.after
    if kind is Kind.CONNECTION and what == "streams" and before is not None:
        if after is None:
            yield f"stream {name} is removed: its files stay in bronze and are never renewed"
        else:
            yield f"stream {name} needs a clear or a refresh: what {before} wrote stays next to it until then"
    elif kind is Kind.CONNECTION and what == "namespace":
        yield f"stream {name} is read from {after}: what came from {before} stays in its folder of bronze"
    elif kind is Kind.CONNECTION and what in ("namespaceDefinition", "prefix"):
        yield f"{what} moves every stream to other folders of bronze"
    elif kind is Kind.DESTINATION and difference.path.endswith(
        ("s3_bucket_name", "s3_bucket_path", "format_type")
    ):
        yield f"{difference.path.rpartition('.')[2]} moves every stream: what is there stays, and is never renewed"
    elif kind is Kind.SOURCE and difference.path.endswith("databases"):
        yield "another database: its streams replace those of the one before"
    elif kind is Kind.DEFINITION:
        lost = sorted(set(before["streams"]) - set(after["streams"]))
        yield from (f"stream {stream} is removed from the connector" for stream in lost)


def _digest_of(manifest: Any) -> dict[str, Any]:
    """Return a manifest's version and the names of its streams; what has another shape counts as left out."""
    manifest = _object(manifest)
    streams = manifest.get("streams")
    names = [stream_name(stream, manifest) for stream in streams] if isinstance(streams, list) else []
    return {"version": manifest.get("version", ""), "streams": [name for name in names if name]}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
