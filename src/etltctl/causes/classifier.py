"""The classifier: which cause of the catalogue explains a failure best.

The service's own codes and statuses count first, then its words, then the log. A root cause outranks its consequences,
and an error outranks a warning. Within one error its leading code, or the class of its exception, outranks its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from etltctl.causes.catalogue import UNKNOWN, catalogue
from etltctl.causes.entries import Entry, entries_of
from etltctl.causes.matches import SCRIPT_EXCEPTION, Match, matches_of
from etltctl.causes.model import Confidence, Diagnosis, Failure, Line
from etltctl.causes.script_exceptions import names_exception

LEAST = 24.0  # below it nothing is concluded: a note in a log alone never reaches it
DEFINITE = 30.0  # from it on the words of the service are believed before the log
HIGH = 60.0
# With a definite word of the service, the log has the cause only if that word is a symptom.
LOG_BELOW_REASON = 0.45
SYMPTOM_BELOW_ROOT = 0.7  # of a symptom in the log, if something names a root cause
LONGEST_EVIDENCE = 300
MOST_EVIDENCE = 3
# Consequences of any cause: they show that something failed, and nothing of why.
CONSEQUENCE = re.compile(
    r"Job aborted|exit (?:code|status)[: ]+1\b|failed \d+ times|SparkContext (?:was|is) shut|Command failed"
    r"|An error occurred while calling|Error running|Shutdown hook|Bootstrapping failed|Job failed\b",
    re.I,
)
ERROR_LIKE = re.compile(r"\b(?:ERROR|FATAL|CRITICAL)\b|(?:Error|Exception)\b|Caused by|[Ff]ail")
SERVICE_NAMES = {
    "glue": "Glue",
    "airbyte": "Airbyte",
    "athena": "Athena",
    "aws": "AWS",
    "s3": "AWS",
    "sts": "AWS",
}
# What only one service says, for a failure whose service is not known.
SIGNS = (
    (
        "Athena",
        re.compile(
            r"\b(?:HIVE|ICEBERG)_[A-Z_]+|\b(?:TABLE|COLUMN|SCHEMA|FUNCTION)_NOT_FOUND|TYPE_MISMATCH|\bAthena\b"
            r"|\bINVALID_(?:TABLE_|COLUMN_)?PROPERTY\b|\bNOT_SUPPORTED: |\bSYNTAX_ERROR: line"
            r"|\bquery (?:FAILED|CANCELLED)|exhausted resources at this scale factor"
        ),
    ),
    ("Airbyte", re.compile(r"\bAirbyte\b|\bconnector\b|source-\w+|io\.airbyte|\bsync \d")),
    ("Glue", re.compile(r"\bGlue\b|\bspark\b|executor|py4j|awsglue|TaskSetManager", re.I)),
)


def diagnose(failure: Failure) -> Diagnosis:
    """Return the cause of a failure, with the evidence for it.

    Args:
        failure: What is known of the failure. At most the last part of a long log is searched.
    """
    entries = entries_of(failure.lines)
    service = service_of(failure.service, failure.lines)
    is_own = not failure.service or service in ("", "AWS")
    has_script = service == "Glue" or not (failure.service or service)
    of_texts = [matches_of(entry, service, is_own=is_own, has_script=has_script) for entry in entries]
    matches = [*_of_fields(failure, service), *(match for named in of_texts for match in named)]
    has_exception = any(entry.is_reason and names_exception(entry.text) for entry in entries)
    ranked = sorted(
        _below_reason(matches, has_exception=has_exception),
        key=lambda match: (match.score, match.is_reason),
        reverse=True,
    )
    if not ranked or ranked[0].score < LEAST:
        return Diagnosis(UNKNOWN, Confidence.LOW, tuple(_best_lines(entries)))
    best = ranked[0]
    evidence = _evidence(ranked, entries)
    return Diagnosis(best.cause, _confidence(ranked), evidence, best.detail)


def service_of(name: str, lines: Iterable[Line]) -> str:
    """Return the service as the catalogue names it; of a failure without one, the service whose words it has."""
    known = SERVICE_NAMES.get(name.lower(), "")
    if known or name:
        return known
    text = "\n".join(line.text[:2000] for line, _ in zip(lines, range(50), strict=False))
    return next((service for service, sign in SIGNS if sign.search(text)), "")


def _of_fields(failure: Failure, service: str) -> Iterator[Match]:
    """Yield what the service's own code and status mean."""
    for cause in catalogue().values():
        is_code = bool(failure.code) and failure.code in cause.codes
        is_status = f"{service} {failure.status}" in cause.statuses
        services = cause.rules[0].services if cause.rules else frozenset({service})
        if is_status:
            line = Line(f"{service} ended the run as {failure.status}", "status")
            yield Match(cause, cause.status_rank, line, is_reason=True)
        elif is_code and (service in services or not service):
            line = Line(f"the service's code is {failure.code}", "code")
            yield Match(cause, cause.rank, line, is_reason=True)


