"""A deployment: a plan that is carried out and followed to its end, and resumed after an interruption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etltctl.aws import Aws
from etltctl.cloudformation import CloudFormation
from etltctl.errors import BlockedError
from etltctl.infrastructure.change_set import make_plan
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.plan import Plan
from etltctl.infrastructure.secret import SecretState, keep_secret
from etltctl.infrastructure.stack_operation import (
    DEPLOY,
    Request,
    Watcher,
    follow,
    request_for,
    require_success,
)
from etltctl.plans import Consent
from etltctl.s3 import S3

if TYPE_CHECKING:
    from etltctl.settings import Settings


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


def deploy(settings: Settings, watcher: Watcher) -> Deployed:
    """Make AWS what the settings say: scripts and DAGs go up, the change set is executed and followed to its end.

    A stack that is being changed is followed first, so that an interrupted deployment can be resumed.

    Args:
        settings: The settings of the environment.
        watcher: Is called with the plan and with every event. Its `confirm` says whether a plan is carried out that was
            not made before.

    Raises:
        BlockedError: The plan was neither made before nor confirmed, or `plan` refuses it.
        RunFailedError: CloudFormation rolled back; the first resource that failed is named.
    """
    service = CloudFormation(Aws.from_settings(settings))
    # A plan made while the stack changes would be refused, or would be of a state that does not last.
    _see_to_its_end(service, Names(settings).stack, watcher)
    plan = make_plan(settings, watcher.waiter)
    watcher.on_plan(plan)
    plan.require_harmless()
    _require_review(service, plan, watcher)
    s3 = S3(service.aws)
    if not plan.is_new:  # no job may point to a script that is not there yet
        _upload(s3, plan)
    status = _execute(service, plan, watcher) if plan.changes else ""
    if plan.is_new:  # the bucket is there only now
        _upload(s3, plan)
    stack = service.find(plan.blueprint.names.stack)
    outputs = stack.outputs if stack else {}
    # Last, because a new secret is encrypted with the key that the stack has made.
    keep_secret(service.aws, plan.blueprint.names, plan.secret, outputs.get("KeyArn", ""))
    return Deployed(
        plan.blueprint.names.stack,
        status or (stack.status if stack else ""),
        len(plan.changes),
        len(plan.missing_files),
        outputs,
        plan.secret,
    )


def _require_review(service: CloudFormation, plan: Plan, watcher: Watcher) -> None:
    """Refuse changes that the caller neither saw before nor confirms."""
    if plan.was_made or not plan.changes:
        return
    reason = "this plan has not been reviewed"
    try:
        Consent[Plan](watcher.confirm, "infra", reason=reason, make=("deploy", "--yes")).require(plan)
    except BlockedError:
        # The change set that stays would count as reviewed, so that a second try would carry it out.
        service.drop_change_set(plan.blueprint.names.stack, plan.change_set)
        raise


def _see_to_its_end(service: CloudFormation, name: str, watcher: Watcher) -> None:
    """Follow the operation that runs already. The plan judges how it ended."""
    stack = service.find(name)
    if stack is not None and stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        follow(service, stack, watcher, Request(DEPLOY))


def _execute(service: CloudFormation, plan: Plan, watcher: Watcher) -> str:
    name = plan.blueprint.names.stack
    stack = service.find(name)
    if stack is None:
        raise BlockedError(
            f"stack {name} was deleted while the plan was made; nothing was changed",
            hint=DEPLOY,
        )
    request = request_for(service, stack, plan.change_set, DEPLOY)
    service.execute(name, plan.change_set, request.token)
    return require_success(follow(service, stack, watcher, request), service).status


def _upload(s3: S3, plan: Plan) -> None:
    for location in plan.missing_files:
        s3.write(location, plan.blueprint.uploads.files[location])
