"""What a deployment would do, in plain words, and what of it is refused before any harm."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.aws import Aws, translated
from etltctl.cloudformation import ChangeSet, CloudFormation, ResourceChange, Stack, first_failure
from etltctl.errors import (
    AlreadyRunningError,
    BlockedError,
    ConfigurationError,
    ServiceError,
    WaitTimeoutError,
)
from etltctl.infrastructure.account import require_room, require_unregistered
from etltctl.infrastructure.names import logical
from etltctl.infrastructure.secret import SecretState, read_secret
from etltctl.infrastructure.sizing import Cost, monthly_costs, name_of, size_of
from etltctl.infrastructure.template import NEWEST_IMAGE, Blueprint, blueprint
from etltctl.s3 import S3
from etltctl.settings.project_names import LAYERS
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

# What holds data, or without which data cannot be read: never replaced, never removed by a deployment.
DATABASE = "AWS::Glue::Database"
PROTECTED = frozenset({"AWS::S3::Bucket", DATABASE, "AWS::Glue::Table", "AWS::KMS::Key"})
# What the words of a refusal about a parameter mean in the settings.
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
GONE_WRONG = {
    "ROLLBACK_COMPLETE": "its first creation failed and was rolled back, and such a stack takes no update; "
    "etltctl infra destroy --yes removes what is left of it, then deploy again",
    "ROLLBACK_FAILED": "its first creation failed, and so did its rollback; "
    "etltctl infra destroy --yes removes what is left of it, then deploy again",
    "CREATE_FAILED": "its first creation failed; etltctl infra destroy --yes removes what is left, then deploy again",
    "DELETE_FAILED": "its deletion stopped half-way; etltctl infra destroy --yes goes on with it",
    "UPDATE_ROLLBACK_FAILED": "an update failed and so did its rollback; mend the resource named above, then "
    "aws cloudformation continue-update-rollback --stack-name {stack}",
    "IMPORT_ROLLBACK_FAILED": "taking in what existed failed; mend the resource named above, then "
    "aws cloudformation continue-update-rollback --stack-name {stack}",
}


@dataclass(frozen=True)
class Change:
    """One resource's change: `add`, `import`, `modify`, `replace`, `may replace` or `remove`, and why.

    `id` is the physical id, or the name that a new resource will have; `size` is how large it will be.
    """

    action: str
    resource: str
    type: str
    id: str
    because: tuple[str, ...]
    size: str = ""

    @property
    def is_harmful(self) -> bool:
        """Whether data would be lost from sight."""
        return self.type in PROTECTED and self.action in {"replace", "may replace", "remove"}


@dataclass(frozen=True)
class Plan:
    """What a deployment would do; `was_made` is set if the very same plan had been made before.

    `secret` is how Airbyte's secret stands, which is not part of the stack.
    """

    blueprint: Blueprint
    stack: Stack | None
    change_set: str
    changes: tuple[Change, ...]
    missing_files: tuple[str, ...]
    was_made: bool = False
    secret: SecretState = SecretState.THERE

    @property
    def is_new(self) -> bool:
        """Whether the stack does not exist yet."""
        return _is_new(self.stack)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes and not self.missing_files and self.secret is SecretState.THERE

    @property
    def costs(self) -> list[Cost]:
        """The fixed costs of the stack in a month."""
        return monthly_costs(self.blueprint.names, self.blueprint.template)

    def summary(self) -> str:
        """The plan in one sentence."""
        name, count = self.blueprint.names.stack, Counter(change.action for change in self.changes)
        if self.is_empty:
            return f"Nothing to do: stack {name} is as the settings say."
        parts = [f"{number} to {action}" for action, number in sorted(count.items())]
        parts += [f"{len(self.missing_files)} files to upload"] if self.missing_files else []
        if self.secret is not SecretState.THERE:
            verb = "make" if self.secret is SecretState.MISSING else "restore"
            parts.append(f"secret {self.blueprint.names.airbyte_secret} to {verb}")
        return f"Stack {name}{' is new' if self.is_new else ''}: {', '.join(parts)}."

    def require_harmless(self) -> None:
        """Raises BlockedError naming every change that would lose data from sight."""
        harmful = [change for change in self.changes if change.is_harmful]
        if not harmful:
            return
        told = {f"{c.action} {c.resource}": f"{c.type} {c.id}: {', '.join(c.because)}" for c in harmful}
        raise BlockedError(
            f"the plan would {', '.join(told)}: data would be lost from sight, so nothing was touched",
            hint=_hint_to_keep(harmful),
            **told,
        )


def _hint_to_keep(harmful: Sequence[Change]) -> str:
    """Return how to keep what a plan would take away: for databases the setting that can be pasted."""
    layers = {logical(layer, "database"): layer for layer in LAYERS}
    earlier = {layers[c.resource]: c.id for c in harmful if c.type == DATABASE and c.resource in layers}
    if not earlier:
        return "name in the settings what was named before; if data has to move, copy it first and by hand"
    databases = ", ".join(f'{layer} = "{earlier[layer]}"' for layer in LAYERS if layer in earlier)
    return f"write into etltctl.toml, under [athena]: databases = {{ {databases} }}"


def plan(
    settings: Settings, *, on_plan: Callable[[Plan], None] | None = None, waiter: Waiter | None = None
) -> Plan:
    """What deploying these settings would do, from a change set that is left for `deploy`.

    `on_plan` sees the plan even if it is refused. Raises BlockedError if the stack is in a state that takes no change
    or the plan would replace or remove a bucket, a database, a table or the key, or register a location that Lake
    Formation has already; AlreadyRunningError while the stack is being changed; ConfigurationError naming the setting
    of a parameter that AWS refuses.
    """
    made = make_plan(settings, waiter or Waiter(timeout=300.0, longest=2.0))
    if on_plan is not None:
        on_plan(made)
    made.require_harmless()
    return made


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
    drawn = blueprint(settings)
    stack = service.find(drawn.names.stack)
    _require_usable(service, stack)
    # With infra.image set, Canonical's parameter need not be there, nor be readable.
    has_image = not settings.infra.machine or "ImageId" in drawn.parameters
    image = {} if has_image else {"ImageId": _image(aws, stack)}
    parameters = {**image, **drawn.parameters}
    secret = read_secret(aws, drawn.names)
    resources = drawn.template["Resources"]
    owned = service.resources(stack.id) if stack is not None and not _is_new(stack) else []
    adopts = require_room(aws, drawn.names, resources, parameters, owned=owned, secret=secret)
    name = _change_set_name(drawn.body, parameters, adopts=adopts)
    found, was_made = _change_set(service, drawn, stack, name, parameters, waiter, adopts=adopts)
    unsorted = (_change_of(change, drawn, parameters) for change in found.changes)
    changes = tuple(sorted(unsorted, key=lambda change: (change.action, change.resource)))
    require_unregistered(aws, drawn.template, changes)
    missing = _missing_files(S3(aws), drawn)
    return Plan(drawn, stack, name, changes, missing, was_made, secret.state)


def _require_usable(service: CloudFormation, stack: Stack | None) -> None:
    if stack is None or _is_new(stack):
        return
    if stack.status.endswith("_IN_PROGRESS"):
        raise AlreadyRunningError(
            f"stack {stack.name} is being changed: {stack.status}",
            hint="wait for it, or follow it: etltctl infra deploy",
            stack=stack.id,
        )
    if stack.status in GONE_WRONG:
        failed = first_failure(service.last_operation(stack.id))
        told = {"failed first": f"{failed.logical_id} ({failed.type}): {failed.reason}"} if failed else {}
        raise BlockedError(
            f"stack {stack.name} is in {stack.status}",
            hint=GONE_WRONG[stack.status].format(stack=stack.name),
            **told,
        )


def _image(aws: Aws, stack: Stack | None) -> str:
    """The image the machine has, or the newest: another one would mean another machine at every deployment."""
    if stack is not None and stack.parameters.get("ImageId"):
        return stack.parameters["ImageId"]
    with translated("ssm", parameter=NEWEST_IMAGE):
        return str(aws.client("ssm").get_parameter(Name=NEWEST_IMAGE)["Parameter"]["Value"])


def _is_new(stack: Stack | None) -> bool:
    return stack is None or stack.status == "REVIEW_IN_PROGRESS"


def _change_set_name(body: str, parameters: Mapping[str, str], *, adopts: bool) -> str:
    """Return a name that the same plan always has, so that it is found again and not made twice."""
    told = json.dumps([body, sorted(parameters.items()), adopts]).encode()
    return f"etltctl-{hashlib.sha256(told).hexdigest()[:20]}"


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
    """The change set, and whether it was there before. One without changes is not left behind."""
    where = drawn.names.stack
    before = service.find_change_set(where, name) if stack is not None else None
    if before is not None and before.is_ready:
        return before, True
    if before is not None:
        service.drop_change_set(where, name)
    try:
        service.make_change_set(where, name, drawn.body, parameters, is_new=_is_new(stack), adopts=adopts)
    except ServiceError as error:
        raise _refused(error.message, parameters) or error from error
    found = _await(service, where, name, waiter)
    if found.is_ready:
        return found, False
    service.drop_change_set(where, name)
    if found.is_empty:
        return ChangeSet(name, found.status, found.execution), False
    raise _refused(found.reason, parameters) or BlockedError(
        f"CloudFormation refused the plan of stack {where}: {found.reason}", hint="nothing was touched"
    )


def _await(service: CloudFormation, stack: str, name: str, waiter: Waiter) -> ChangeSet:
    """The change set once CloudFormation is done with it."""
    deadline = waiter.clock() + waiter.timeout
    pause = waiter.first_look
    while True:
        found = service.find_change_set(stack, name)
        if found is not None and found.status in {"CREATE_COMPLETE", "FAILED"}:
            return found
        if waiter.clock() >= deadline:
            raise WaitTimeoutError(f"change set {name} of stack {stack} is not ready", hint="try again")
        waiter.sleep(pause)
        pause = min(pause * waiter.growth, waiter.longest)


def _refused(message: str, parameters: Mapping[str, str]) -> ConfigurationError | None:
    """The refusal of a parameter in the words of the settings; None if it is about something else."""
    named = [word for word in re.findall(r"\w+", message) if word in parameters]
    if not named or "parameter" not in message.lower():
        return None
    name = named[0]
    setting = SETTING_OF.get(name, name)
    return ConfigurationError(
        f"AWS refuses {setting} = {parameters[name]!r}: {message}",
        hint=f"change {setting} in etltctl.toml; nothing was touched",
        parameter=name,
    )


def _missing_files(s3: S3, drawn: Blueprint) -> tuple[str, ...]:
    scripts = drawn.names.settings.lake.scripts
    try:
        there = {found.location for found in s3.objects(f"{scripts}/")}
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
