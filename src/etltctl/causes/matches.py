"""The causes that one entry of a log names: by its leading code, by the class of its exception, then by its words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePosixPath

from etltctl.causes.catalogue import catalogue
from etltctl.causes.entries import Entry
from etltctl.causes.masked_words import masked, without_stack
from etltctl.causes.model import REASON, Cause, Line, Rule
from etltctl.causes.script_exceptions import FRAME, ScriptException, script_exception

SCRIPT_EXCEPTION = "G143"
OF_ETLTCTL = ("C", "M", "T")
EXIT_RANK = 26.0  # of a script that ended itself with `sys.exit`: the log may say why
UNKNOWN_SERVICE = 0.95
# What the words after a leading code weigh if they name another cause than the code allows.
BELOW_LEAD = 0.3
# A code whose words say more than it does, such as SYNTAX_ERROR, yields to the cause that they name.
REFINED = 0.7
# A service names its code first; `query FAILED: ` or a class of the SDK may stand before it.
LEADING_CODE = re.compile(r"(?<![\w.])([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)(?=[:.\] (]|$)", re.MULTILINE)
LEAD_WITHIN = 400
# Classes of Python that a mistake in the script raises. Their message is the script's: its words name no cause.
OF_THE_SCRIPT = frozenset({
    "ArithmeticError", "AssertionError", "AttributeError", "IndexError", "KeyError", "LookupError", "NameError",
    "NotImplementedError", "OverflowError", "RecursionError", "StopIteration", "TypeError", "UnboundLocalError",
    "UnicodeDecodeError", "UnicodeEncodeError", "ValueError", "ZeroDivisionError",
})  # fmt: skip
# Classes for anything: their message is the script's unless it speaks of a service or of the system.
FOR_ANYTHING = frozenset({"BaseException", "Exception", "RuntimeError"})
OF_A_SYSTEM = re.compile(
    r"\bAn error occurred\b|[a-z](?:Error|Exception|Denied|Timeout)\b|[A-Z]{2,9}_[A-Z]|\b[Ee]rrno\b|://|\bService:"
    r"|(?i:access denied|not authorized|forbidden|timed out|refused|reset by|no space left|credentials|certificate"
    r"|gateway|endpoint|\bs3\b|\baws\b|\bhttps?\b|\bjdbc\b|\bspark\b|\bglue\b|\bjava\b|\bdriver\b|\bexecutor\b)"
)
# An error that AWS worded: it names nothing that only etltctl finds, such as the counts of a check.
OF_AWS = re.compile(r"\bAn error occurred \(|\bbotocore\.|\bamazonaws\.|\bawssdk\.|\(Service: ")
# The exception below the last of these words is the root: what stands above it is its consequence.
ROOT = re.compile(r"\bCaused by: ")
ABOVE_ROOT = 0.85
Spans = Sequence[tuple[int, int]]
# A frame of a traceback, or the line of code below it.
CODE_LINE = re.compile(r'\s*File "|\s{2,}(?!at |\.\.\. |Caused by)\S')


@dataclass(frozen=True)
class Match:
    """A cause that something names: how strongly, and the line that names it."""

    cause: Cause
    score: float
    line: Line
    is_reason: bool
    raised: ScriptException | None = None
    frame: Line | None = None

    @property
    def detail(self) -> str:
        """What happened, with the line of the script; empty if the cause is not an exception of it."""
        return self.raised.sentence if self.raised else ""


def matches_of(entry: Entry, service: str, *, is_own: bool, has_script: bool) -> list[Match]:
    """Return the causes that an entry names.

    Args:
        entry: The entry.
        service: The service as the catalogue names it; empty if it is not known.
        is_own: Whether it may be an error of etltctl itself, which names causes that no remote run has.
        has_script: Whether a script may have raised it.
    """
    raised = script_exception(entry.text) if has_script else None
    own_words = _spans_of_script(entry.text, raised)
    lead = _lead(entry, service, own_words)
    named = _of_words(entry, service, own_words, is_own=is_own, has_raised=raised is not None)
    if lead is not None:
        named = _below_lead(lead, named)
    if raised is not None:
        named.append(_of_exception(entry, raised))
    return named


def _lead(entry: Entry, service: str, own_words: Spans) -> Match | None:
    """Return the cause that the first code of the entry names; None if it has no code of the catalogue."""
    text = masked(entry.text[:LEAD_WITHIN])
    for code in LEADING_CODE.finditer(text):
        cause = _leads().get((code[1], service))
        if cause is not None and not _is_within(own_words, *code.span()):
            line = entry.line_at(code.start())
            return Match(cause, cause.rank * _weight(entry, service), line, entry.is_reason)
    return None


@cache
def _leads() -> Mapping[tuple[str, str], Cause]:
    """Return the cause of every leading code of every service."""
    return {
        (code, service): cause
        for cause in catalogue().values()
        for code in cause.leads
        for service in cause.rules[0].services
    }


def _of_words(entry: Entry, service: str, own_words: Spans, *, is_own: bool, has_raised: bool) -> list[Match]:
    source = entry.lines[0].source
    # The stream says which process speaks: a bare error of an executor's log is one of the executor.
    prefix = "" if source == REASON else f"{source}: "
    texts = _Texts(prefix + entry.text)
    shifted = [(first + len(prefix), last + len(prefix)) for first, last in own_words]
    named: list[tuple[int, Match]] = []
    is_foreign = has_raised or bool(OF_AWS.search(entry.text))
    for cause, rule in _rules(service, is_own=is_own, is_foreign=is_foreign):
        start = _first_start(rule, texts.of(rule), shifted)
        if start is not None and not (rule.unless and rule.unless.search(texts.whole)):
            line = entry.line_at(max(start - len(prefix), 0))
            named.append((start, Match(cause, rule.rank * _weight(entry, service), line, entry.is_reason)))
    return _below_root(named, texts.whole)


class _Texts:
    """The text of an entry as the rules search it: whole, without users' names, and without the stack as well."""

    def __init__(self, whole: str) -> None:
        self.whole = whole
        self._masked = masked(whole)
        self._without_stack = without_stack(self._masked)

    def of(self, rule: Rule) -> str:
        if rule.in_names:
            return self.whole
        return self._masked if rule.is_over_lines else self._without_stack


