"""Apply: make Airbyte as the settings say. All is read first, then changed one by one, each change recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from etltctl.airbyte.resources import Kind, Resource
from etltctl.connections.actual import Workspace, open_workspace, streams_of
from etltctl.connections.changes import Action, Change
from etltctl.connections.desired import Desired, Path_, desired_resources
from etltctl.connections.plan import Plan, compare
from etltctl.connections.state import Recorded
from etltctl.errors import AlreadyRunningError, EtltctlError, NextStep, UnverifiedError, command
from etltctl.plans import Consent, lines

if TYPE_CHECKING:
    from etltctl.settings import Settings

OnChange = Callable[[Change], None]


def _refuse(_: Plan) -> bool:
    return False


def _ignore(_: Change) -> None:
    """Do nothing."""


def apply_plan(
    settings: Settings, *, confirm: Callable[[Plan], bool] = _refuse, on_change: OnChange = _ignore
) -> Plan:
    """Make Airbyte as the settings say.

    Args:
        settings: The settings.
        confirm: Asked before anything is changed, if a change is breaking or the environment is protected.
        on_change: Called with every change that was made and recorded.

    Returns:
        The plan that was made.

    Raises:
        AlreadyRunningError: Another process applies connections of this environment.
        BlockedError: `confirm` said no. Nothing was changed.
        UnverifiedError: Airbyte accepted the changes and shows something else.
    """
    workspace = open_workspace(settings)
    desired = desired_resources(settings, workspace.aws.reveal)
    consent = Consent[Plan](confirm, "connections", is_protected=settings.protected)
    try:
        with workspace.state.store.lease(settings.env) as is_lost:
            return _apply(workspace, desired, consent, on_change, is_lost)
    except AlreadyRunningError as error:
        raise AlreadyRunningError(
            f"another process applies connections: {error.message}", hint="let it finish, then plan again"
        ) from error


def _apply(
    workspace: Workspace,
    desired: list[Desired],
    consent: Consent[Plan],
    on_change: OnChange,
    is_lost: Callable[[], bool],
) -> Plan:
    recorded = workspace.state.read()
    plan = compare(desired, workspace.all_resources(), recorded)
    consent.require(plan)
    # What the plan found by name counts as well: a link may lead to a resource that no apply recorded.
    ids = {**recorded.ids} | {change.key: change.actual.id for change in plan.changes if change.actual}
    done: list[str] = []
    for change in plan.changes:
        with _naming_what_is_done(change, done):
            # Between two changes, not only at the start: a laptop that slept may have lost the lease meanwhile.
            if is_lost():
                raise AlreadyRunningError(
                    "another process has taken over, while this one slept or was cut off"
                )
            _make(workspace, change, ids, recorded)
        on_change(change)
    # Airbyte answers a change with success before it shows it; only a second read proves it.
    _require_nothing_left(compare(desired, workspace.all_resources(), workspace.state.read()))
    return plan


@contextmanager
def _naming_what_is_done(change: Change, done: list[str]) -> Iterator[None]:
    """Add to an error in the middle what was done before it; all of that is recorded."""
    name = f"{change.action} {change.kind} {change.name}"
    try:
        yield
    except EtltctlError as error:
        error.facts |= {"failed": name, "done": ", ".join(done) or "nothing"}
        if not error.hint:
            error.hint = "fix the cause and apply again: what is done is recorded and stays"
        raise
    done.append(name)


def _require_nothing_left(left: Plan) -> None:
    if left.changes:
        raise UnverifiedError(
            "Airbyte accepted the changes but does not show them",
            hint=NextStep(command("connections", "plan"), "  # shows what is left"),
            left="\n".join(lines(left.changes)) + "\n",
        )


def _make(workspace: Workspace, change: Change, ids: dict[str, str], recorded: Recorded) -> None:
    """Make one change and record it."""
    if change.actual is not None and change.action in (Action.DELETE, Action.REPLACE):
        workspace.resources.delete(change.actual, workspace.id)
        # Recorded before the new one is made: a crash in between must not leave the id of what is gone.
        workspace.state.record(recorded, change.key, "")
    if change.desired is None:
        return
    body = _body(change, change.desired)
    if change.actual is None or change.action is Action.REPLACE:
        body |= {name: ids[key] for name, key in change.desired.links.items()}
        resource = workspace.resources.create(change.kind, workspace.id, body)
    elif change.differences:
        resource = workspace.resources.change(change.actual, workspace.id, body)
        # A proxy's stored answer would otherwise lead the record to a stranger's resource.
        _require_same(change.actual, resource)
    else:
        resource = change.actual
    ids[change.key] = resource.id
    workspace.state.record(recorded, change.key, resource.id, recorded.hash_of(change.desired.secrets))


def _require_same(changed: Resource, answered: Resource) -> None:
    """Raise UnverifiedError if the answer to a change shows another resource: its id must not be recorded."""
    if answered.id != changed.id:
        raise UnverifiedError(
            f"Airbyte answered the change of the {changed.kind} {changed.name} with another {changed.kind}: "
            f"{answered.id} instead of {changed.id}. Whether the change took effect is not known; "
            "the recorded id stays as it was",
            hint=NextStep(
                "check airbyte.url and the proxy, then: ",
                command("connections", "plan"),
                "  # shows what is left",
            ),
        )


def _body(change: Change, desired: Desired) -> dict[str, Any]:
    """Return the request's body: the settings' fields and secrets."""
    if desired.kind is Kind.CONNECTION:
        return _connection_body(change, desired)
    body: dict[str, Any] = {"name": desired.name}
    for path, value in {**desired.fields, **desired.unseen, **desired.secrets}.items():
        _place(body, path, value)
    return body


def _connection_body(change: Change, desired: Desired) -> dict[str, Any]:
    body: dict[str, Any] = {"name": desired.name}
    for path, value in desired.fields.items():
        if path == ("schedule",):
            kind, _, cron = value.partition(" ")
            body["schedule"] = {"scheduleType": kind, **({"cronExpression": cron} if cron else {})}
        elif len(path) == 1:
            body[path[0]] = value
    # For a list of streams Airbyte discovers the source, which takes minutes, so it is sent only when it changes.
    is_new = change.actual is None or change.action is Action.REPLACE
    if is_new or any(each.path.startswith(("streams.", "namespace.")) for each in change.differences):
        body["configurations"] = {"streams": _streams(desired, change.actual)}
    return body


def _streams(desired: Desired, actual: Resource | None) -> list[dict[str, Any]]:
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
    for path, mode in desired.fields.items():
        if path[0] == "streams":
            namespace = desired.fields.get(("namespace", path[1]))
            # The settings win over what others have set, but only for what the settings speak of.
            own = {"name": path[1], "syncMode": mode, **({"namespace": namespace} if namespace else {})}
            streams.append({**set_there.get(path[1], {}), **own})
    return streams


def _place(body: dict[str, Any], path: Path_, value: Any) -> None:
    for name in path[:-1]:
        body = body.setdefault(name, {})
    body[path[-1]] = value
