"""Why a remote run failed: its error, who stopped it, and the particulars of a refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from etltctl.errors import AccessError, EtltctlError, RunFailedError
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun
from etltctl.runs import Run, State

# What the services and Hadoop's S3 client say of a refused call. Spark's own wrapper hides it: then the log has it.
REFUSAL = re.compile(
    r"AccessDenied|is not authorized to perform|Insufficient Lake Formation permission|PERMISSION_ERROR"
    r"|AccessControlException|Status Code: 40[13]\b|\bHTTP 40[13]\b|\b40[13] Forbidden|InvalidAccessKeyId|ExpiredToken"
)
SPARK_WRAPPER = "Py4JJavaError"
STOPPED = frozenset({"STOPPED", "STOPPING", "cancelled"})


def stopped_by(step_run: StepRun, run: Run) -> str:
    """Return who stopped the run and why, as the ledger has it; else where to find out. Empty if it was not stopped."""
    if run.state is not State.FAILED or run.word not in STOPPED:
        return ""
    stopping = step_run.last("remote.stopping")
    if stopping is None or stopping["remote_id"] != run.id:
        return f"not by etltctl, but by {run.service} or another caller; see CloudTrail or Airbyte's log"
    reason = f": {stopping['reason']}" if stopping.get("reason") else ""
    return f"by {stopping['stopped_by']} ({stopping['who']}){reason}"


def failed(run: Run, *, hint: str, **facts: object) -> EtltctlError:
    """Build the error for a run that did not succeed: AccessError where a service refused it a call."""
    reason = f": {run.reason}" if run.reason else ""
    details = f"{run.reason}\n{facts.get('log', '')}" if SPARK_WRAPPER in run.reason else run.reason
    return failure_class(details)(
        f"{run.service} run {run.id} of {run.name} ended {run.word}{reason}", hint=hint, **facts
    )


def failure_class(reason: str) -> type[EtltctlError]:
    """Return the class of the error for a run that failed for this reason: a refusal has its own exit code."""
    return AccessError if REFUSAL.search(reason) else RunFailedError


def require_success(run: Run, *, hint: str, **facts: object) -> None:
    """Raise RunFailedError, or AccessError for a refusal, unless the run's status means success."""
    if run.state is not State.SUCCEEDED:
        raise failed(run, hint=hint, **facts)


@contextmanager
def refusals_named(step: str, services: Services) -> Iterator[None]:
    """Add the step to every refusal within the block that names none, and the principal where the service did not."""
    try:
        yield
    except AccessError as error:
        name_refusal(error, step, services)
        raise


def name_refusal(error: AccessError, step: str, services: Services) -> None:
    """Add the step to a refusal that names none, and the principal where the service named none, as S3 often does."""
    facts: dict[str, object] = {"step": step} if step else {}
    if "action" in error.facts and "principal" not in error.facts:
        with suppress(EtltctlError):  # STS answers every caller whose credentials are valid
            facts["principal"] = services.aws.identity().principal
    error.facts = {**facts, **error.facts}
