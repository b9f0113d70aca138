"""Carry a plan out and follow it, take the stack down again; whoever comes back finds what goes on."""

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
from etltctl.errors import AlreadyRunningError, BlockedError, DetachedError, RunFailedError, WaitTimeoutError
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.planning import Plan, make_plan
from etltctl.infrastructure.secret import TYPE as SECRET_TYPE
from etltctl.infrastructure.secret import SecretState, keep_secret, secret_state
from etltctl.runs import StackOperation, State
from etltctl.s3 import S3
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

FOLLOWING = Waiter(timeout=3600.0, first_look=0.5, longest=5.0)
BEGIN_WITHIN_S = 300.0  # from CloudFormation's yes to the first sign of the operation
KEPT_POLICIES = frozenset({"Retain", "RetainExceptOnCreate"})
# The status of a stack whose first creation failed; it takes no update.
NEVER_MADE = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})


def _ignore(_: object) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Watcher:
    """Who is told of what is planned and of what happens, and how it is waited for."""

    on_plan: Callable[[Plan], None] = _ignore
    on_removal: Callable[[Removal], None] = _ignore
    on_event: Callable[[StackEvent], None] = _ignore
    waiter: Waiter = FOLLOWING


@dataclass(frozen=True)
class Asked:
    """One request to CloudFormation: the command, the client token, and the events that were there before.

    Without a token it is the operation that already runs, no matter which program requested it.
    """

    command: str
    token: str = ""
    known: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Deployed:
    """What a deployment did: the stack's status, how many resources changed and files went up, and its outputs.

    `secret` is the state in which the deployment found Airbyte's secret.
    """

    stack: str
    word: str
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
    """What goes with the stack and what stays."""

    stack: str
    goes: tuple[StackResource, ...] = ()
    stays: tuple[StackResource, ...] = ()


def deploy(settings: Settings, watcher: Watcher, *, yes: bool = False) -> Deployed:
    """Makes AWS what the settings say: scripts and DAGs go up, the change set is executed and followed to its end.

    A stack that is being changed is followed first, so that whoever was interrupted comes back to it. Only a plan
    that was made before, or any plan with `yes`, is carried out. Raises BlockedError otherwise, and for what `plan`
    refuses; RunFailedError with the first resource that failed if CloudFormation rolls back.
    """
    service = CloudFormation(Aws.from_settings(settings))
    _see_to_its_end(service, Names(settings).stack, watcher)
    made = make_plan(settings, watcher.waiter)
    watcher.on_plan(made)
    made.require_harmless()
    if made.changes and not (yes or made.was_made):
        raise BlockedError(
            "this plan has not been reviewed; nothing was changed",
            hint="etltctl infra deploy --yes  # carries out any plan; without --yes exactly this one",
            stack=made.blueprint.names.stack,
        )
    s3 = S3(service.aws)
    if not made.is_new:  # no job may point to a script that is not there yet
        _upload(s3, made)
    word = _execute(service, made, watcher) if made.changes else ""
    if made.is_new:  # the bucket is there only now
        _upload(s3, made)
    stack = service.find(made.blueprint.names.stack)
    outputs = stack.outputs if stack else {}
    keep_secret(service.aws, made.blueprint.names, made.secret, outputs.get("KeyArn", ""))
    return Deployed(
        made.blueprint.names.stack,
        word or (stack.status if stack else ""),
        len(made.changes),
        len(made.missing_files),
        outputs,
        made.secret,
    )


def destroy(settings: Settings, watcher: Watcher, *, yes: bool = False) -> Removal:
    """Deletes the stack and follows it to its end; buckets, databases, the key and secrets stay.

    Raises BlockedError without `yes`, after telling what would go and what would stay.
    """
    service = CloudFormation(Aws.from_settings(settings))
    stack = service.find(Names(settings).stack)
    if stack is None:
        return Removal(Names(settings).stack)
    if stack.status.endswith("_IN_PROGRESS") and stack.status not in {
        "REVIEW_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
    }:
        raise AlreadyRunningError(
            f"stack {stack.name} is being changed: {stack.status}", hint="wait for it: etltctl infra deploy"
        )
    removal = _removal(service, stack, Names(settings))
    watcher.on_removal(removal)
    if not yes:
        raise BlockedError(f"stack {stack.name} was not touched", hint="etltctl infra destroy --yes")
    asked = Asked("destroy --yes")
    if stack.status != "DELETE_IN_PROGRESS":
        asked = _ask(service, stack, "etltctl-delete", asked.command)
        service.delete(stack.id, asked.token)
    _require_success(_follow(service, stack, watcher, asked), service)
    return removal


