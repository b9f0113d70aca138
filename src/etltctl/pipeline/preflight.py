"""The checks of a whole run before its first step starts anything: permissions, and whether the budget is enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from logging import getLogger
from typing import TYPE_CHECKING

from etltctl.denials import Denial
from etltctl.errors import AccessError, NextStep, NotFoundError, ServiceError
from etltctl.inspection import Inspection
from etltctl.permissions import Need, Requirements
from etltctl.pipeline.budget import require_whole_budget
from etltctl.pipeline.kinds import kind_of
from etltctl.pipeline.readiness import unstarted
from etltctl.pipeline.step_run import StepRun

if TYPE_CHECKING:
    from etltctl.aws import Identity
    from etltctl.ledger import Ledger
    from etltctl.pipeline.services import Services

log = getLogger(__name__)


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
    services, ledger = step_runs[0].services, step_runs[0].ledger
    to_start = unstarted([one.step for one in step_runs], ledger.last, fresh=fresh)
    tables = {str(one.step): _tables_of(one) for one in step_runs if one.step in to_start}
    if services.settings.governance.is_configured:
        from etltctl import governance

        governance.require_access(services.settings, tables)
    if not services.settings.aws.preflight or not to_start:
        return
    try:
        caller = services.aws.identity(once=True)  # a network may lead to Glue and not to STS
    except (AccessError, ServiceError) as error:
        _skip(ledger, error.message)
        return
    if caller.is_root:
        log.debug("the permissions of %s are not checked: the root user may do everything", caller.arn)
    elif caller.is_federated:
        _skip(ledger, f"{caller.arn} is a federated user, which has no policies in IAM")
    else:
        further = "" if len(to_start) == len(step_runs) else "further "
        _check(_needs(tables, caller, services), caller.principal, services, ledger, further)


def require_budget_ahead(step_runs: Sequence[StepRun], *, fresh: bool = False) -> None:
    """Refuse a run before its first paid call if its jobs are known to cost more than is left.

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
        later = [one for one in step_runs if one.step in to_start and kind_of(one.step).budget(one)]
        require_whole_budget([one for one in later if one.last("remote.intended") is None])


def _needs(tables: Mapping[str, Iterable[str]], caller: Identity, services: Services) -> list[Need]:
    """Return what the steps need of IAM, in their order."""
    region = services.settings.aws.region or services.aws.region_name or ""
    required = Requirements(services.settings, caller.arn.split(":")[1], region, caller.account)
    return [need for step, names in tables.items() for need in required.of_step(step, names)]


def _check(needs: Sequence[Need], principal: str, services: Services, ledger: Ledger, further: str) -> None:
    """Refuse needs that IAM denies; warn of those that only some runs have; record what IAM did not answer."""
    if not needs:
        return
    actions = sorted({need.action for need in needs})
    resources = sorted({need.resource for need in needs})
    try:
        decisions = Inspection(services.aws).decisions(principal, actions, resources)
    except (AccessError, ServiceError, NotFoundError) as error:
        _skip(ledger, error.message)
        return
    decided = [(need, decisions.get((need.action, need.resource), "")) for need in needs]
    denied = [(need, decision) for need, decision in decided if decision.endswith("Deny")]
    if certain := [(need, decision) for need, decision in denied if need.is_certain]:
        raise _refusal(certain, principal, further)
    for need in {need.action: need for need, _ in denied}.values():
        text = f"{principal} lacks {need.action} on {need.resource}, which some runs of {need.step} need"
        ledger.note("warning.degraded", need.step, message=text)
    if unanswered := [need for need, decision in decided if not decision]:
        first = unanswered[0]
        _skip(ledger, f"IAM did not answer for {first.action} on {first.resource} ({len(unanswered)} in all)")


def _refusal(missing: Sequence[tuple[Need, str]], principal: str, further: str) -> AccessError:
    """Build the error for permissions that are missing, about the first of them."""
    (first, decision), *others = missing
    denial = Denial(first.action, first.resource, principal)
    remedy = "if a policy of the resource itself allows it, set aws.preflight = false"
    return AccessError(
        f"nothing {further}was started: {first.step} needs {first.action} on {first.resource}, and IAM's simulation of "
        f"{principal} answers {decision}",
        hint=NextStep(*denial.hint.parts, f"; {remedy}"),
        step=first.step,
        **denial.facts,
        also="\n".join(f"{need.step}: {need.action} on {need.resource}" for need, _ in others),
    )


def _skip(ledger: Ledger, reason: str) -> None:
    """Record why the permissions were not checked; a run goes on without the check."""
    ledger.note("preflight.skipped", reason=reason)


def _tables_of(step_run: StepRun) -> list[str]:
    """Return the tables that a refresh brings in line; none for another step."""
    if step_run.pipeline not in step_run.settings.pipelines:
        return []
    return list(kind_of(step_run.step).refreshed_tables(step_run))