def _below_reason(matches: Sequence[Match], *, has_exception: bool) -> list[Match]:
    """Return the matches, those of the log lowered where the service's own words name a root cause.

    Args:
        matches: The matches of the reason and of the log.
        has_exception: Whether the reason names an exception, known or not. Then a symptom in the log follows it.
    """
    reasons = [match for match in matches if match.is_reason]
    best = max(reasons, key=lambda match: match.score, default=None)
    is_definite = best is not None and best.score >= DEFINITE and not best.cause.is_symptom
    has_root = any(match.score >= DEFINITE and not match.cause.is_symptom for match in matches)
    lowered: list[Match] = []
    for match in matches:
        is_other = is_definite and best is not None and match.cause != best.cause
        if not match.is_reason and (is_other or (has_exception and match.cause.is_symptom)):
            lowered.append(replace(match, score=match.score * LOG_BELOW_REASON))
        elif not match.is_reason and has_root and match.cause.is_symptom:
            lowered.append(replace(match, score=match.score * SYMPTOM_BELOW_ROOT))
        else:
            lowered.append(match)
    if is_definite and best and best.cause.code == SCRIPT_EXCEPTION:
        return [_with_detail(match, lowered) for match in lowered]
    return lowered


def _with_detail(match: Match, others: Sequence[Match]) -> Match:
    """Return the match of a script's exception with the line of the script, which often only the log names."""
    raised = match.raised
    if raised is None or raised.file:
        return match
    exceptions = (other.raised for other in others if other.raised)
    placed = (other for other in exceptions if other.name == raised.name and other.file and other.line)
    return replace(match, raised=next(placed, raised))


def _confidence(ranked: Sequence[Match]) -> Confidence:
    best = ranked[0]
    rivals = [match for match in ranked if match.cause != best.cause and match.score > best.score * 0.9]
    if best.score >= HIGH and not rivals:
        return Confidence.HIGH
    if best.score < LEAST * 1.75:
        return Confidence.LOW
    if best.cause.code == SCRIPT_EXCEPTION and best.score >= best.cause.rank and not rivals:
        return Confidence.HIGH
    return Confidence.MEDIUM


def _evidence(ranked: Sequence[Match], entries: Sequence[Entry]) -> tuple[Line, ...]:
    """Return the lines that name the cause, then its consequences."""
    best = ranked[0].cause
    lines = [match.line for match in ranked if match.cause == best]
    # Of a script's exception the line of the script is the best proof after its name.
    frames = [frame for match in ranked if match.cause == best and match.frame for frame in (match.frame,)]
    consequences = [line for entry in entries for line in entry.lines if CONSEQUENCE.search(line.text)]
    distinct: dict[str, Line] = {}
    for line in map(_short, [*lines[:2], *frames[:1], *lines[2:], *consequences[:1]]):
        # The same text in a log has a time as well.
        if line.text not in distinct or not distinct[line.text].at:
            distinct[line.text] = line
    return tuple(distinct.values())[:MOST_EVIDENCE]


def _best_lines(entries: Sequence[Entry]) -> Iterator[Line]:
    """Yield the lines that say most of a failure whose cause is not known."""
    lines = [line for entry in entries for line in entry.lines if line.text.strip()]
    errors = [line for line in lines if ERROR_LIKE.search(line.text)]
    rootlike = [line for line in errors if not CONSEQUENCE.search(line.text)]
    yield from [_short(line) for line in (rootlike or errors or lines)[:2]]


def _short(line: Line) -> Line:
    text = " ".join(line.text.split())
    return replace(line, text=text if len(text) <= LONGEST_EVIDENCE else f"{text[:LONGEST_EVIDENCE]}…")
