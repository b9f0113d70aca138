"""The change set that shows what a deployment would do, and the refusals that come before any harm."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from etltctl.aws import Aws, translated
from etltctl.cloudformation import ChangeSet, CloudFormation, ResourceChange, Stack, first_failure
from etltctl.errors import (
    AlreadyRunningError,
    BlockedError,
    ConfigurationError,
    NextStep,
    ServiceError,
    WaitTimeoutError,
    command,
)
from etltctl.infrastructure.account import require_adoptable, require_room, require_unregistered
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.plan import Change, Plan, is_new
from etltctl.infrastructure.secret import read_secret
from etltctl.infrastructure.sizes import name_of, size_of
from etltctl.infrastructure.stack_operation import DESTROY
from etltctl.infrastructure.template import NEWEST_IMAGE, Blueprint, blueprint
from etltctl.s3 import S3
from etltctl.values import S3Location
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

SCRIPTS_BUCKET = "ScriptsBucket"  # its logical id
ENDS = frozenset({"CREATE_COMPLETE", "FAILED"})  # of making a change set, not of executing it
POLL_EVERY_S = 1.0  # CloudFormation makes the change set of such a stack in a few seconds
# The setting of each parameter that AWS may refuse.
SETTING_OF = {
    "InstanceType": "infra.instance_type",
    "ImageId": "infra.image",
    "VolumeGb": "infra.volume_gb",
    "LogDays": "infra.log_days",
    "ResultDays": "infra.result_days",
    "OldVersionDays": "infra.old_version_days",
    "KeyAliasName": "infra.key_alias",
    "MonthlyBudgetUsd": "infra.monthly_budget_usd",
    "AlarmEmail": "infra.alarm_email",
}
# A stack in one of these states takes no update: what happened, and what the person does about it.
GONE_WRONG = {
    "ROLLBACK_COMPLETE": NextStep(
        "its first creation failed and was rolled back, and such a stack takes no update; ",
        DESTROY,
        " removes what is left of it, then deploy again",
    ),
    "ROLLBACK_FAILED": NextStep(
        "its first creation failed, and so did its rollback; ",
        DESTROY,
        " removes what is left of it, then deploy again",
    ),
    "CREATE_FAILED": NextStep(
        "its first creation failed; ", DESTROY, " removes what is left, then deploy again"
    ),
    "DELETE_FAILED": NextStep("its deletion stopped half-way; ", DESTROY, " continues it"),
    "UPDATE_ROLLBACK_FAILED": NextStep(
        "an update failed and so did its rollback; fix the resource named above, then "
        "aws cloudformation continue-update-rollback --stack-name "
    ),
    "IMPORT_ROLLBACK_FAILED": NextStep(
        "taking in what existed failed; fix the resource named above, then "
        "aws cloudformation continue-update-rollback --stack-name "
    ),
}


def plan(
    settings: Settings, *, on_plan: Callable[[Plan], None] | None = None, waiter: Waiter | None = None
) -> Plan:
    """Return what deploying these settings would do, from a change set that is left for `deploy`.

    Args:
        settings: The settings of the environment.
        on_plan: Called with the plan, also if it is refused.
        waiter: How CloudFormation's answer is waited for.

    Raises:
        BlockedError: The stack is in a state that takes no change, a name is taken, or the plan would replace or
            remove a bucket, a database, a table or the key, or register a location that Lake Formation has already.
        AlreadyRunningError: The stack is being changed.
        ConfigurationError: AWS refuses a parameter, or `infra.adopt` names what the stack does not have.
    """
    new_plan = make_plan(settings, waiter or Waiter(timeout=300.0, longest=2.0))
    if on_plan is not None:
        on_plan(new_plan)
    new_plan.require_harmless()
    return new_plan


def make_plan(settings: Settings, waiter: Waiter) -> Plan:
    """Return the plan, harmful or not.

    Args:
        settings: The settings of the environment.
        waiter: How CloudFormation's answer is waited for.

    Raises:
        BlockedError: The stack takes no change, a name is taken, or a second key would be made.
    """
    aws = Aws.from_settings(settings)
    service = CloudFormation(aws)
    Names(settings).require_valid()
    drawn = blueprint(settings)
    stack = service.find(drawn.names.stack)
    _require_usable(service, stack)
    require_adoptable(drawn.names, drawn.template["Resources"], drawn.parameters)
    # With infra.image set, Canonical's parameter need not be there, nor be readable.
    has_image = not settings.infra.machine or "ImageId" in drawn.parameters
    image = {} if has_image else {"ImageId": _image(aws, stack)}
    parameters = {**image, **drawn.parameters}
    secret = read_secret(aws, drawn.names)
    resources = drawn.template["Resources"]
    owned = service.resources(stack.id) if stack is not None and not is_new(stack) else []
    drawn.require_room(has_bucket=SCRIPTS_BUCKET in {each.logical_id for each in owned})
    adopts = require_room(aws, drawn.names, resources, parameters, owned=owned, secret=secret)
    name = _change_set_name(drawn.body, parameters, adopts=adopts)
    change_set, was_made = _change_set(service, drawn, stack, name, parameters, waiter, adopts=adopts)
    unsorted = (_change_of(change, drawn, parameters) for change in change_set.changes)
    changes = tuple(sorted(unsorted, key=lambda change: (change.action, change.resource)))
    require_unregistered(aws, drawn.template, changes)
    missing = _missing_files(S3(aws), drawn)
    return Plan(
        subject=f"stack {drawn.names.stack}",
        changes=changes,
        blueprint=drawn,
        stack=stack,
        change_set=name,
        missing_files=missing,
        was_made=was_made,
        secret=secret.state,
    )


def way_out(stack: Stack) -> NextStep | None:
    """Return what happened to a stack that takes no update, and what to do about it; None for any other stack."""
    step = GONE_WRONG.get(stack.status)
    if step is None or not str(step).endswith("--stack-name "):
        return step
    return NextStep(*step.parts, stack.name)


def _require_usable(service: CloudFormation, stack: Stack | None) -> None:
    if stack is None or is_new(stack):
        return
    if stack.status.endswith("_IN_PROGRESS"):
        raise AlreadyRunningError(
            f"stack {stack.name} is being changed: {stack.status}",
            hint=NextStep("wait for it, or follow it: ", command("infra", "deploy")),
            stack=stack.id,
        )
    if remedy := way_out(stack):
        failed = first_failure(service.last_operation(stack.id))
        first = {"failed first": f"{failed.logical_id} ({failed.type}): {failed.reason}"} if failed else {}
        raise BlockedError(
            f"stack {stack.name} is in {stack.status}",
            hint=remedy,
            **first,
        )


def _image(aws: Aws, stack: Stack | None) -> str:
    """Return the machine's image, or the newest: with another one every deployment would make another machine."""
    if stack is not None and stack.parameters.get("ImageId"):
        return stack.parameters["ImageId"]
    with translated("ssm", parameter=NEWEST_IMAGE):
        return str(aws.client("ssm").get_parameter(Name=NEWEST_IMAGE)["Parameter"]["Value"])


