"""Failures: the error of a remote run, who stopped it, the particulars of a refusal, and the report of a failed run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from etltctl.causes import UNKNOWN, catalogue
from etltctl.errors import (
    AccessError,
    AlreadyRunningError,
    BlockedError,
    BudgetError,
    Command,
    ConfigurationError,
    EtltctlError,
    ExitCode,
    Hint,
    RunFailedError,
    UnverifiedError,
    command,
)
from etltctl.ledger import Event, read_events
from etltctl.logs import LogTail
from etltctl.pipeline.failure_cause import diagnosis_of_run, in_own_paths, record_of, with_code
from etltctl.pipeline.run_ids import RunId
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun
from etltctl.runs import Run, State

if TYPE_CHECKING:
    from etltctl.settings import Settings

# What the services and Hadoop's S3 client say of a refused call. Spark's own wrapper hides it: then the log has it.
REFUSAL = re.compile(
    r"AccessDenied|is not authorized to perform|Insufficient Lake Formation permission|PERMISSION_ERROR"
    r"|AccessControlException|Status Code: 40[13]\b|\bHTTP 40[13]\b|\b40[13] Forbidden|InvalidAccessKeyId|ExpiredToken"
)
SPARK_WRAPPER = "Py4JJavaError"
# The error of each exit code that the cause of a failed remote run may have. The pages of the causes print these codes.
CLASSES: Mapping[ExitCode, type[EtltctlError]] = {
    ExitCode.FAILED: RunFailedError,
    ExitCode.ACCESS: AccessError,
    ExitCode.BLOCKED: BlockedError,
    ExitCode.UNVERIFIED: UnverifiedError,
    ExitCode.BUDGET: BudgetError,
    ExitCode.ALREADY_RUNNING: AlreadyRunningError,
    ExitCode.CONFIGURATION: ConfigurationError,
}


def stopped_by(step_run: StepRun, run: Run) -> str:
    """Return who stopped the run and why, as the ledger has it; else where to find out. Empty if it was not stopped."""
    if not run.was_stopped:
        return ""
    stopping = step_run.last("remote.stopping")
    if stopping is None or stopping["remote_id"] != run.id:
        return f"not by etltctl, but by {run.service} or another caller; see {run.stop_log}"
    reason = f": {stopping['reason']}" if stopping.get("reason") else ""
    return f"by {stopping['stopped_by']} ({stopping['who']}){reason}"


def failed(
    run: Run,
    *,
    hint: Hint,
    log: LogTail | None = None,
    to_user_path: Callable[[str], str] = str,
    code_at: Callable[[str, int], str] = lambda _path, _line: "",
    **facts: object,
) -> EtltctlError:
    """Build the error for a run that did not succeed, with its cause; the cause decides the exit code.

    Args:
        run: The run in its final state.
        hint: What to do next.
        log: The end of its log; None if it has none.
        to_user_path: Puts the user's path of a script in place of that of its copy.
        code_at: Returns a line of a script by its path and number; empty if this machine does not have it.
        facts: The particulars.
    """
    reason = f": {to_user_path(run.reason)}" if run.reason else ""
    telling = to_user_path("\n".join(log.telling())) if log else ""
    diagnosis = in_own_paths(diagnosis_of_run(run, log.lines if log else ()), to_user_path)
    diagnosis = with_code(diagnosis, code_at)
    details = f"{run.reason}\n{telling}" if SPARK_WRAPPER in run.reason else run.reason
    error = failure_class(details, diagnosis.cause.code)(
        f"{run.service} run {run.id} of {run.name} ended {run.status}{reason}",
        hint=hint,
        **facts,
        log=telling,
    )
    error.record = record_of(diagnosis, stopped=facts.get("stopped"), excerpt=telling)
    return error


def failure_class(reason: str, code: str = "") -> type[EtltctlError]:
    """Return the class of the error for a run that failed for this reason, which decides the exit code.

    Args:
        reason: The service's words.
        code: The code of the cause; empty if it is not known.
    """
    exit_code = catalogue().get(code, UNKNOWN).exit_code
    if REFUSAL.search(reason):
        return AccessError
    # Exit code 130 belongs to the command that was interrupted, not to one that reads of it later.
    return CLASSES.get(exit_code, RunFailedError)


def require_success(
    run: Run,
    *,
    hint: Hint,
    log: LogTail | None = None,
    to_user_path: Callable[[str], str] = str,
    code_at: Callable[[str, int], str] = lambda _path, _line: "",
    **facts: object,
) -> None:
    """Raise the error of a run that did not succeed, such as RunFailedError, unless its status means success."""
    if run.state is not State.SUCCEEDED:
        raise failed(run, hint=hint, log=log, to_user_path=to_user_path, code_at=code_at, **facts)


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


def describe_failure(
    error: BaseException | str,
    run_id: str,
    settings: Settings | None = None,
    spell: Callable[[Command], str] = str,
) -> str:
    """Return what happened, its particulars, the state of each step of the run, and the next commands.

    It never raises. If the run's events cannot be read, it reports the rest.

    Args:
        error: The error, or a sentence.
        run_id: The run's id.
        settings: The settings; None loads them.
        spell: Spells a command as the front door prints it, with the flags that lead to the run's environment.
    """
    run_id = RunId(run_id).safe
    lines = [f"run {run_id} failed: {_message(error)}"]
    cause = _etltctl_error(error)
    if cause is not None:
        lines += [f"  {name}: {_indented(value)}" for name, value in cause.facts.items()]
        lines += [f"  next: {cause.hint}"] if cause.hint else []
    with suppress(EtltctlError):
        lines += _step_lines(_events(run_id, settings))
    lines += [
        f"  events: {spell(command('runs', 'show', run_id))}",
        f"  logs: {spell(command('runs', 'logs', run_id))}",
        f"  resume it: clear the task, or {spell(command('retry', run_id))}",
    ]
    return "\n".join(lines)


def _step_lines(events: list[Event]) -> list[str]:
    """Return a line for each step: how it ended last, and its remote run."""
    remote_ids = {event["step"]: event["remote_id"] for event in events if "remote_id" in event}
    outcomes = {e["step"]: e.get("outcome", "") for e in events if e["type"] == "step.finished"}
    return [f"  {step}: {outcome} {remote_ids.get(step, '')}".rstrip() for step, outcome in outcomes.items()]


def _events(run_id: str, settings: Settings | None) -> list[Event]:
    from etltctl.settings import load_settings

    return read_events(Services(settings or load_settings()).store, run_id)


def _etltctl_error(error: BaseException | str | None) -> EtltctlError | None:
    """Return the first error of etltctl in the chain of causes; None if there is none."""
    while isinstance(error, BaseException):
        if isinstance(error, EtltctlError):
            return error
        error = error.__cause__
    return None


def _message(error: BaseException | str) -> str:
    cause = _etltctl_error(error)
    if cause is not None:
        return cause.message
    return f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error


def _indented(value: object) -> str:
    return "\n    ".join(["", *str(value).splitlines()]) if "\n" in str(value) else str(value)
