"""An explanation for a person, and as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from etltctl.causes import UNKNOWN, Line, Retry
from etltctl.errors import NextStep
from etltctl.explanation.model import Ender, Explanation, TableState
from etltctl.moments import duration_text
from etltctl.tabulating import capitalized, local_time, money_text

SCHEMA = "etltctl.why/1"
ADVICE = {
    Retry.NO: "a plain retry would very likely fail the same way",
    Retry.YES: "a plain retry can help",
    Retry.AFTER_FIX: "a plain retry helps only after the fix",
}
MOST_TABLES = 6  # in one sentence
MOST_ROWS = 3  # of a check; the record has five
LONGEST_ROW = 160
LONGEST_ERROR = 300
LEAST_QUOTED = 40  # characters by which a line of evidence, which may be shortened, is the error's own
HEALTHY = {
    "succeeded": "succeeded: there is nothing to explain",
    "detached": "goes on: a person detached from it, and its remote run continues",
    "unfinished": "has no end on record: it is still running, or its process died",
}


def document(explanation: Explanation, spell: Callable[[NextStep], str] = str) -> dict[str, Any]:
    """Return the explanation as data.

    Args:
        explanation: The explanation.
        spell: Spells a next step, with the flags that lead to the run's environment.
    """
    facts = asdict(explanation) | {"next_steps": [spell(step) for step in explanation.next_steps]}
    # The notes say what is lost, and `stopped_by` who ended the run.
    del facts["diagnosis"], facts["settings"], facts["has_gaps"], facts["ended_by"]
    diagnosis = explanation.diagnosis
    cause = None
    if diagnosis is not None:
        cause = {
            "code": diagnosis.cause.code,
            "title": diagnosis.cause.title,
            "sentence": diagnosis.sentence,
            "confidence": str(diagnosis.confidence),
            "retry": str(diagnosis.cause.retry),
            "settings": list(explanation.settings),
            "exit_code": int(diagnosis.cause.exit_code),
            "evidence": [asdict(line) for line in diagnosis.evidence],
        }
    return {"schema": SCHEMA, **facts, "cause": cause}


def text_of(
    explanation: Explanation, spell: Callable[[NextStep], str] = str, now: datetime | None = None
) -> str:
    """Return the explanation for a person.

    Args:
        explanation: The explanation.
        spell: Spells a next step, with the flags that lead to the run's environment.
        now: The present time; that of the clock if it is None.
    """
    return "\n".join(_lines(explanation, spell, now or datetime.now(UTC)))


def _lines(explanation: Explanation, spell: Callable[[NextStep], str], now: datetime) -> Iterator[str]:
    yield _head(explanation, now)
    if explanation.diagnosis is not None:
        yield ""
        yield from _cause_lines(explanation)
        yield ""
        sentence, details = data_safety(explanation)
        yield sentence
        yield from (f"  {detail}" for detail in details)
        yield cost_line(explanation)
        yield from (f"{capitalized(sentence)}." for sentence in explanation.comparison)
    yield from (f"Note: {note}." for note in explanation.notes)
    yield ""
    yield "Next (safe):"
    yield from (f"  {spell(step)}" for step in explanation.next_steps)
    if explanation.settings:
        yield f"Settings to check in etltctl.toml: {', '.join(explanation.settings)}"


def _head(explanation: Explanation, now: datetime) -> str:
    run = f"Run {explanation.run_id}  {explanation.env}"
    if explanation.diagnosis is None:
        return f"{run}  {HEALTHY.get(explanation.outcome, explanation.outcome)}."
    ago = max((now - datetime.fromisoformat(explanation.failed_at)).total_seconds(), 0.0)
    after = f", {duration_text(explanation.seconds)} in" if explanation.seconds else ""
    outcome = explanation.outcome if explanation.outcome not in ("unfinished", "succeeded") else "failed"
    how = " ".join(filter(None, (outcome.upper(), place_of(explanation))))
    if explanation.recovered_at:
        how = f"SUCCEEDED at {local_time(explanation.recovered_at)}. An earlier try {how}"
    return f"{run}  {how}  ({duration_text(ago)} ago{after})"


def _is_own_error(explanation: Explanation) -> bool:
    """Return whether the error is etltctl's own, and the evidence nothing but its words."""
    diagnosis = explanation.diagnosis
    lines = diagnosis.evidence if diagnosis else ()
    is_quoted = all(line.text[:LEAST_QUOTED] in explanation.error for line in lines)
    return bool(explanation.error) and is_quoted and explanation.ended_by is Ender.ETLTCTL


def place_of(explanation: Explanation) -> str:
    """Return where a run failed: at a step, before its first step, or in a command that has no steps.

    Args:
        explanation: The explanation of the run.

    Returns:
        Words for the end of a sentence, such as `(rollback gold.day)`; empty if nothing is on record.
    """
    if explanation.step:
        return f"at {explanation.step}"
    if explanation.steps:
        return "before its first step"
    words = " ".join(explanation.command) or explanation.pipeline
    return f"({words})" if words else ""