def _change_set_name(body: str, parameters: Mapping[str, str], *, adopts: bool) -> str:
    """Return a name that the same plan always has, so that it is found again and not made twice."""
    content = json.dumps([body, sorted(parameters.items()), adopts]).encode()
    return f"etltctl-{hashlib.sha256(content).hexdigest()[:20]}"


def _change_set(
    service: CloudFormation,
    drawn: Blueprint,
    stack: Stack | None,
    name: str,
    parameters: Mapping[str, str],
    waiter: Waiter,
    *,
    adopts: bool,
) -> tuple[ChangeSet, bool]:
    """Return the change set, and whether it was there before. One without changes is deleted."""
    where = drawn.names.stack
    before = service.find_change_set(where, name) if stack is not None else None
    if before is not None and before.is_ready:
        return before, True
    # One that failed, or that a change of the stack made obsolete, stands in the way of the same name.
    if before is not None:
        service.drop_change_set(where, name)
    url = "" if drawn.fits_a_call else _uploaded(S3(service.aws), drawn)
    try:
        service.make_change_set(
            where, name, drawn.body, parameters, url=url, is_new=is_new(stack), adopts=adopts
        )
    except ServiceError as error:
        raise _refused(error.message, parameters) or error from error
    change_set = _made(service, where, name, waiter)
    if change_set.is_ready:
        return change_set, False
    service.drop_change_set(where, name)
    # CloudFormation calls a change set without changes a failure; it is one that needs no review.
    if change_set.is_empty:
        return ChangeSet(name, change_set.status, change_set.execution), False
    raise _refused(change_set.reason, parameters) or BlockedError(
        f"CloudFormation refused the plan of stack {where}: {change_set.reason}; nothing was changed",
        hint=NextStep("correct what CloudFormation names, then: ", command("infra", "plan")),
    )


