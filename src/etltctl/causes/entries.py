"""The entries of a log, each a line and its trace, with the weight that it has as evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from etltctl.causes.model import REASON, Line
from etltctl.errors import bounded

MOST_TEXT = 32_000  # characters that are searched in all; the rest of a long log repeats itself
LONGEST_ENTRY = 12_000
BEFORE_MATCH = 100  # characters of a long line that stand before the text that names the cause
LONGEST_LINE = 20_000  # a service may write megabytes on one line
# What is kept of a log at any time, so that one of gigabytes takes no more memory than one of megabytes.
MOST_ENTRIES = 20_000
ENTRIES_KEPT = 2_000  # more than fit into MOST_TEXT
MOST_LINES = 400  # of one entry: a trace may be endless
# A warning is often about a call that was repeated with success, so that it weighs less than an error.
WEIGHTS = {"WARN": 0.5, "WARNING": 0.5, "INFO": 0.25, "DEBUG": 0.2, "TRACE": 0.2}
# Of a warning that the scheduler of Spark writes: it is how the loss of a task or an executor is reported.
OF_SCHEDULER = re.compile(
    r"Lost (?:task|executor)|ExecutorLost|Container (?:killed|from)|[Rr]emoving executor|TaskSetManager"
)
# A task that fails with the same error as one before it is reported with the level INFO.
REPEATED_TASK = re.compile(r"TaskSetManager.{0,20}Lost task \d")
# Of the threads that move blocks and events between processes of Spark: their errors follow the end of a job or of an
# executor, whatever ended it.
OF_TRANSPORT = re.compile(
    r"\b(?:Transport(?:Client|Channel|Request|Response)\w*|ShuffleBlock\w+|Retrying\w+|OneForOne\w+|AsyncEventQueue"
    r"|LiveListenerBus|ContextCleaner|DFSClient|NettyRpc\w*|Inbox|Dispatcher|BlockManager\w*|MapOutputTracker\w*"
    r"|OutputStreamWriter|ClientCnxn|RpcOutboxMessage|ShutdownHookManager|LogPusher|HeartbeatReceiver|YarnClient\w*)\b"
)
AFTERMATH = 0.3  # of their errors; it still has a trace
NOTE = 0.25  # of a line of a log without a level and without a word of an error
SAYS_ERROR = re.compile(
    r"error|exception|trace|fail|denied|refus|reject|kill|lost|abort|exceed|time[d-]? ?out|out of|\bno\b|\bnot\b|unable"
    r"|cannot|n't\b|invalid|illegal|unknown|missing|unauthor|forbidden|expired|\btoo\b|\bfull\b|beyond|insufficient"
    r"|\b[45]\d\d\b|crash|dead|unexpected|terminat|\bexit|stopp|cancel|lock|inactive|disabled|[A-Z]{3,20}_[A-Z]{3,20}",
    re.IGNORECASE,
)
LEVEL = re.compile(r"\b(ERROR|FATAL|CRITICAL|SEVERE|WARN|WARNING|INFO|DEBUG|TRACE)\b")
OTHER_WARNING = 0.28  # of a warning that reports no lost task
REPEATED = 0.26  # of a warning that says so itself
RETRIED = re.compile(r"\bretr(?:y|ying|ied)\b|try(?:ing)? again|will try", re.IGNORECASE)
# Of a call that is made again after a while, whatever the level.
BACKING_OFF = re.compile(r"\b(?:Backing off\b|Caught retryable error|retrying in \d)", re.IGNORECASE)
# The level stands near the beginning of a line, after the time. Later it is a word of the text.
LEVEL_WITHIN = 60
LOGGER_WITHIN = 120  # the name of the logger stands after the level
TRACEBACK = "Traceback (most recent call last)"
OF_A_TRACE = re.compile(
    r"\s+\S|\s*$|Caused by: |During handling of |The above exception |\.\.\. \d+ more|: |'?\w*[Dd]river stacktrace"
    r"|(?:[a-z_][\w$]*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Failure)\b"
)
# An error in a document of several lines, such as JSON: it stands indented below a line that says nothing.
NAMES_EXCEPTION = re.compile(r"\b[a-z]\w{0,30}\.[\w.]{1,100}(?:Error|Exception)\b")
FRAME = re.compile(r"\s+at ")
EXCEPTION_WITHIN = 300
# Lines that every job writes: the command that starts Java, and warnings of Spark that mean nothing for a failure.
HARMLESS = re.compile(
    r"-XX:\+?\w|-Dspark\.|global_temp|Assume no metadata directory|NativeCodeLoader|hadoop-metrics2|MetricsConfig"
    r"|\bObjectStore\b|Neither spark\.yarn|SignalUtils: Registering|log4j:WARN|SLF4J:"
)
# The service's own analysis of a failure has the level INFO in some versions.
ANALYSIS = re.compile(
    r'"Failure Reason"|Glue Exception Analysis|Stage Skewness|\bfailures: \[|"(?:internal|external)Message"'
    r"|STDError Stream ERROR"
)
TELLING = re.compile(
    r"error|exception|fail|denied|refus|kill|lost|abort|exceed|timed? ?out|memory|not found", re.I
)


@dataclass
class Entry:
    """Lines that belong together, such as an error and its trace."""

    lines: list[Line]
    weight: float

    @property
    def text(self) -> str:
        """The lines as one text."""
        return bounded("\n".join(line.text for line in self.lines), LONGEST_ENTRY)

    @property
    def is_reason(self) -> bool:
        """Whether it is a service's own word for the failure."""
        return self.lines[0].source == REASON

    def line_at(self, position: int) -> Line:
        """Return the line that holds a position of the text, a long line from shortly before the position on.

        Of an entry that was cut, the line may be the last.
        """
        for line in self.lines:
            if position <= len(line.text):
                start = position - BEFORE_MATCH
                return line if start <= BEFORE_MATCH else replace(line, text=f"…{line.text[start:]}")
            position -= len(line.text) + 1
        return self.lines[-1]