def _cause_lines(explanation: Explanation) -> Iterator[str]:
    diagnosis = explanation.diagnosis
    assert diagnosis is not None
    if diagnosis.cause == UNKNOWN and _is_own_error(explanation):
        # The words of etltctl's error are all that there is to know: no service and no log said anything.
        yield f"Error   {' '.join(explanation.error.split())[:LONGEST_ERROR]}"
        yield f"Ended by  {explanation.stopped_by}"
        return
    title = diagnosis.cause.title if diagnosis.cause != UNKNOWN else "unknown"
    yield f"Cause   {diagnosis.cause.code}  {title}     confidence: {diagnosis.confidence}"
    yield f"        {diagnosis.sentence}"
    evidence = diagnosis.evidence or (Line("the record has no line that shows the cause", "record"),)
    width = max(len(line.source) for line in evidence)
    for number, line in enumerate(evidence):
        yield f"{'Proof' if number == 0 else '':<8}{_clock(line.at)}{line.source:<{width}}  {line.text}"
    yield from _broken_lines(explanation)
    if explanation.error and diagnosis.cause == UNKNOWN:
        yield f"Error   {' '.join(explanation.error.split())[:LONGEST_ERROR]}"
    yield f"Ended by  {explanation.stopped_by}"


def _broken_lines(explanation: Explanation) -> Iterator[str]:
    """Yield each check that stopped the publish, with rows that break it: they say most of what is wrong."""
    for check in explanation.broken:
        count = f": {check.count:,} {'row' if check.count == 1 else 'rows'}" if check.count else ""
        yield f"Check   {check.table}  {check.rule}{count}"
        for row in check.rows[:MOST_ROWS]:
            facts = ", ".join(f"{name}={value}" for name, value in row.items())
            yield f"          {facts if len(facts) <= LONGEST_ROW else facts[:LONGEST_ROW] + '…'}"
        if len(check.rows) > MOST_ROWS or check.count > MOST_ROWS:
            yield "          …"


def _clock(at: str) -> str:
    try:
        return f"{datetime.fromisoformat(at).astimezone():%H:%M:%S} " if at else ""
    except ValueError:
        return ""


def data_safety(explanation: Explanation) -> tuple[str, list[str]]:
    """Return whether the data is safe, and the details: which version readers see since when.

    Args:
        explanation: The explanation of a run that failed.
    """
    assert explanation.diagnosis is not None
    details: list[str] = []
    if explanation.recovered_at:
        done = f"published {_names(explanation.published)}" if explanation.published else "succeeded"
        sentence = f"Your data is up to date: the run has {done} since."
    elif explanation.diagnosis.cause.is_data_changed:
        sentence = f"Your data may not be as it was published. {explanation.diagnosis.cause.data}"
    elif explanation.cleared:
        sentence = (
            f"Bronze of {explanation.cleared} was cleared for this full sync: it holds no rows of the source, or only "
            "those of this run. Silver and gold are as they were."
        )
    elif explanation.has_gaps:
        sentence = (
            "No published version was overwritten. "
            "The record is incomplete: the run may have published more tables."
        )
        if explanation.published:
            details.append(f"on record is the publish of {_names(explanation.published)}")
    elif explanation.may_be_half_published:
        sentence = "Your data is safe: no published version was overwritten."
        half = (
            "The step may have been cut off while it published its tables; the retry completes the publish."
        )
        details.append(half)
    else:
        sentence = _published_line(explanation)
    if explanation.steps and not explanation.tables:
        details.append("no publish of a table of this run is on record here")
    return sentence, [*details, *_versions(explanation.tables)]


def _versions(states: Sequence[TableState]) -> Iterator[str]:
    """Yield which version of the tables readers see, the newest first."""
    versions: dict[tuple[str, str], list[TableState]] = {}
    for table in states:
        versions.setdefault((table.run_id, table.since[:16]), []).append(table)
    for (run_id, _), tables in sorted(versions.items(), key=lambda item: item[1][0].since, reverse=True):
        names = _names([table.table for table in tables])
        since = local_time(max(table.since for table in tables))
        yield f"readers see the version of {run_id} (since {since}) of {names}"


def _published_line(explanation: Explanation) -> str:
    done = f"this run had published {_names(explanation.published)}" if explanation.published else ""
    return (
        f"Your data is safe: {done or 'nothing of this run was published'}, and nothing was half published."
    )


def _names(tables: tuple[str, ...] | list[str]) -> str:
    distinct = list(dict.fromkeys(tables))
    more = f" and {len(distinct) - MOST_TABLES} more" if len(distinct) > MOST_TABLES else ""
    return ", ".join(distinct[:MOST_TABLES]) + more


def cost_line(explanation: Explanation) -> str:
    """Return what the run cost, and whether a retry can help."""
    assert explanation.diagnosis is not None
    if explanation.recovered_at:
        return f"Spent {money_text(explanation.spent_usd)}. The run needs no retry."
    advice = ADVICE[explanation.diagnosis.cause.retry]
    price = f", and cost about {money_text(explanation.retry_usd)} (est.)" if explanation.retry_usd else ""
    return f"Spent {money_text(explanation.spent_usd)}. {capitalized(advice)}{price}."
