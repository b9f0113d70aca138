"""The check of a whole run before its first step starts anything: may the caller do what the steps need?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from logging import getLogger
from typing import TYPE_CHECKING

from etltctl.denials import Denial
from etltctl.errors import AccessError, EtltctlError, NextStep
from etltctl.inspection import Inspection
from etltctl.permissions import Need, Requirements
from etltctl.pipeline.kinds import kind_of
from etltctl.pipeline.step_run import StepRun

if TYPE_CHECKING:
    from etltctl.aws import Identity
    from etltctl.ledger import Ledger
    from etltctl.pipeline.services import Services

ALLOWED = "allowed"

log = getLogger(__name__)


def require_permissions(step_runs: Sequence[StepRun], *, fresh: bool = False) -> None:
    """Check that the caller may do what the steps that are still to run need.

    IAM's simulation is asked once for all of them, and Lake Formation once where it governs tables. A caller that IAM
    cannot simulate, or that may not ask for it, is not checked; the run then goes on, and the reason is on record.

    Args:
        step_runs: The steps of one run.
        fresh: Whether steps that have succeeded run again.

    Raises:
        AccessError: A permission is missing. The error names step, principal, action and resource of the first one,
            and lists the others. Nothing was started.
    """
    unfinished = [one for one in step_runs if fresh or not _has_succeeded(one)]
    if not unfinished:
        return
    services, ledger = unfinished[0].services, unfinished[0].ledger
    tables = {str(one.step): _tables_of(one) for one in unfinished}
    if services.settings.governance.is_configured:
        from etltctl import governance

        governance.require_access_of_steps(services.settings, tables)
    if not services.settings.aws.preflight:
        return
    try:
        caller = services.aws.identity(once=True)  # a network may lead to Glue and not to STS
        if caller.is_root:
            log.debug("the permissions of %s are not checked: the root user may do everything", caller.arn)
            return
        if caller.is_federated:
            _skip(ledger, f"{caller.arn} is a federated user, which has no policies in IAM")
            return
        missing = list(_missing(tables, caller, services))
    except EtltctlError as error:
        _skip(ledger, error.message)
        return
    if missing:
        raise _refusal(missing, caller.principal)


def _missing(
    tables: dict[str, list[str]], caller: Identity, services: Services
) -> Iterator[tuple[Need, str]]:
    """Yield the needs that IAM denies, each with IAM's decision, in the order of the steps."""
    settings = services.settings
    region = settings.aws.region or services.aws.region_name or ""
    required = Requirements(settings, caller.arn.split(":")[1], region, caller.account)
    needs = [need for step in tables for need in required.of_step(step, tables[step])]
    if not needs:
        return
    actions = sorted({need.action for need in needs})
    resources = sorted({need.resource for need in needs})
    decisions = Inspection(services.aws).decisions(caller.principal, actions, resources)
    for need in needs:
        decision = decisions.get((need.action, need.resource), ALLOWED)
        if decision != ALLOWED:
            yield need, decision


def _refusal(missing: Sequence[tuple[Need, str]], principal: str) -> AccessError:
    """Build the error for permissions that are missing, about the first of them."""
    (first, decision), *others = missing
    denial = Denial(first.action, first.resource, principal)
    remedy = "if a policy of the resource itself allows it, set aws.preflight = false"
    return AccessError(
        f"nothing was started: {first.step} needs {first.action} on {first.resource}, and IAM's simulation of "
        f"{principal} answers {decision}",
        hint=NextStep(*denial.hint.parts, f"; {remedy}"),
        step=first.step,
        **denial.facts,
        also="\n".join(f"{need.step}: {need.action} on {need.resource}" for need, _ in others),
    )


def _skip(ledger: Ledger, reason: str) -> None:
    """Put on record why the permissions were not checked; a run goes on without the check."""
    ledger.note("preflight.skipped", reason=reason)


def _has_succeeded(step_run: StepRun) -> bool:
    newest = step_run.last("step.finished")
    return newest is not None and newest.get("outcome") == "succeeded"


def _tables_of(step_run: StepRun) -> list[str]:
    """Return the tables that a refresh brings in line; none for another step."""
    if step_run.pipeline not in step_run.settings.pipelines:
        return []
    return list(kind_of(step_run.step).refreshed_tables(step_run))
