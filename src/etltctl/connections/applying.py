"""Making Airbyte as the settings want it: all is looked at first, then changed one by one, each change recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etltctl.airbyte import Airbyte
from etltctl.airbyte.resources import Kind, Resource, Resources
from etltctl.aws import Aws
from etltctl.connections.desired import Path_, Wanted, wanted_resources
from etltctl.connections.plan import Action, Change, Plan, compare
from etltctl.connections.shown import streams_of
from etltctl.connections.state import ConnectionState, Recorded
from etltctl.errors import (
    AlreadyRunningError,
    BlockedError,
    ConfigurationError,
    EtltctlError,
    UnverifiedError,
)

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class Workspace:
    """One Airbyte workspace and what is recorded of it."""

    settings: Settings
    aws: Aws
    resources: Resources
    id: str
    state: ConnectionState

    def listed(self) -> list[Resource]:
        """Everything there is."""
        return [found for kind in Kind for found in self.resources.listed(kind, self.id)]


def make_plan(settings: Settings) -> Plan:
    """What has to change so that Airbyte is as the settings want it; nothing is touched."""
    workspace = open_workspace(settings)
    wanted = wanted_resources(settings, workspace.aws.reveal)
    return compare(wanted, workspace.listed(), workspace.state.read())


def apply_plan(
    settings: Settings, *, may_break: bool = False, on_change: Callable[[Change], None] | None = None
) -> Plan:
    """Makes Airbyte as the settings want it and returns what was changed.

    `on_change` hears of every change when it is made and recorded. Raises BlockedError before anything is touched if a
    change is breaking and `may_break` is not given, AlreadyRunningError if somebody else applies, and UnverifiedError
    if Airbyte afterwards shows something else than it accepted.
    """
    workspace = open_workspace(settings)
    wanted = wanted_resources(settings, workspace.aws.reveal)
    try:
        with workspace.state.store.lease(settings.env) as is_lost:
            return _apply(workspace, wanted, may_break, on_change or _nobody_listens, is_lost)
    except AlreadyRunningError as error:
        raise AlreadyRunningError(
            f"somebody else applies connections: {error.message}", hint="let it finish, then plan again"
        ) from error


def _apply(
    workspace: Workspace,
    wanted: list[Wanted],
    may_break: bool,
    on_change: Callable[[Change], None],
    is_lost: Callable[[], bool],
) -> Plan:
    recorded = workspace.state.read()
    plan = compare(wanted, workspace.listed(), recorded)
    if plan.breaking and not may_break:
        raise BlockedError(
            "the plan has breaking changes; nothing was touched",
            hint="if they are meant: etltctl connections apply --yes",
            breaking="\n".join(plan.breaking) + "\n",
        )
    ids = {**recorded.ids} | {change.key: change.actual.id for change in plan.changes if change.actual}
    done: list[str] = []
    for change in plan.changes:
        with _told_what_is_done(change, done):
            if is_lost():
                raise AlreadyRunningError(
                    "another process has taken over, while this one slept or was cut off"
                )
            _make(workspace, change, ids, recorded)
        on_change(change)
    _require_nothing_left(compare(wanted, workspace.listed(), workspace.state.read()))
    return plan


@contextmanager
def _told_what_is_done(change: Change, done: list[str]) -> Iterator[None]:
    """A failure in the middle tells what was done before it; all of that is recorded."""
    told = f"{change.action} {change.kind} {change.name}"
    try:
        yield
    except EtltctlError as error:
        error.facts |= {"failed": told, "done": ", ".join(done) or "nothing"}
        error.hint = error.hint or "fix the cause and apply again: what is done is recorded and stays"
        raise
    done.append(told)


def _require_nothing_left(left: Plan) -> None:
    if left.changes:
        raise UnverifiedError(
            "Airbyte accepted the changes but does not show them",
            hint="etltctl connections plan  # shows what is left",
            left="\n".join(line for change in left.changes for line in change.lines()) + "\n",
        )


def _make(workspace: Workspace, change: Change, ids: dict[str, str], recorded: Recorded) -> None:
    """One change, and its record."""
    if change.actual is not None and change.action in (Action.DELETE, Action.REPLACE):
        workspace.resources.delete(change.actual, workspace.id)
        workspace.state.record(recorded, change.key, "")
    if change.wanted is None:
        return
    body = _body(change, change.wanted)
    if change.actual is None or change.action is Action.REPLACE:
        body |= {name: ids[key] for name, key in change.wanted.links.items()}
        made = workspace.resources.create(change.kind, workspace.id, body)
    elif change.differences:
        made = workspace.resources.change(change.actual, workspace.id, body)
        _require_same(change.actual, made)
    else:
        made = change.actual
    ids[change.key] = made.id
    workspace.state.record(recorded, change.key, made.id, recorded.hash_of(change.wanted.secrets))


def _require_same(changed: Resource, answered: Resource) -> None:
    """Raise UnverifiedError if the answer to a change shows another resource: its id must not be recorded."""
    if answered.id != changed.id:
        raise UnverifiedError(
            f"Airbyte answered the change of the {changed.kind} {changed.name} with another {changed.kind}: "
            f"{answered.id} instead of {changed.id}. Whether the change took effect is not known; "
            "the recorded id stays as it was",
            hint="check airbyte.url and the proxy, then: etltctl connections plan  # shows what is left",
        )


def _body(change: Change, wanted: Wanted) -> dict[str, Any]:
    """Return the request's body: the settings' fields and secrets."""
    if wanted.kind is Kind.CONNECTION:
        return _connection_body(change, wanted)
    body: dict[str, Any] = {"name": wanted.name}
    for path, value in {**wanted.fields, **wanted.unseen, **wanted.secrets}.items():
        _place(body, path, value)
    return body


def _connection_body(change: Change, wanted: Wanted) -> dict[str, Any]:
    body: dict[str, Any] = {"name": wanted.name}
    for path, value in wanted.fields.items():
        if path == ("schedule",):
            kind, _, cron = value.partition(" ")
            body["schedule"] = {"scheduleType": kind, **({"cronExpression": cron} if cron else {})}
        elif len(path) == 1:
            body[path[0]] = value
    # For a list of streams Airbyte discovers the source, which takes minutes, so it is sent only when it changes.
    is_new = change.actual is None or change.action is Action.REPLACE
    if is_new or any(each.path.startswith(("streams.", "namespace.")) for each in change.differences):
        body["configurations"] = {"streams": _streams(wanted, change.actual)}
    return body


def _streams(wanted: Wanted, actual: Resource | None) -> list[dict[str, Any]]:
    """Return the connection's streams for a request, each with what others have set on it in Airbyte.

    Airbyte answers empty lists for what is not set (`selectedFields`), and older versions answer null. It refuses an
    empty `selectedFields` in a request, so whatever is empty is left out.
    """
    shown = streams_of(actual) if actual else []
    set_there = {
        stream["name"]: {name: value for name, value in stream.items() if value not in (None, [])}
        for stream in shown
    }
    streams = []
    for path, mode in wanted.fields.items():
        if path[0] == "streams":
            namespace = wanted.fields.get(("namespace", path[1]))
            own = {"name": path[1], "syncMode": mode, **({"namespace": namespace} if namespace else {})}
            streams.append({**set_there.get(path[1], {}), **own})
    return streams


def _place(body: dict[str, Any], path: Path_, value: Any) -> None:
    for name in path[:-1]:
        body = body.setdefault(name, {})
    body[path[-1]] = value


def open_workspace(settings: Settings) -> Workspace:
    """The workspace of the settings, or the only one the application sees.

    Raises ConfigurationError if there are several and none is named, or the named one is not there.
    """
    aws = Aws.from_settings(settings)
    resources = Airbyte.from_settings(settings, aws.reveal).resources
    workspaces = resources.workspaces()
    reference = settings.airbyte.workspace_id
    wanted = aws.reveal(reference, "airbyte.workspace_id") if reference else ""
    listed = ", ".join(f"{identifier} ({name})" for identifier, name in workspaces.items()) or "none"
    if wanted and wanted not in workspaces:
        raise ConfigurationError(
            f"airbyte.workspace_id: there is no workspace {wanted}", hint=f"there are: {listed}"
        )
    if not wanted and len(workspaces) != 1:
        raise ConfigurationError(
            f"airbyte.workspace_id is not set, and there are {len(workspaces)} workspaces",
            hint=f"set it to one of: {listed}",
        )
    identifier = wanted or next(iter(workspaces))
    return Workspace(settings, aws, resources, identifier, ConnectionState.of(settings, aws))


def _nobody_listens(change: Change) -> None:
    """Nobody wants to hear."""
