"""The top of the page: why the run failed, as `etltctl why` says it, then its errors and warnings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from etltctl.causes import UNKNOWN, Cause, Diagnosis, Line
from etltctl.errors import Command, NextStep, command
from etltctl.explanation import Ender, Explanation, code_text, cost_line, data_safety, place_of
from etltctl.reports.facts import RunFacts
from etltctl.reports.html import Markup, element, joined, shortened
from etltctl.reports.tables import Section, Spell, moment_or_text, table
from etltctl.runs import Outcome
from etltctl.tabulating import capitalized

MOST_ERRORS, MOST_WARNINGS, LONGEST_WARNING = 10, 50, 1000
REBUILT = (
    "The events of this run were lost. They were made again from what Glue, Airbyte and the catalog remember: the ends "
    "of steps, the counts of jobs and checks are missing."
)
CODE = re.compile("`([^`]*)`")
MOST_LINES, LONGEST_LINE = 20, 1000  # of the proof
GOING_ON = frozenset({Outcome.UNFINISHED, Outcome.DETACHED})


def troubles(run: RunFacts, explanation: Explanation | None, spell: Spell) -> list[Section]:
    """Return the section on why the run failed: cause, errors, warnings and next commands; none if all went well.

    Args:
        run: The run.
        explanation: What `etltctl why` knows of the run; None of a run that succeeded.
        spell: Spells a command.
    """
    diagnosis = explanation.diagnosis if explanation else None
    heading, parts = "What needs attention", list[Markup]()
    if explanation and diagnosis:
        heading = f"Why it {_verb(explanation.outcome)} {place_of(explanation)}".rstrip()
        parts += _explained(explanation, diagnosis, spell)
    parts += _errors(run)
    if diagnosis is None or run.summary.outcome in GOING_ON:
        parts += _next_commands(run, spell)
    if run.is_rebuilt:
        parts.append(element("p", REBUILT, class_="odd"))
    if run.gaps:
        parts.append(element("p", _gap_text(run.gaps), class_="odd"))
    parts += _warnings(run.warnings)
    return [("why", heading, element("div", parts, class_="trouble"))] if parts else []


def _explained(explanation: Explanation, diagnosis: Diagnosis, spell: Spell) -> Iterator[Markup]:
    cause = diagnosis.cause
    title = "unknown cause" if cause == UNKNOWN else cause.title
    code = element("span", cause.code, class_="code")
    sure = element("span", f"confidence: {diagnosis.confidence}", class_="soft")
    yield element("p", code, " ", element("strong", title), " ", sure, class_="cause")
    yield element("p", diagnosis.sentence)
    yield _proof(diagnosis.evidence)
    is_stopped = explanation.ended_by is Ender.CALLER
    yield element("p", _sentence(f"{'' if is_stopped else 'ended by '}{explanation.stopped_by}"))
    yield from _data(*data_safety(explanation))
    yield element("p", cost_line(explanation))
    for sentence in explanation.comparison:
        yield element("p", _sentence(sentence))
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


def _data(sentence: str, details: Sequence[str]) -> Iterator[Markup]:
    """Yield whether the data is safe, and the details below it."""
    yield element("p", element("strong", sentence))
    if details:
        yield element("ul", (element("li", _sentence(detail)) for detail in details))


def _steps(explanation: Explanation, spell: Spell) -> Iterator[Markup]:
    yield element("p", "What to do next, the safest first:")
    yield element("ol", (element("li", _spelled(step, spell)) for step in explanation.next_steps))
    if explanation.settings:
        yield element(
            "p", "Settings to check in etltctl.toml: ", element("code", ", ".join(explanation.settings))
        )


def _spelled(step: NextStep, spell: Spell) -> Markup:
    """Return a next step whose commands stand out from its words, so that they can be copied."""
    parts = [
        f"`{spell(part)}`" if isinstance(part, Command) else spell(NextStep(part)) for part in step.parts
    ]
    # The catalogue writes the commands within a fix between backticks, too.
    pieces = CODE.split("".join(parts).replace("``", "`"))
    return joined(element("code", piece) if number % 2 else piece for number, piece in enumerate(pieces))


def _sentence(text: str) -> str:
    """Return the text as a sentence."""
    return f"{capitalized(text)}{'' if text.endswith('.') else '.'}"


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