def entries_of(lines: Iterable[Line]) -> list[Entry]:
    """Return the entries to search: those of a reason first, then errors, warnings and the rest of the log.

    Args:
        lines: The lines, oldest first. An entry that repeats an earlier one is left out.
    """
    distinct: dict[str, Entry] = {}
    for entry in _grouped(_split(lines)):
        if not entry.is_reason and HARMLESS.search(entry.lines[0].text):
            continue
        # Task and stage numbers differ in lines that are otherwise the same. The newest one counts.
        key = re.sub(r"\d+", "0", entry.text[:300]) + ("!" if entry.is_reason else "")
        distinct.pop(key, None)
        distinct[key] = entry
        if len(distinct) > MOST_ENTRIES:
            distinct = dict(sorted(distinct.items(), key=lambda item: _priority(item[1]))[:ENTRIES_KEPT])
    ordered = sorted(distinct.values(), key=_priority)
    kept: list[Entry] = []
    total = 0
    for entry in ordered:
        total += len(entry.text)
        if total > MOST_TEXT and kept:
            break
        kept.append(entry)
    return kept


def _priority(entry: Entry) -> tuple[bool, bool, float]:
    return (not entry.is_reason, not TELLING.search(entry.text), -entry.weight)


def _split(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines of texts that hold several, as one event of CloudWatch may."""
    for line in lines:
        for text in bounded(line.text, LONGEST_LINE).splitlines():
            yield Line(text.rstrip(), line.source, line.at)


def _grouped(lines: Iterable[Line]) -> Iterator[Entry]:
    entry: Entry | None = None
    for line in lines:
        if entry is not None and _continues(entry, line):
            entry.lines.append(line)
            if len(entry.lines) > MOST_LINES:
                del entry.lines[MOST_LINES // 2]  # the beginning and the end of a trace say most
            continue
        if entry is not None:
            yield entry
        entry = Entry([line], _weight(line))
    if entry is not None:
        yield entry


def _continues(entry: Entry, line: Line) -> bool:
    first = entry.lines[0]
    if line.source != first.source:
        return False
    if line.source == REASON:
        return True  # a reason is one text, whatever its lines look like
    if _level(line) or line.text.startswith(TRACEBACK) or not OF_A_TRACE.match(line.text):
        return False
    if entry.weight >= OTHER_WARNING:
        return True
    # A note has no trace: what follows it is an entry without a level, which weighs more.
    return line.text[:1].isspace() and (bool(_level(first)) or not _names_exception_in_document(line))


def _names_exception_in_document(line: Line) -> bool:
    """Return whether an indented line that is not a frame names an exception."""
    return not FRAME.match(line.text) and bool(NAMES_EXCEPTION.search(line.text[:EXCEPTION_WITHIN]))


def _level(line: Line) -> str:
    level = LEVEL.search(line.text[:LEVEL_WITHIN])
    return level[1] if level else ""


def _weight(line: Line) -> float:
    if line.source == REASON or ANALYSIS.search(line.text):
        return 1.0
    level = _level(line)
    if BACKING_OFF.search(line.text[:LOGGER_WITHIN]):
        return min(WEIGHTS.get(level, 1.0), REPEATED)
    if not level and not SAYS_ERROR.search(line.text):
        return NOTE
    if level == "INFO" and REPEATED_TASK.search(line.text[:LOGGER_WITHIN]):
        level = "WARN"
    weight = WEIGHTS.get(level, 1.0)
    if weight == 1.0 and level and OF_TRANSPORT.search(line.text[:LOGGER_WITHIN]):
        return AFTERMATH
    if level.startswith("WARN") and not OF_SCHEDULER.search(line.text):
        weight = OTHER_WARNING
    return min(weight, REPEATED) if weight < 1.0 and RETRIED.search(line.text) else weight