def _see_to_its_end(service: CloudFormation, name: str, watcher: Watcher) -> None:
    """Follows what is already going on; how it ended is the plan's to judge."""
    stack = service.find(name)
    if stack is not None and stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        _follow(service, stack, watcher, Asked("deploy"))


def _execute(service: CloudFormation, made: Plan, watcher: Watcher) -> str:
    name = made.blueprint.names.stack
    stack = service.find(name)
    if stack is None:
        raise BlockedError(f"stack {name} was deleted while the plan was made", hint="deploy again")
    asked = _ask(service, stack, made.change_set, "deploy")
    service.execute(name, made.change_set, asked.token)
    return _require_success(_follow(service, stack, watcher, asked), service).status


def _ask(service: CloudFormation, stack: Stack, what: str, command: str) -> Asked:
    """Name this one try: the same while nothing has happened to the stack, another after it."""
    before = [event.id for event in service.last_operation(stack.id)]
    digest = hashlib.sha256("".join(before[-1:]).encode()).hexdigest()[:16]
    return Asked(command, f"{what}-{digest}", frozenset(before))


def _follow(service: CloudFormation, stack: Stack, watcher: Watcher, asked: Asked) -> StackOperation:
    """Return the operation in its final state, every event reported once as it happens."""
    told: set[str] = set()
    deadline = watcher.waiter.clock() + BEGIN_WITHIN_S

    def look() -> StackOperation:
        events = service.last_operation(stack.id)
        operation = operation_of(stack, events, asked.token, asked.known)
        if operation.status == "REVIEW_IN_PROGRESS":
            return _not_begun(service, stack, operation, asked, is_late=watcher.waiter.clock() > deadline)
        for event in events:
            if event.id not in told and not (asked.token and event.id in asked.known):
                told.add(event.id)
                watcher.on_event(event)
        return operation

    begun = StackOperation(id=stack.id, name=stack.name, status="REVIEW_IN_PROGRESS")
    with _left_alone_if_interrupted(stack, asked.command):
        return watcher.waiter.wait(begun, look)


def _not_begun(
    service: CloudFormation, stack: Stack, operation: StackOperation, asked: Asked, *, is_late: bool
) -> StackOperation:
    """Return the operation by the stack's status, because it has no event yet.

    Raises:
        WaitTimeoutError: It is late, and the stack shows nothing of the operation either.
    """
    now = service.find(stack.id)
    if now is not None and (now.status != stack.status or not asked.token):
        return replace(operation, status=now.status, reason=now.reason)
    if is_late:
        raise WaitTimeoutError(
            f"CloudFormation accepted the change of stack {stack.name}, and {BEGIN_WITHIN_S:.0f} s later neither its "
            "events nor its status show it",
            hint=f"look at the stack's events; then continue with: etltctl infra {asked.command}",
            stack=stack.id,
            status=stack.status,
        )
    return operation


@contextmanager
def _left_alone_if_interrupted(stack: Stack, command: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise DetachedError(
            f"detached: CloudFormation goes on with stack {stack.name}",
            hint=f"come back to it: etltctl infra {command}",
            stack=stack.id,
        ) from interrupt


def _require_success(operation: StackOperation, service: CloudFormation) -> StackOperation:
    if operation.state is State.SUCCEEDED:
        return operation
    failed = first_failure(service.last_operation(operation.id))
    where = f"{failed.logical_id} ({failed.type})" if failed else "no single resource"
    again = "etltctl infra deploy"
    if operation.status in NEVER_MADE:
        again = f"etltctl infra destroy --yes && {again}"
    raise RunFailedError(
        f"stack {operation.name} ended {operation.status}: {where} failed",
        hint=f"repair what AWS names, then: {again}",
        reason=failed.reason if failed else operation.reason,
        physical_id=failed.physical_id if failed else "",
        stack=operation.id,
    )


def _upload(s3: S3, made: Plan) -> None:
    for location in made.missing_files:
        s3.write(location, made.blueprint.uploads.files[location])


def _removal(service: CloudFormation, stack: Stack, names: Names) -> Removal:
    """Judge by the template the stack was made from, not by the one the settings would make now."""
    resources = service.resources(stack.id) if stack.status != "REVIEW_IN_PROGRESS" else []
    described = service.template(stack.id).get("Resources", {}) if resources else {}
    kept = {name for name, facts in described.items() if facts.get("DeletionPolicy") in KEPT_POLICIES}
    secret = StackResource("AirbyteSecret", names.airbyte_secret, SECRET_TYPE, "")
    has_secret = secret_state(service.aws, names) is SecretState.THERE and secret.logical_id not in kept
    return Removal(
        stack.name,
        tuple(found for found in resources if found.logical_id not in kept),
        (*(found for found in resources if found.logical_id in kept), *([secret] if has_secret else [])),
    )
