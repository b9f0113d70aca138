"""The checks of a run before its first step starts anything: is it certain to fail, permitted, within its budget?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from logging import getLogger
from typing import TYPE_CHECKING

from etltctl.denials import Denial
from etltctl.errors import AccessError, ConfigurationError, NextStep, NotFoundError, ServiceError
from etltctl.inspection import DENIED, Inspection
from etltctl.permissions import Permission, Requirements
from etltctl.pipeline.budget import require_whole_budget
from etltctl.pipeline.kinds import changes_of, kind_of, refreshed_by
from etltctl.pipeline.model import Step, steps_as_written
from etltctl.pipeline.step_run import StepRun

if TYPE_CHECKING:
    from etltctl.aws import Identity
    from etltctl.ledger import Event, Ledger
    from etltctl.pipeline.services import Services
    from etltctl.settings import Settings

log = getLogger(__name__)
HINT = "correct it, then run the same command again"


def require_ready(settings: Settings, walk: Iterable[Step]) -> None:
    """Raise if one of the steps is certain to fail for a reason that this machine can see without a service.

    A script that is not on this machine is left alone: Glue has its own copy.

    Args:
        settings: The settings.
        walk: The steps that are to start.

    Raises:
        ConfigurationError: A script of a Glue step has a syntax error, a secret has no value, a connector cannot start,
            or a rule names a column that the table does not have. It lists every problem with the place of the setting.
    """
    problems = tuple(
        dict.fromkeys(problem for step in walk for problem in kind_of(step).problems(step.name, settings))
    )
    if problems:
        why = (
            "the run would fail" if len(problems) == 1 else f"the run would fail for {len(problems)} reasons"
        )
        raise ConfigurationError(f"nothing was started: {why}", problems=problems, hint=HINT)


def unstarted(walk: Iterable[Step], last: Callable[..., Event | None], *, fresh: bool) -> list[Step]:
    """Return the steps of a run that have to start: what runs is adopted, what succeeded is reused, as it is.

    Args:
        walk: The steps.
        last: Returns a step's newest event of the types that it is called with, as `Ledger.last` does.
        fresh: Whether the work of all starts again.
    """
    return [step for step in walk if fresh or not _has_run(str(step), last)]


def _has_run(step: str, last: Callable[..., Event | None]) -> bool:
    """Return whether the step has a remote run to adopt or a result to reuse."""
    newest = last(step, "remote.started", "remote.adopted", "step.finished")
    if newest is None:
        return False
    return newest["type"] != "step.finished" or newest.get("outcome") in ("succeeded", "detached")


def require_allowed(step_runs: Sequence[StepRun], *, fresh: bool = False) -> None:
    """Check the permissions of the steps that are still to start, then whether their cost is within the budget.

    Args:
        step_runs: The steps of one run.
        fresh: Whether steps that have succeeded run again.

    Raises:
        AccessError: A permission is missing. No further step was started.
        BudgetError: The estimate exceeds the budget. No further step was started.
    """
    # The permissions come first: the estimate reads the service's earlier runs, which needs a permission itself.
    require_permissions(step_runs, fresh=fresh)
    require_budget_ahead(step_runs, fresh=fresh)


def require_permissions(step_runs: Sequence[StepRun], *, fresh: bool = False) -> None:
    """Check that the caller may do what the steps that are still to start need.

    IAM's simulation is asked once for all of them, and Lake Formation once if it governs tables. A caller that IAM
    cannot simulate, or that may not ask for it, is not checked; the run then goes on, and the reason is on record.
    What runs already is not checked: it is waited for to its end, whatever the caller may do.

    Args:
        step_runs: The steps of one run.
        fresh: Whether steps that have succeeded run again.

    Raises:
        AccessError: A permission is missing. The error names step, principal, action and resource of the first one,
            and lists the others. No further step was started.
    """
    if not step_runs:
        return
    services, ledger, pipeline = step_runs[0].services, step_runs[0].ledger, step_runs[0].pipeline
    to_start = unstarted([one.step for one in step_runs], ledger.last, fresh=fresh)
    # A refresh is about the tables of its whole pipeline, whichever of the steps this run has.
    walk = steps_as_written(pipeline, services.settings) if pipeline in services.settings.pipelines else []
    # Lake Formation first: it names the table and the grant, where IAM would name an action.
    caller = _require_lake_access(to_start, walk, services)
    if not services.settings.aws.preflight or not to_start:
        return
    try:
        # Sent once: a network may lead to Glue and not to STS, and a run can do without the answer.
        caller = caller or services.aws.identity(once=True)
    except (AccessError, ServiceError) as error:
        _skip(ledger, error.message)
        return
    if caller.is_root:
        log.debug("the permissions of %s are not checked: the root user may do everything", caller.arn)
    elif caller.is_federated:
        _skip(ledger, f"{caller.arn} is a federated user, which has no policies in IAM")
    elif needs := _needs(to_start, walk, caller, services):
        is_resumed = len(to_start) < len(step_runs)
        _IamCheck(caller.principal, services, ledger, is_resumed=is_resumed).require(needs)


def require_budget_ahead(step_runs: Sequence[StepRun], *, fresh: bool = False) -> None:
    """Refuse a run before its first paid call if its steps are known to cost more than is left.

    The first step to start is checked by its own start, right after this. A step that may have been started and is not
    on record yet is left out: it would be adopted, which costs nothing more.

    Args:
        step_runs: The steps of one run.
        fresh: Whether steps that have succeeded run again.

    Raises:
        BudgetError: The estimate exceeds the budget. Nothing further was started.
    """
    if not step_runs:
        return
    to_start = unstarted([one.step for one in step_runs], step_runs[0].ledger.last, fresh=fresh)
    if len(to_start) > 1:
        later = [one for one in step_runs if one.step in to_start and one.last("remote.intended") is None]
        planned = (kind_of(one.step).planned_cost(one) for one in later)
        require_whole_budget([each for each in planned if each is not None])


def _require_lake_access(
    to_start: Sequence[Step], walk: Sequence[Step], services: Services
) -> Identity | None:
    """Check the caller's permissions of Lake Formation; return the caller if STS had to be asked for it."""
    settings = services.settings
    changes = changes_of(to_start, walk, settings) if settings.governance.is_configured else []
    if not changes:
        return None
    from etltctl import governance

    caller = services.aws.identity()
    governance.require_access(changes, settings, services.aws, caller)
    return caller


