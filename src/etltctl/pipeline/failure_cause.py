"""The cause of a failure: found from what a remote run or an error says, shown with the error, kept in the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from etltctl.causes import (
    UNKNOWN,
    Confidence,
    Diagnosis,
    Failure,
    Line,
    catalogue,
    cause_and_proof,
    diagnose,
    fix_of,
)
from etltctl.causes.model import REASON
from etltctl.errors import (
    AccessError,
    AlreadyRunningError,
    BlockedError,
    BudgetError,
    Command,
    ConfigurationError,
    DetachedError,
    DrivenElsewhereError,
    EtltctlError,
    ExitCode,
    NextStep,
    OutcomeUnknownError,
    ServiceError,
    UnreachableError,
    UnverifiedError,
    WaitTimeoutError,
    bounded,
)
from etltctl.logs import LogLine
from etltctl.pipeline.interrupts import interrupt_name
from etltctl.runs import JobRun, Run
from etltctl.settings.secrets import known_secrets, without_secrets
from etltctl.settings.toml_tables import with_leaves

if TYPE_CHECKING:
    from etltctl.settings import Settings

INTERRUPTED = "M107"
# Errors of etltctl whose class says more than their words.
CERTAIN: Mapping[type[EtltctlError], str] = {
    WaitTimeoutError: "C112",
    OutcomeUnknownError: "C113",
    DrivenElsewhereError: "C111",
}
# Errors whose class decides only where the words name no cause.
LIKELY: Mapping[type[EtltctlError], str] = {
    AccessError: "E201",
    BudgetError: "C110",
    AlreadyRunningError: "C114",
    BlockedError: "C108",
    UnverifiedError: "C106",
    UnreachableError: "N103",
    ConfigurationError: "M103",
}
# A call of etltctl, as the errors of the SDK are worded: the service, the operation, then the service's words.
CALL = re.compile(r"^(?:glue|athena|s3|sts|logs|lakeformation|secretsmanager|ssm|kms|cloudformation)\b")
QUERY = re.compile(r"^(?:the )?query (?:[A-Z]+: |scanned )")
# The end of the sentence about a script's exception.
RAISED_AT = re.compile(r" at (?P<at>(?P<file>\S+\.py):(?P<line>\d{1,9}))\.$")
# The fact of a broken contract: a line for each change, which may end with the file that has it.
DIFFERENCE, IN_FILE = "difference", "  in s3://"
LONGEST_EXCERPT = 8_000
MOST_EVIDENCE = 3


def diagnosis_of_run(run: Run, log: Iterable[LogLine] = ()) -> Diagnosis:
    """Return the cause of a remote run that did not succeed.

    Args:
        run: The run in its final state.
        log: The end of its log.
    """
    ended = run.ended if isinstance(run, JobRun) else None
    at = ended.astimezone(UTC).isoformat() if ended else ""
    # Masked before long lines are shortened: a URI that is cut before its @ has no longer the shape of one.
    reason = [Line(without_secrets(run.reason), at=at)] if run.reason else []
    lines = [
        Line(without_secrets(line.text), _speaker(line), line.at.astimezone(UTC).isoformat()) for line in log
    ]
    return diagnose(Failure((*reason, *lines), run.service, run.status))


def in_own_paths(diagnosis: Diagnosis, to_user_path: Callable[[str], str]) -> Diagnosis:
    """Return the diagnosis with the user's path of a script in place of that of its copy.

    Args:
        diagnosis: The diagnosis.
        to_user_path: Replaces the path in a text.
    """
    evidence = tuple(replace(line, text=to_user_path(line.text)) for line in diagnosis.evidence)
    return replace(diagnosis, evidence=evidence, detail=to_user_path(diagnosis.detail))


def with_code(diagnosis: Diagnosis, code_at: Callable[[str, int], str]) -> Diagnosis:
    """Return the diagnosis with the line of code at which the script raised an exception, if it lacks one.

    Args:
        diagnosis: The diagnosis, in the user's own paths.
        code_at: Returns a line of a script by path and number; empty if this machine does not have it.
    """
    place = RAISED_AT.search(diagnosis.detail)
    if place is None or any(f"{place['at']}: " in line.text for line in diagnosis.evidence):
        return diagnosis
    code = code_at(place["file"], int(place["line"]))
    if not code:
        return diagnosis
    frame = f'File "{place["file"]}", line {place["line"]}'
    others = [line for line in diagnosis.evidence if not line.text.startswith(frame)]
    shown = Line(f"{place['at']}: {code}", "script")
    return replace(diagnosis, evidence=(*others[:1], shown, *others[1:])[:MOST_EVIDENCE])


def _speaker(line: LogLine) -> str:
    """Return which process wrote a line: the driver, or an executor by its number."""
    return f"executor-{line.executor}" if line.executor else "driver"


def diagnosis_of(error: EtltctlError) -> Diagnosis:
    """Return the cause of an error that no remote run explains."""
    line = Line(error.message, "etltctl")
    if certain := next((code for kind, code in CERTAIN.items() if isinstance(error, kind)), ""):
        return Diagnosis(catalogue()[certain], Confidence.HIGH, (line,))
    code = error.code if isinstance(error, ServiceError) else ""
    service = "AWS" if CALL.match(error.message) else "Athena" if QUERY.match(error.message) else ""
    # An error of several tables has the words of each among its facts, and one of settings among its problems.
    words = [str(fact) for fact in error.facts.values() if isinstance(fact, NextStep)]
    words += error.problems if isinstance(error, ConfigurationError) else ()
    each = [Line(text, REASON) for text in words]
    diagnosis = diagnose(Failure((Line(error.message, REASON), *each), service, code=code))
    diagnosis = replace(diagnosis, evidence=(*diagnosis.evidence, *_changes(error)))
    likely = next((code for kind, code in LIKELY.items() if isinstance(error, kind)), "")
    if diagnosis.cause == UNKNOWN and likely:
        return Diagnosis(catalogue()[likely], Confidence.MEDIUM, (line,))
    return diagnosis


def _changes(error: EtltctlError) -> Iterator[Line]:
    """Yield the first changes of columns that broke a contract, without the files that have them."""
    changes = str(error.facts.get(DIFFERENCE, "")).splitlines()
    yield from (Line(change.partition(IN_FILE)[0], "contract") for change in changes[:MOST_EVIDENCE])


def hide_secrets(error: BaseException, settings: Settings) -> None:
    """Put stars in place of the secrets in an error and in what the ledger keeps of it.

    A driver may quote its whole connection URI, and so may the log of a job.

    Args:
        error: The error.
        settings: The settings, which say which values are secrets.
    """
    if not isinstance(error, EtltctlError):
        return
    secrets = known_secrets(settings)
    error.message = without_secrets(error.message, secrets)
    error.args = (error.message,)
    error.facts = _masked(error.facts, secrets)
    error.record = _masked(error.record, secrets)
    if isinstance(error, ConfigurationError):
        error.problems = tuple(without_secrets(problem, secrets) for problem in error.problems)


def _masked(value: Any, secrets: Sequence[str]) -> Any:
    """Return nested facts with stars in place of the secrets in their texts."""

    def masked(_: object, each: Any) -> Any:
        return without_secrets(each, secrets) if isinstance(each, str) else each

    return with_leaves(value, masked)


def name_cause(error: EtltctlError, *, step: str, run_id: str, again: Command | None = None) -> None:
    """Add the cause and the proof to an error, so that the first lines of its output are cause, proof and next step.

    Args:
        error: The error. One whose cause was named before stays as it is.
        step: The step, `kind:name`.
        run_id: The run's id.
        again: The command that does the work again; None for the retry of the run, which has steps.
    """
    if error.is_named or isinstance(error, DetachedError):
        return
    error.is_named = True
    is_of_run = bool(error.record)
    if not is_of_run:
        error.record = record_of(diagnosis_of(error), table=_table_of(error))
    cause = catalogue()[str(error.record["cause"])]
    # The class of a service's error says nothing of its cause; that of any other error has its own exit code.
    if error.exit_code is ExitCode.FAILED and cause.exit_code is not ExitCode.INTERRUPTED:
        error.exit_code = cause.exit_code
    if is_of_run:
        error.facts = {**cause_and_proof(error.record), **error.facts}
    elif cause != UNKNOWN:
        # The message of such an error is the proof.
        error.facts = {"cause": f"{cause.code} {cause.title}", **error.facts}
    if cause != UNKNOWN and (is_of_run or not error.next_step.parts):
        fix = fix_of(cause, step, run_id, then_retry=is_of_run, again=again)
        # The error's own next step says what became of the data, and ends with the retry.
        error.next_step = NextStep(*_safety(error.next_step), *fix.parts)


@contextmanager
def cause_named(settings: Settings, words: Sequence[str]) -> Iterator[None]:
    """Name the cause of an error in the block, which is about a command without a run on record.

    Args:
        settings: The settings, which say which values are secrets.
        words: The words of the command, which do its work again.
    """
    try:
        yield
    except EtltctlError as error:
        hide_secrets(error, settings)
        again = Command(tuple(words))
        error.name_retry(again)
        name_cause(error, step="", run_id="", again=again)
        raise


def _table_of(error: EtltctlError) -> str:
    """Return the table, `layer.table`, whose data is not what it should be; empty if the error is about no table."""
    # Not of other errors: a refusal of Glue names a table of the catalog, `database.table`.
    return str(error.facts.get("table", "")) if isinstance(error, UnverifiedError) else ""


def _safety(step: NextStep) -> tuple[str, ...]:
    """Return the clause of a next step that says what became of the data."""
    first = step.parts[0] if step.parts else ""
    clause, is_parted, _ = str(first).partition("; ")
    return (f"{clause}; ",) if is_parted else ()


def record_of(
    diagnosis: Diagnosis, *, stopped: object = None, excerpt: str = "", table: str = ""
) -> dict[str, Any]:
    """Return what the ledger keeps of a failure, so that it can be explained later without a network.

    Args:
        diagnosis: The cause.
        stopped: Who stopped the remote run.
        excerpt: The lines of the log that say something.
        table: The table whose data is not what it should be; empty for none.
    """
    kept = {
        "cause": diagnosis.cause.code,
        "confidence": str(diagnosis.confidence),
        "explanation": diagnosis.sentence,
        "evidence": [asdict(line) for line in diagnosis.evidence],
        "stopped": stopped,
        "table": table,
        "excerpt": bounded(excerpt, LONGEST_EXCERPT).splitlines(),
    }
    return {name: value for name, value in kept.items() if value not in (None, "", [])}


def recorded_cause(error: BaseException) -> dict[str, Any]:
    """Return the facts of a failed step's last event that say why it failed."""
    if isinstance(error, EtltctlError):
        return dict(error.record)
    if isinstance(error, Exception):
        return {}
    line = Line(interrupt_name(error), "etltctl")
    return record_of(Diagnosis(catalogue()[INTERRUPTED], Confidence.HIGH, (line,)))


def error_facts(error: BaseException) -> dict[str, Any]:
    """Return the facts of a failed run's last event: the error, and why it came."""
    message = error.message if isinstance(error, EtltctlError) else interrupt_name(error)
    if isinstance(error, DetachedError):
        return {}
    return {"error": message, **recorded_cause(error)}
