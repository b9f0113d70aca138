"""The top of the page: why the run failed, as `etltctl why` says it, then its errors and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etltctl.causes import UNKNOWN, Cause, Line
from etltctl.errors import NextStep, command
from etltctl.explanation import Explanation, code_text, cost_line, data_lines
from etltctl.reports.facts import RunFacts
from etltctl.reports.html import Markup, element, shortened
from etltctl.reports.tables import Spell, moment_or_text, table
from etltctl.runs import Outcome

MOST_ERRORS, MOST_WARNINGS, LONGEST_WARNING = 10, 50, 1000
MOST_LINES, LONGEST_LINE = 20, 1000  # of the proof
GOING_ON = frozenset({Outcome.UNFINISHED, Outcome.DETACHED})


def troubles(run: RunFacts, explanation: Explanation | None, spell: Spell) -> Markup:
    """Return why the run failed, its errors, its warnings and the next commands; empty if all went well.

    Args:
        run: The run.
        explanation: What `etltctl why` knows of it; None of a run that succeeded.
        spell: Spells a command.
    """
    is_explained = explanation is not None and explanation.diagnosis is not None
    parts = list(_explained(explanation, spell)) if explanation is not None and is_explained else []
    about = len(parts)
    parts += _errors(run)
    if not is_explained or run.summary.outcome in GOING_ON:
        parts += _next_commands(run, spell)
    if run.gaps:
        parts.append(element("p", _gap_text(run.gaps), class_="odd"))
    parts += _warnings(run.warnings)
    heading = [] if about or not parts else [element("h2", "What needs attention", id="why")]
    return (
        element("section", heading, parts, aria_labelledby="why", class_="trouble") if parts else Markup("")
    )


def _explained(explanation: Explanation, spell: Spell) -> Iterator[Markup]:
    diagnosis = explanation.diagnosis
    assert diagnosis is not None
    cause = diagnosis.cause
    title = "unknown cause" if cause == UNKNOWN else cause.title
    where = f" at {explanation.step}" if explanation.step else " before its first step"
    yield element("h2", f"Why it {_verb(explanation.outcome)}{where}", id="why")
    code = element("span", cause.code, class_="code")
    sure = element("span", f"confidence: {diagnosis.confidence}", class_="soft")
    yield element("p", code, " ", element("strong", title), " ", sure, class_="cause")
    yield element("p", diagnosis.sentence)
    yield _proof(diagnosis.evidence)
    yield element("p", f"Ended by {explanation.stopped_by}.")
    yield from _data(list(data_lines(explanation)))
    yield element("p", cost_line(explanation))
    for sentence in explanation.comparison:
        yield element("p", f"{sentence[0].upper()}{sentence[1:]}.")
    for note in explanation.notes:
        yield element("p", f"Note: {note}.", class_="odd")
    yield from _steps(explanation, spell)
    yield _meaning(cause, spell)


def _proof(evidence: Sequence[Line]) -> Markup:
    # Bounded: a damaged record may hold any number of lines, and the page has a limit.
    lines = evidence[:MOST_LINES] or (Line("the record has no line that shows the cause", "record"),)
    rows = [(one.source, moment_or_text(one.at), shortened(one.text, LONGEST_LINE)) for one in lines]
    return table("Proof", ("source", "time", "line"), rows)


def _verb(outcome: str) -> str:
    """Return how the run ended, as the verb of a heading; a run without an end has failed at a step."""
    verbs = {str(Outcome.INTERRUPTED): "was interrupted", str(Outcome.UNVERIFIED): "is unverified"}
    return verbs.get(outcome, "failed")


def _data(lines: Sequence[str]) -> Iterator[Markup]:
    """Yield whether the data is safe; lines that begin with a space belong to the sentence before them."""
    yield from (element("p", element("strong", line)) for line in lines if not line.startswith(" "))
    if more := [line.strip() for line in lines if line.startswith(" ")]:
        yield element("ul", (element("li", f"{line[0].upper()}{line[1:]}") for line in more))


def _steps(explanation: Explanation, spell: Spell) -> Iterator[Markup]:
    yield element("p", "What to do next, the safest first:")
    yield element("ol", (element("li", element("code", spell(step))) for step in explanation.next_steps))
    if explanation.settings:
        yield element("p", "To change: ", element("code", ", ".join(explanation.settings)))


def _meaning(cause: Cause, spell: Spell) -> Markup:
    """Return what the code means, which `why --code` prints: a page that loads nothing cannot link to it."""
    ask = element("code", spell(NextStep(command("why", "--code", cause.code))))
    summary = element("summary", f"What {cause.code} means: ", ask)
    return element("details", summary, element("pre", code_text(cause, spell)))


def _errors(run: RunFacts) -> Iterator[Markup]:
    failed = [step for step in run.steps if step.error]
    for step in failed[:MOST_ERRORS]:
        yield element("h3", f"The error of {step.step} ({step.outcome})")
        yield element("div", step.error, class_="error")
    if len(failed) > MOST_ERRORS:
        yield element("p", f"The errors of {len(failed) - MOST_ERRORS:,} more steps are left out.")
    if run.error:
        yield element("h3", "The error of the run, outside its steps")
        yield element("div", run.error, class_="error")


def _next_commands(run: RunFacts, spell: Spell) -> Iterator[Markup]:
    name = run.summary.run_id
    if run.summary.outcome in GOING_ON:
        watch = element("code", spell(command("runs", "watch", name)))
        yield element("p", "The page shows the run as of its last event. ", watch, " follows it.")
    elif run.summary.outcome != Outcome.SUCCEEDED:
        why, retry = (element("code", spell(command(word, name))) for word in ("why", "retry"))
        yield element("p", "Next: ", why, " explains what happened; ", retry, " resumes it.")


def _gap_text(gaps: int) -> str:
    return (
        "1 event of this run is missing from its record, so this page may lack something too."
        if gaps == 1
        else f"{gaps:,} events of this run are missing from its record, so this page may lack something too."
    )


def _warnings(warnings: Sequence[str]) -> Iterator[Markup]:
    if not warnings:
        return
    yield element("h3", "Warnings")
    yield element(
        "ul", (element("li", shortened(text, LONGEST_WARNING)) for text in warnings[:MOST_WARNINGS])
    )
    if (more := len(warnings) - MOST_WARNINGS) > 0:
        yield element("p", f"{more:,} more warnings are left out.", class_="soft")