@dataclass(frozen=True)
class _Need:
    """A permission that a step needs of IAM."""

    step: str
    permission: Permission

    def __str__(self) -> str:
        return f"{self.step}: {self.permission.action} on {self.permission.resource}"


def _needs(
    to_start: Sequence[Step], walk: Sequence[Step], caller: Identity, services: Services
) -> list[_Need]:
    """Return what the steps need of IAM, in their order."""
    region = services.settings.aws.region or services.aws.region_name or ""
    required = Requirements(services.settings, caller.arn.split(":")[1], region, caller.account)
    return [
        _Need(str(step), permission)
        for step in to_start
        for permission in kind_of(step).permissions(
            step.name, refreshed_by(step, walk, services.settings), required
        )
    ]


@dataclass(frozen=True)
class _IamCheck:
    """The check of one run by IAM's simulation. `is_resumed` says that steps of the run have started before."""

    principal: str
    services: Services
    ledger: Ledger
    is_resumed: bool

    def require(self, needs: Sequence[_Need]) -> None:
        """Refuse needs that IAM denies; warn of those that only some runs have; record what IAM did not answer."""
        actions = sorted({need.permission.action for need in needs})
        resources = sorted({need.permission.resource for need in needs})
        try:
            decisions = Inspection(self.services.aws).decisions(self.principal, actions, resources)
        except (AccessError, ServiceError, NotFoundError) as error:
            _skip(self.ledger, error.message)
            return
        decided = [
            (need, decisions.get((need.permission.action, need.permission.resource), "")) for need in needs
        ]
        denied = [(need, decision) for need, decision in decided if decision in DENIED]
        if certain := [(need, decision) for need, decision in denied if need.permission.is_certain]:
            raise self._refusal(certain)
        # One warning an action: a job with ten tables would otherwise warn ten times of the same policy.
        for need in {need.permission.action: need for need, _ in denied}.values():
            lacks = f"{self.principal} lacks {need.permission.action} on {need.permission.resource}"
            message = f"{lacks}, which some runs of {need.step} need"
            self.ledger.note("warning.degraded", need.step, message=message)
        if unanswered := [need.permission for need, decision in decided if not decision]:
            first, number = unanswered[0], len(unanswered)
            reason = f"IAM did not answer for {first.action} on {first.resource} ({number} in all)"
            _skip(self.ledger, reason)

    def _refusal(self, missing: Sequence[tuple[_Need, str]]) -> AccessError:
        """Build the error for permissions that are missing, about the first of them."""
        (first, decision), *others = missing
        action, resource = first.permission.action, first.permission.resource
        denial = Denial(action, resource, self.principal)
        nothing = "nothing further" if self.is_resumed else "nothing"
        remedy = "if a policy of the resource itself allows it, set aws.preflight = false"
        return AccessError(
            f"{nothing} was started: {first.step} needs {action} on {resource}, and IAM's simulation of "
            f"{self.principal} answers {decision}",
            hint=NextStep(*denial.hint.parts, f"; {remedy}"),
            step=first.step,
            **denial.facts,
            also="\n".join(str(need) for need, _ in others),
        )


def _skip(ledger: Ledger, reason: str) -> None:
    """Record why the permissions were not checked; a run goes on without the check."""
    ledger.note("preflight.skipped", reason=reason)
