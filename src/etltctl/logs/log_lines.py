"""One line of the log of a remote run, and which lines of a log belong to an error."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

# The end of the stream of Spark's progress bar, which is in the group "error".
BAR_STREAM = "-progress-bar"
# A stream is called after the job run, or after the job run and the process that writes to it.
OF_A_PROCESS = re.compile(r"jr_\w+-(?P<process>[\w-]+)$")


@dataclass(frozen=True)
class LogLine:
    """One line: when it was written, to which group and stream, and its text.

    `is_failure` marks a line with a service's own report that the remote run failed.
    """

    at: datetime
    group: str
    stream: str
    text: str
    is_failure: bool = False

    @property
    def executor(self) -> str:
        """The executor that wrote the line, as its stream names it; empty for the driver."""
        of = OF_A_PROCESS.match(self.stream)
        return of["process"] if of and of["process"] != "driver" else ""


# A level of a logger, the head of a Python traceback, or the last line of one. The last form needs the colon or the
# end of the line: sentences name exceptions as well.
ERROR = re.compile(
    r"\b(ERROR|FATAL|CRITICAL)\b"
    r"|^Traceback \(most recent call last\)"
    r"|^(Caused by: |: |Exception in thread .*?)?([A-Za-z_][\w$]*\.)*[A-Z]\w*(Error|Exception|Interrupt|Exit)\b(:|$)"
)
NO_ERROR = re.compile(r"\b(INFO|DEBUG|TRACE|WARN|WARNING)\b")
OF_A_TRACE = re.compile(r"^\s+\S|^\s*$|^Caused by: |^During handling of |^The above exception ")


@dataclass
class ErrorLines:
    """The lines of a log that tell of an error, and the traces below them, whichever group they were written to."""

    _in_trace: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False)

    def has(self, line: LogLine) -> bool:
        """Return whether the line belongs to an error. The lines of each stream come in their order."""
        stream, first = (line.group, line.stream), line.text.partition("\n")[0]
        named = ERROR.search(line.text)
        # A warning that quotes an error is a warning: the word that comes first is the line's level.
        noted = NO_ERROR.search(first)
        is_error = named is not None and (noted is None or noted.start() > named.start())
        is_trace = self._in_trace.get(stream, False) and OF_A_TRACE.search(first) is not None
        self._in_trace[stream] = is_error or is_trace
        return is_error or is_trace
