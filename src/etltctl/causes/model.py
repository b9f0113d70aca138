"""The values of a diagnosis: a cause of the catalogue, what is known of a failure, and what was concluded from it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from etltctl.errors import ExitCode, NextStep

FLAGS = re.IGNORECASE | re.MULTILINE
REASON = "reason"  # the source of a service's own words for the failure, as opposed to a log


class Retry(StrEnum):
    """Whether a plain retry can help."""

    NO = "no"
    YES = "yes"
    AFTER_FIX = "after the fix"


class Confidence(StrEnum):
    """How sure a diagnosis is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class Rule:
    """Texts that name one cause.

    Attributes:
        rank: How far the texts lead to the root, from 0 to 100. An executor that ran out of memory outranks the stage
            that was aborted because of it.
        words: The pattern of the texts, as the catalogue has it. It is compiled when it is first searched for: a
            failure of one service needs a part of the patterns.
        services: The services whose failures it applies to; an empty name stands for a service that is not known.
        in_names: Whether it searches the names in quotes as well. Most rules do not: users choose those names.
        is_over_lines: Whether a text may go over several lines and through the frames of a stack.
        against: The pattern of what contradicts the cause: an entry that has it is not searched; empty for none.
    """

    rank: float
    words: str
    services: frozenset[str]
    in_names: bool = False
    is_over_lines: bool = False
    against: str = ""

    @cached_property
    def texts(self) -> re.Pattern[str]:
        """The pattern of the texts.

        A text stays within its line, because what stands in the next line is often about something else.
        """
        return re.compile(self.words, FLAGS | re.DOTALL if self.is_over_lines else FLAGS)

    @cached_property
    def unless(self) -> re.Pattern[str] | None:
        """The pattern of what contradicts the cause; None if nothing does."""
        return re.compile(self.against, FLAGS) if self.against else None


@dataclass(frozen=True)
class Cause:
    """A cause of failures.

    Attributes:
        code: Its code: the letter of the service, then a number.
        title: Its name in a few words.
        sentence: What happened, in one sentence.
        fix: What to do about it.
        retry: Whether a plain retry can help.
        exit_code: The exit code of a command that failed for it.
        settings: The settings or options to change.
        is_symptom: Whether it is often the consequence of another cause, which then only the log names.
        searched: Texts that people search for.
        rank: The rank of the service's own codes for it.
        codes: The service's codes for it, such as `ConcurrentRunsExceededException`.
        leads: The codes in capitals with which a service begins its words for it, such as `TABLE_NOT_FOUND`.
        refined_by: The causes that the words after such a code may name instead.
        statuses: Final statuses that mean it, each after the name of its service.
        status_rank: The rank of these statuses.
        is_before_publish: Whether it refuses a whole set of tables before the first of them is published.
        is_data_changed: Whether readers may see other rows than those that were published.
        data: What the cause means for the data that readers see, in one or two sentences.
    """

    code: str
    title: str
    sentence: str
    fix: NextStep
    retry: Retry = Retry.NO
    exit_code: ExitCode = ExitCode.FAILED
    settings: tuple[str, ...] = ()
    is_symptom: bool = False
    searched: tuple[str, ...] = ()
    rank: float = 0.0
    codes: frozenset[str] = frozenset()
    leads: frozenset[str] = frozenset()
    refined_by: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    status_rank: float = 0.0
    is_before_publish: bool = False
    is_data_changed: bool = False
    data: str = ""
    rules: tuple[Rule, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Line:
    """A line of evidence: its text, where it stands, and when it was written.

    Attributes:
        text: The line.
        source: `reason` for a service's own words, `driver` or `executor-4` for a log, `checks` and so on.
        at: The time in UTC, as ISO 8601; empty if it is not known.
    """

    text: str
    source: str = REASON
    at: str = ""


@dataclass(frozen=True)
class Failure:
    """What is known of a failure.

    Attributes:
        lines: The reason of the service first, then the log, oldest first.
        service: `Glue`, `Airbyte`, `Athena`, or `AWS` for a call of etltctl; empty if it is not known.
        status: The final status of the remote run.
        code: The service's own code of the error.
    """

    lines: tuple[Line, ...]
    service: str = ""
    status: str = ""
    code: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """The cause of a failure, as far as it can be concluded.

    Attributes:
        cause: The cause; `UNKNOWN` if none of the catalogue fits.
        confidence: How sure that is.
        evidence: The lines that show it, the best first.
        detail: What the evidence adds to the cause's sentence, such as the line of a script; may be empty.
    """

    cause: Cause
    confidence: Confidence
    evidence: tuple[Line, ...] = ()
    detail: str = ""

    @property
    def sentence(self) -> str:
        """The cause in one sentence, with the particulars of this failure."""
        return self.detail or self.cause.sentence
