"""The message about the end of a run, before it is put into a receiver's form."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from etltctl.moments import duration_text
from etltctl.tabulating import local_time, money_text, one_line

SCHEMA = "etltctl.notification/1"
LONGEST_LINE = 1_000  # characters of a cause, a proof or a next step: all receivers take three such lines
LONGEST_NAME = 200  # characters of a name of a run, a pipeline or a step


@dataclass(frozen=True)
class FailureText:
    """Why a run failed, in the first lines of `etltctl why`.

    Attributes:
        step: The step that failed, `kind:name`; empty if the run failed outside its steps.
        code: The code of the cause; empty if none is on record.
        cause: The cause in one sentence, with its code.
        proof: The line that shows it.
        next: The next safe command.
    """

    step: str
    code: str
    cause: str
    proof: str
    next: str


@dataclass(frozen=True)
class Notification:
    """The end of a run.

    Attributes:
        id: The same for every delivery of this end, so that a receiver can drop one that comes twice.
        outcome: `succeeded`, `recovered`, `failed`, `unverified`, `interrupted` or `detached`.
        pipeline: What the run is of.
        run_id: The run.
        env: Its environment.
        project: The project of the settings.
        started: When it began, ISO 8601 in UTC.
        finished: When it ended, in the same form.
        seconds: How long it took.
        usd: What it cost; None if its environment bills nothing.
        failure: Why it failed; None if it did not.
        is_test: Whether no run is behind it.
    """

    id: str
    outcome: str
    pipeline: str
    run_id: str
    env: str
    project: str
    started: str
    finished: str
    seconds: float
    usd: float | None
    failure: FailureText | None = None
    is_test: bool = False

    @property
    def title(self) -> str:
        """The outcome in a few words."""
        test = "Test: " if self.is_test else ""
        return one_line(f"{test}{self.pipeline} {self.outcome} ({self.env})", LONGEST_NAME)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is known of every run, each with its name."""
        step = [("Step", self.failure.step)] if self.failure and self.failure.step else []
        facts = [
            ("Pipeline", self.pipeline),
            ("Run", self.run_id),
            *step,
            ("Environment", self.env),
            ("Started", local_time(self.started)),
            ("Duration", duration_text(self.seconds)),
            ("Cost", money_text(self.usd)),
        ]
        return [(name, one_line(text, LONGEST_NAME)) for name, text in facts]

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Why the run failed, each line with its name; empty if it did not fail."""
        if self.failure is None:
            return []
        lines = [("Cause", self.failure.cause), ("Proof", self.failure.proof), ("Next", self.failure.next)]
        return [(name, one_line(text, LONGEST_LINE)) for name, text in lines if text]

    def linked(self, link: str | None) -> str:
        """Return an address of the settings with this run's names in it; empty without one.

        Args:
            link: The address.
        """
        from urllib.parse import quote

        names = {"run_id": self.run_id, "pipeline": self.pipeline, "env": self.env}
        return link.format(**{name: quote(text, safe="") for name, text in names.items()}) if link else ""

    def text(self, link: str = "") -> str:
        """Return the message as plain text.

        Args:
            link: An address to add.
        """
        lines = [self.title, "", *(f"{name}: {text}" for name, text in [*self.facts, *self.reasons])]
        return "\n".join([*lines, *([f"More: {link}"] if link else [])])

    def document(self, link: str = "") -> dict[str, Any]:
        """Return the message as data, which `docs/reference/schemas/notification.json` describes.

        Args:
            link: An address to add.
        """
        return {"schema": SCHEMA, **asdict(self), "link": link, "text": self.text(link)}
