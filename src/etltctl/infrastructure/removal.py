"""The removal of the stack, followed to its end; what holds data stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etltctl.aws import Aws
from etltctl.cloudformation import CloudFormation, Stack, StackResource
from etltctl.errors import AlreadyRunningError, NextStep
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.plan import Removal
from etltctl.infrastructure.secret import TYPE as SECRET_TYPE
from etltctl.infrastructure.secret import SecretState, read_secret
from etltctl.infrastructure.stack_operation import (
    DEPLOY,
    DESTROY,
    Request,
    Watcher,
    follow,
    request_for,
    require_success,
)
from etltctl.plans import Consent

if TYPE_CHECKING:
    from etltctl.settings import Settings

KEPT_POLICIES = frozenset({"Retain", "RetainExceptOnCreate"})


def destroy(settings: Settings, watcher: Watcher) -> Removal:
    """Delete the stack and follow it to its end; buckets, databases, log groups, the key and the secret stay.

    Args:
        settings: The settings of the environment.
        watcher: Is called with the removal and with every event. Its `confirm` says whether the stack is deleted.

    Returns:
        What went and what stayed. `was_there` is unset if there is no such stack.

    Raises:
        BlockedError: The watcher did not confirm the removal. Nothing was changed.
        AlreadyRunningError: The stack is being changed.
    """
    service = CloudFormation(Aws.from_settings(settings))
    stack = service.find(Names(settings).stack)
    if stack is None:
        return _nothing_of(Names(settings))
    if stack.status.endswith("_IN_PROGRESS") and stack.status not in {
        "REVIEW_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
    }:
        raise AlreadyRunningError(
            f"stack {stack.name} is being changed: {stack.status}", hint=NextStep("wait for it: ", DEPLOY)
        )
    removal = _removal(service, stack, Names(settings))
    watcher.on_removal(removal)
    Consent[Removal](
        watcher.confirm,
        "infra",
        reason=f"the removal of stack {stack.name} was not confirmed",
        review=("destroy", "--dry-run"),
        make=("destroy", "--yes"),
    ).require(removal)
    request = Request(DESTROY)
    if stack.status != "DELETE_IN_PROGRESS":
        request = request_for(service, stack, "etltctl-delete", request.again)
        service.delete(stack.id, request.token)
    require_success(follow(service, stack, watcher, request), service)
    return removal


def plan_removal(settings: Settings) -> Removal:
    """Return what `destroy` would delete and what would stay. Nothing is changed."""
    service, names = CloudFormation(Aws.from_settings(settings)), Names(settings)
    stack = service.find(names.stack)
    return _nothing_of(names) if stack is None else _removal(service, stack, names)


def _nothing_of(names: Names) -> Removal:
    return Removal(subject=names.stack, changes=(), was_there=False)


def _removal(service: CloudFormation, stack: Stack, names: Names) -> Removal:
    """Return what goes and what stays, by the template that the stack was made from, not by the settings of now."""
    resources = service.resources(stack.id) if stack.status != "REVIEW_IN_PROGRESS" else []
    described = service.template(stack.id).get("Resources", {}) if resources else {}
    kept = {name for name, facts in described.items() if facts.get("DeletionPolicy") in KEPT_POLICIES}
    # The secret is not a resource of the stack, so the template does not show that it stays.
    secret = StackResource("AirbyteSecret", names.airbyte_secret, SECRET_TYPE, "")
    has_secret = read_secret(service.aws, names).state is SecretState.THERE and secret.logical_id not in kept
    goes = [each for each in resources if each.logical_id not in kept]
    stays = [each for each in resources if each.logical_id in kept]
    return Removal.of(stack.name, goes, [*stays, *([secret] if has_secret else [])])
