"""Wait for an operation of CloudFormation, also for one that another program or an interrupted command started."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from etltctl import plans
from etltctl.cloudformation import CloudFormation, Stack, StackEvent, first_failure, operation_of
from etltctl.errors import Command, DetachedError, NextStep, RunFailedError, WaitTimeoutError, command
from etltctl.infrastructure.plan import Change, Plan, Removal
from etltctl.runs import StackOperation, State
from etltctl.waiting import Waiter

FOLLOWING = Waiter(timeout=3600.0, first_pause=0.5, longest=5.0)
BEGIN_WITHIN_S = 300.0  # from CloudFormation's yes to the first sign of the operation
DEPLOY = command("infra", "deploy")
DESTROY = command("infra", "destroy", "--yes")
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
    confirm: Callable[[plans.Plan[Change]], bool] = _refuse
    waiter: Waiter = FOLLOWING


@dataclass(frozen=True)
class Request:
    """One request to CloudFormation: the command that resumes it, the client token, and the earlier events.

    Without a token it is the operation that already runs, no matter which program requested it.
    """

    again: Command
    token: str = ""
    known: frozenset[str] = frozenset()


def request_for(service: CloudFormation, stack: Stack, what: str, again: Command) -> Request:
    """Name this one try: the same while nothing has happened to the stack, another after it."""
    # The same token while nothing has happened: a request whose answer was lost is not carried out twice.
    before = [event.id for event in service.last_operation(stack.id)]
    digest = hashlib.sha256("".join(before[-1:]).encode()).hexdigest()[:16]
    return Request(again, f"{what}-{digest}", frozenset(before))


def follow(service: CloudFormation, stack: Stack, watcher: Watcher, request: Request) -> StackOperation:
    """Return the operation in its final state, every event reported once as it happens."""
    reported: set[str] = set()
    deadline = watcher.waiter.clock() + BEGIN_WITHIN_S

    def poll() -> StackOperation:
        events = service.last_operation(stack.id)
        operation = operation_of(stack, events, request.token, request.known)
        # CloudFormation says yes to the request seconds before its first event shows it.
        if operation.status == "REVIEW_IN_PROGRESS":
            return _not_begun(service, stack, operation, request, is_late=watcher.waiter.clock() > deadline)
        for event in events:
            # Every poll reads the whole operation again, so that an event that is listed late is not missed.
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
    # The events may lag behind the status, and a deletion that is fast may never show one of this request.
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
            hint=NextStep("follow it: ", again),
            stack=stack.id,
        ) from interrupt


def require_success(operation: StackOperation, service: CloudFormation) -> StackOperation:
    """Return the operation if it succeeded; raise RunFailedError, which names the first resource that failed."""
    if operation.state is State.SUCCEEDED:
        return operation
    failed = first_failure(service.last_operation(operation.id))
    where = f"{failed.logical_id} ({failed.type})" if failed else "no single resource"
    # A stack whose first creation failed takes no update. What is left of it must go first.
    again = (DESTROY, " && ", DEPLOY) if operation.status in NEVER_MADE else (DEPLOY,)
    raise RunFailedError(
        f"stack {operation.name} ended {operation.status}: {where} failed",
        hint=NextStep("repair what AWS names, then: ", *again),
        reason=failed.reason if failed else operation.reason,
        physical_id=failed.physical_id if failed else "",
        stack=operation.id,
    )