def _below_root(named: Sequence[tuple[int, Match]], text: str) -> list[Match]:
    """Return the matches, those above the root of a chain of exceptions lowered if the root itself names a cause."""
    root = max((place.start() for place in ROOT.finditer(text)), default=-1)
    is_root_named = any(start >= root for start, _ in named)
    if root < 0 or not is_root_named:
        return [match for _, match in named]
    return [
        match if start >= root else replace(match, score=match.score * ABOVE_ROOT) for start, match in named
    ]


def _rules(service: str, *, is_own: bool, is_foreign: bool) -> Iterator[tuple[Cause, Rule]]:
    """Yield the rules that apply to a failure of a service, each with its cause."""
    for cause in catalogue().values():
        # An error of etltctl may speak of a service; that of a remote run never names what only etltctl finds.
        is_possible = is_own and not (is_foreign and cause.code.startswith("C"))
        services = {service}
        if cause.code.startswith(OF_ETLTCTL):
            services = services | {""} if is_possible else services - {""}
        for rule in cause.rules:
            if rule.services & services:
                yield cause, rule


def _first_start(rule: Rule, text: str, own_words: Spans) -> int | None:
    """Return where the texts of a rule match first outside the words of the script; None if they do not."""
    matches = rule.texts.finditer(text)
    return next((match.start() for match in matches if not _is_within(own_words, *match.span())), None)


def _is_within(spans: Spans, start: int, end: int) -> bool:
    return any(first <= start and end <= last for first, last in spans)


def _spans_of_script(text: str, raised: ScriptException | None) -> Spans:
    """Return the spans of an entry that are words of the script: its code, and the message of its exception."""
    if raised is None or not _is_of_script(raised, text):
        return ()
    spans: list[tuple[int, int]] = []
    start = 0
    for line in text.splitlines(keepends=True):
        end = start + len(line)
        if CODE_LINE.match(line):
            spans.append((start, end))
        elif start <= raised.position < end:
            # From after the first letter of the class: a rule that names the class with its message still counts.
            spans.append((raised.position + 1, end))
        start = end
    return spans


def _is_of_script(raised: ScriptException, text: str) -> bool:
    """Return whether the message of an exception is the script's own."""
    if raised.name in FOR_ANYTHING:
        message, _, _ = text[raised.position + len(raised.name) :].partition("\n")
        return not OF_A_SYSTEM.search(message)
    return raised.name in OF_THE_SCRIPT


def _below_lead(lead: Match, named: Sequence[Match]) -> list[Match]:
    """Return the lead and the other matches, those lowered that the leading code does not allow."""
    allowed = {lead.cause.code, *lead.cause.refined_by}
    is_refined = any(match.cause.code in lead.cause.refined_by for match in named)
    lowered = [
        match if match.cause.code in allowed else replace(match, score=match.score * BELOW_LEAD)
        for match in named
        if not (is_refined and match.cause == lead.cause)
    ]
    return [replace(lead, score=lead.score * REFINED) if is_refined else lead, *lowered]


def _of_exception(entry: Entry, raised: ScriptException) -> Match:
    cause = catalogue()[SCRIPT_EXCEPTION]
    frame = _with_code(entry.line_at(raised.frame_at), entry) if raised.frame_at >= 0 else None
    rank = EXIT_RANK if raised.name == "SystemExit" else cause.rank
    line = entry.line_at(raised.position)
    return Match(cause, rank * entry.weight, line, entry.is_reason, raised, frame)


def _with_code(frame: Line, entry: Entry) -> Line:
    """Return the line of a frame as `FILE:LINE: CODE`, with the code that stands below it; as it is without any."""
    place = FRAME.search(frame.text)
    if place is None or frame not in entry.lines:
        return frame
    below = entry.lines[entry.lines.index(frame) + 1 :][:1]
    if not below or FRAME.search(below[0].text) or not CODE_LINE.match(below[0].text):
        return frame
    # By its name, as the sentence has it: the path is that of a copy.
    file = PurePosixPath(place["file"]).name
    return replace(frame, text=f"{file}:{place['line']}: {below[0].text.strip()}")


def _weight(entry: Entry, service: str) -> float:
    return entry.weight * (1.0 if service else UNKNOWN_SERVICE)