def _uploaded(s3: S3, drawn: Blueprint) -> str:
    """Put a template that is too large for a call into the scripts bucket; return the URL that CloudFormation reads.

    A plan does so too: the file is not a part of the stack, and its key is made of its content.
    """
    s3.write(drawn.location, drawn.body.encode())
    endpoint = s3.aws.client("s3").meta.endpoint_url
    return f"{endpoint.rstrip('/')}/{S3Location.parse(drawn.location).path}"


def _made(service: CloudFormation, stack: str, name: str, waiter: Waiter) -> ChangeSet:
    """Return the change set once CloudFormation has made it, or has failed to."""

    def poll() -> ChangeSet | None:
        change_set = service.find_change_set(stack, name)
        return change_set if change_set is not None and change_set.status in ENDS else None

    # A refused poll is not a late listing: without the right to read a change set it is not worth the wait.
    search = replace(waiter, longest=min(waiter.longest, POLL_EVERY_S))
    change_set = search.find(poll, waiter.timeout, raises_errors=True)
    if change_set is None:
        raise WaitTimeoutError(
            f"CloudFormation has not made change set {name} of stack {stack} within {waiter.timeout:.0f} s; "
            "nothing was changed",
            hint=command("infra", "plan"),
        )
    return change_set


def _refused(message: str, parameters: Mapping[str, str]) -> ConfigurationError | None:
    """Build the error for a parameter that AWS refuses, with its setting; None for another refusal."""
    # AWS names the parameter in its own sentence, which has no fixed form.
    named = [word for word in re.findall(r"\w+", message) if word in parameters]
    if not named or "parameter" not in message.lower():
        return None
    name = named[0]
    setting = SETTING_OF.get(name, name)
    return ConfigurationError(
        f"AWS refuses {setting} = {parameters[name]!r}: {message}",
        hint=f"change {setting} in etltctl.toml; nothing was changed",
        parameter=name,
    )


def _missing_files(s3: S3, drawn: Blueprint) -> tuple[str, ...]:
    scripts = drawn.names.settings.lake.scripts
    try:
        there = {each.location for each in s3.objects(f"{scripts}/")}
    except ServiceError as error:
        if error.code != "NoSuchBucket":
            raise
        there = set()
    return tuple(sorted(set(drawn.uploads.files) - there))


def _change_of(change: ResourceChange, drawn: Blueprint, parameters: Mapping[str, str]) -> Change:
    action = {"Add": "add", "Import": "import", "Remove": "remove", "Modify": "modify"}.get(
        change.action, change.action.lower()
    )
    if change.action == "Modify" and change.replacement in {"True", "Conditional"}:
        action = "replace" if change.replacement == "True" else "may replace"
    because = []
    for detail in change.details:
        target = detail.get("Target", {})
        what = target.get("Name") or target.get("Attribute", "")
        cause = detail.get("CausingEntity", "")
        because.append(f"{what} through {cause}" if cause else str(what))
    resource = drawn.template["Resources"].get(change.logical_id, {})
    name = change.physical_id or name_of(resource, parameters)
    reasons, size = tuple(dict.fromkeys(because)), size_of(resource, parameters)
    return Change(action, change.logical_id, change.type, name, reasons, size)
