"""Carry out a plan and follow it, or remove the stack; an interrupted command can be resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from etltctl.aws import Aws
from etltctl.cloudformation import (
    CloudFormation,
    Stack,
    StackEvent,
    StackResource,
    first_failure,
    operation_of,
)
from etltctl.errors import (
    AlreadyRunningError,
    BlockedError,
    Command,
    DetachedError,
    NextStep,
    RunFailedError,
    WaitTimeoutError,
    command,
)
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.plan import Plan
from etltctl.infrastructure.planning import make_plan
from etltctl.infrastructure.secret import TYPE as SECRET_TYPE
from etltctl.infrastructure.secret import SecretState, keep_secret, read_secret
from etltctl.runs import StackOperation, State
from etltctl.s3 import S3
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

FOLLOWING = Waiter(timeout=3600.0, first_look=0.5, longest=5.0)
BEGIN_WITHIN_S = 300.0  # from CloudFormation's yes to the first sign of the operation
DEPLOY, DEPLOY_ANY = command("infra", "deploy"), command("infra", "deploy", "--yes")
DESTROY = command("infra", "destroy", "--yes")
KEPT_POLICIES = frozenset({"Retain", "RetainExceptOnCreate"})
# The status of a stack whose first creation failed; it takes no update.
NEVER_MADE = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})


def _ignore(_: object) -> None:
    """Do nothing, as no one is watching."""


def _refuse(_: object) -> bool:
    return False


@dataclass(frozen=True)
class Watcher:
    """The functions that are called with the plan, the removal and every event, and how the end is waited for.

    `confirm` is called with a plan that was not reviewed, and with a removal; it returns whether to go ahead.
    """

    on_plan: Callable[[Plan], None] = _ignore
    on_removal: Callable[[Removal], None] = _ignore
    on_event: Callable[[StackEvent], None] = _ignore
    confirm: Callable[[Plan | Removal], bool] = _refuse
    waiter: Waiter = FOLLOWING


@dataclass(frozen=True)
class Request:
    """One request to CloudFormation: the command that resumes it, the client token, and the earlier events.

    Without a token it is the operation that already runs, no matter which program requested it.
    """

    again: Command
    token: str = ""
    known: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Deployed:
    """What a deployment did: the stack's status, how many resources changed and files went up, and its outputs.

    `secret` is the state in which the deployment found Airbyte's secret.
    """

    stack: str
    status: str
    changes: int
    files: int
    outputs: Mapping[str, str] = field(default_factory=dict)
    secret: SecretState = SecretState.THERE

    @property
    def is_nothing(self) -> bool:
        """Whether everything was as it should be."""
        return not self.changes and not self.files and self.secret is SecretState.THERE


@dataclass(frozen=True)
class Removal:
    """What goes with the stack and what stays; `was_there` is unset if there is no such stack."""

    stack: str
    goes: tuple[StackResource, ...] = ()
    stays: tuple[StackResource, ...] = ()
    was_there: bool = True


def deploy(settings: Settings, watcher: Watcher, *, yes: bool = False) -> Deployed:
    """Make AWS what the settings say: scripts and DAGs go up, the change set is executed and followed to its end.

    A stack that is being changed is followed first, so that an interrupted deployment can be resumed.

    Args:
        settings: The settings of the environment.
        watcher: Is called with the plan and with every event.
        yes: Whether any plan is carried out, and not only one that was made before.

    Raises:
        BlockedError: The plan was not made before, or `plan` refuses it.
        RunFailedError: CloudFormation rolled back; the first resource that failed is named.
    """
    service = CloudFormation(Aws.from_settings(settings))
    _see_to_its_end(service, Names(settings).stack, watcher)
    plan = make_plan(settings, watcher.waiter)
    watcher.on_plan(plan)
    plan.require_harmless()
    if plan.changes and not (yes or plan.was_made or watcher.confirm(plan)):
        raise BlockedError(
            "this plan has not been reviewed; nothing was changed",
            hint=NextStep(DEPLOY_ANY, "  # carries out any plan; without --yes exactly this one"),
            stack=plan.blueprint.names.stack,
        )
    s3 = S3(service.aws)
    if not plan.is_new:  # no job may point to a script that is not there yet
        _upload(s3, plan)
    status = _execute(service, plan, watcher) if plan.changes else ""
    if plan.is_new:  # the bucket is there only now
        _upload(s3, plan)
    stack = service.find(plan.blueprint.names.stack)
    outputs = stack.outputs if stack else {}
    keep_secret(service.aws, plan.blueprint.names, plan.secret, outputs.get("KeyArn", ""))
    return Deployed(
        plan.blueprint.names.stack,
        status or (stack.status if stack else ""),
        len(plan.changes),
        len(plan.missing_files),
        outputs,
        plan.secret,
    )


def destroy(settings: Settings, watcher: Watcher, *, yes: bool = False) -> Removal:
    """Delete the stack and follow it to its end; buckets, databases, log groups, the key and the secret stay.

    Args:
        settings: The settings of the environment.
        watcher: Is called with the removal and with every event.
        yes: Whether the stack is deleted. Without it nothing is changed.

    Returns:
        What went and what stayed. `was_there` is unset if there is no such stack.

    Raises:
        BlockedError: `yes` is not set. The watcher was called with what would go and what would stay.
        AlreadyRunningError: The stack is being changed.
    """
    service = CloudFormation(Aws.from_settings(settings))
    stack = service.find(Names(settings).stack)
    if stack is None:
        return Removal(Names(settings).stack, was_there=False)
    if stack.status.endswith("_IN_PROGRESS") and stack.status not in {
        "REVIEW_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
    }:
        raise AlreadyRunningError(
            f"stack {stack.name} is being changed: {stack.status}", hint=NextStep("wait for it: ", DEPLOY)
        )
    removal = _removal(service, stack, Names(settings))
    watcher.on_removal(removal)
    if not (yes or watcher.confirm(removal)):
        raise BlockedError(f"stack {stack.name} was not changed", hint=DESTROY)
    request = Request(DESTROY)
    if stack.status != "DELETE_IN_PROGRESS":
        request = _request(service, stack, "etltctl-delete", request.again)
        service.delete(stack.id, request.token)
    _require_success(_follow(service, stack, watcher, request), service)
    return removal


def plan_removal(settings: Settings) -> Removal:
    """Return what `destroy` would delete and what would stay. Nothing is changed."""
    service, names = CloudFormation(Aws.from_settings(settings)), Names(settings)
    stack = service.find(names.stack)
    return Removal(names.stack, was_there=False) if stack is None else _removal(service, stack, names)


def _see_to_its_end(service: CloudFormation, name: str, watcher: Watcher) -> None:
    """Follow the operation that runs already. The plan judges how it ended."""
    stack = service.find(name)
    if stack is not None and stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        _follow(service, stack, watcher, Request(DEPLOY))


def _execute(service: CloudFormation, plan: Plan, watcher: Watcher) -> str:
    name = plan.blueprint.names.stack
    stack = service.find(name)
    if stack is None:
        raise BlockedError(
            f"stack {name} was deleted while the plan was made; nothing was changed",
            hint=DEPLOY,
        )
    request = _request(service, stack, plan.change_set, DEPLOY)
    service.execute(name, plan.change_set, request.token)
    return _require_success(_follow(service, stack, watcher, request), service).status


def _request(service: CloudFormation, stack: Stack, what: str, again: Command) -> Request:
    """Name this one try: the same while nothing has happened to the stack, another after it."""
    before = [event.id for event in service.last_operation(stack.id)]
    digest = hashlib.sha256("".join(before[-1:]).encode()).hexdigest()[:16]
    return Request(again, f"{what}-{digest}", frozenset(before))


def _follow(service: CloudFormation, stack: Stack, watcher: Watcher, request: Request) -> StackOperation:
    """Return the operation in its final state, every event reported once as it happens."""
    reported: set[str] = set()
    deadline = watcher.waiter.clock() + BEGIN_WITHIN_S

    def poll() -> StackOperation:
        events = service.last_operation(stack.id)
        operation = operation_of(stack, events, request.token, request.known)
        if operation.status == "REVIEW_IN_PROGRESS":
            return _not_begun(service, stack, operation, request, is_late=watcher.waiter.clock() > deadline)
        for event in events:
            if event.id not in reported and not (request.token and event.id in request.known):
                reported.add(event.id)
                watcher.on_event(event)
        return operation

    first = StackOperation(id=stack.id, name=stack.name, status="REVIEW_IN_PROGRESS")
    with _left_alone_if_interrupted(stack, request.again):
        return watcher.waiter.wait(first, poll)


def _not_begun(
    service: CloudFormation, stack: Stack, operation: StackOperation, request: Request, *, is_late: bool
) -> StackOperation:
    """Return the operation by the stack's status, because it has no event yet.

    Raises:
        WaitTimeoutError: It is late, and the stack shows nothing of the operation either.
    """
    now = service.find(stack.id)
    if now is not None and (now.status != stack.status or not request.token):
        return replace(operation, status=now.status, reason=now.reason)
    if is_late:
        raise WaitTimeoutError(
            f"CloudFormation accepted the change of stack {stack.name}, and {BEGIN_WITHIN_S:.0f} s later neither its "
            "events nor its status show it",
            hint=NextStep("look at the stack's events; then continue with: ", request.again),
            stack=stack.id,
            status=stack.status,
        )
    return operation


@contextmanager
def _left_alone_if_interrupted(stack: Stack, again: Command) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise DetachedError(
            f"detached: CloudFormation continues with stack {stack.name}",
            hint=NextStep("resume it: ", again),
            stack=stack.id,
        ) from interrupt


def _require_success(operation: StackOperation, service: CloudFormation) -> StackOperation:
    if operation.state is State.SUCCEEDED:
        return operation
    failed = first_failure(service.last_operation(operation.id))
    where = f"{failed.logical_id} ({failed.type})" if failed else "no single resource"
    again = (DESTROY, " && ", DEPLOY) if operation.status in NEVER_MADE else (DEPLOY,)
    raise RunFailedError(
        f"stack {operation.name} ended {operation.status}: {where} failed",
        hint=NextStep("repair what AWS names, then: ", *again),
        reason=failed.reason if failed else operation.reason,
        physical_id=failed.physical_id if failed else "",
        stack=operation.id,
    )


def _upload(s3: S3, plan: Plan) -> None:
    for location in plan.missing_files:
        s3.write(location, plan.blueprint.uploads.files[location])


def _removal(service: CloudFormation, stack: Stack, names: Names) -> Removal:
    """Return what goes and what stays, by the template that the stack was made from, not by the settings of now."""
    resources = service.resources(stack.id) if stack.status != "REVIEW_IN_PROGRESS" else []
    described = service.template(stack.id).get("Resources", {}) if resources else {}
    kept = {name for name, facts in described.items() if facts.get("DeletionPolicy") in KEPT_POLICIES}
    secret = StackResource("AirbyteSecret", names.airbyte_secret, SECRET_TYPE, "")
    has_secret = read_secret(service.aws, names).state is SecretState.THERE and secret.logical_id not in kept
    return Removal(
        stack.name,
        tuple(each for each in resources if each.logical_id not in kept),
        (*(each for each in resources if each.logical_id in kept), *([secret] if has_secret else [])),
    )
