"""The report on a run: read its events, its tables and its plots, and write the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl.atomic_files import write_atomically
from etltctl.aws import Aws
from etltctl.errors import EtltctlError, NextStep, Parameter, UsageError
from etltctl.explanation import Explanation, explanation_of
from etltctl.history import Having, find_run, summary_of
from etltctl.ledger import Event
from etltctl.pipeline import RunId
from etltctl.querying import list_tables
from etltctl.reports.facts import RunFacts, facts_of
from etltctl.reports.page import page
from etltctl.reports.plot_data import PlotData, plots_of, read_plots, undrawn
from etltctl.reports.plot_sections import drawn
from etltctl.reports.sections import CurrentVersions
from etltctl.reports.tables import Spell
from etltctl.runs import Outcome
from etltctl.tabulating import local_time
from etltctl.values import S3Location

if TYPE_CHECKING:
    from etltctl.settings import Settings

Connect = Callable[[], AbstractContextManager["Settings"]]
NOT_ASKED = "the page was made without plots, and for such a page no service is asked"


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        usd: What the queries for its plots cost at Athena's price.
        undrawn: The names of plots without a picture, each with the reason.
        faults: What is wrong with the plots in the settings, each with its place.
    """

    run_id: str
    path: Path
    size: int
    plots: int
    usd: float
    undrawn: Sequence[tuple[str, str]]
    faults: Sequence[str] = ()


def make_report(
    run_id: str,
    settings: Settings,
    connect: Connect,
    *,
    to: Path | None = None,
    is_plotted: bool = True,
    spell: Spell = str,
) -> Report:
    """Write the report on a run as one HTML file.

    Args:
        run_id: The run's id, or the end of it. If it is empty, the newest run with something to show is meant: steps,
            a changed table, or an error. A rollback counts.
        settings: The settings.
        connect: Returns the settings with their services within reach, for as long as its block lasts.
        to: The file; None for `reports/RUN.html` in the state folder, or in the working folder if the state is in S3.
        is_plotted: Whether gold is queried for plots and the catalog for the current versions. Without, the record of
            the runs is all that is read: no service is reached, unless the record is kept in S3.
        spell: Spells a command on the page; the command line's spelling adds its flags.

    Raises:
        UsageError: There is no such run, nothing of it is on record, or the file cannot be written.
    """
    # A ledger in S3 may be in that of the embedded server, which has to be reached first.
    events = None if S3Location.is_one(settings.state) else find_run(settings, run_id, Having.STORY)
    data: list[PlotData] = []
    explanation: Explanation | None = None
    current: CurrentVersions = {}
    why_not = NOT_ASKED
    if events is None or is_plotted:
        with _reached(settings, connect) as (reached, reason):
            events = events or find_run(reached, run_id, Having.STORY)
            explanation = _explanation(events, reached)
            if is_plotted:
                aws = Aws.from_settings(reached)
                data = _data(facts_of(events), reached, reason, aws)
                current, why_not = ({}, reason) if reason else _current(reached, aws)
    run = facts_of(events)
    explanation = explanation or _explanation(events, settings)
    plots = [drawn(one) for one in data]
    text = page(run, plots, settings, current, why_not, spell, explanation, is_plotted=is_plotted)
    file = to or _default_path(run, settings)
    _write(file, text)
    reasons = [(plot.data.name, plot.data.reason) for plot in plots if plot.data.reason]
    pictured = len(plots) - len(reasons)
    return Report(
        run.summary.run_id,
        file,
        len(text.encode()),
        pictured,
        sum(d.usd for d in data),
        reasons,
        settings.plot_problems,
    )


def _explanation(events: Sequence[Event], settings: Settings) -> Explanation | None:
    """Return what is known of a run that failed; None of one that did not, whose earlier runs are not worth reading."""
    is_well = summary_of(events).outcome == Outcome.SUCCEEDED
    return None if is_well else explanation_of(events, settings)


def _data(run: RunFacts, settings: Settings, unreached: str, aws: Aws) -> list[PlotData]:
    plots = plots_of([table.table for table in run.tables], settings)
    return undrawn(plots, unreached) if unreached else read_plots(plots, settings, aws)


@contextmanager
def _reached(settings: Settings, connect: Connect) -> Iterator[tuple[Settings, str]]:
    """Yield the settings with their services within reach; else the settings as they are, and the reason."""
    reason = ""
    with ExitStack() as stack:
        try:
            settings = stack.enter_context(connect())
        except EtltctlError as error:
            # The ledger alone fills most of the page, and an operator needs it most when a service is down.
            reason = f"the services could not be reached: {error.message}"
        yield settings, reason


def _current(settings: Settings, aws: Aws) -> tuple[CurrentVersions, str]:
    """Return the current version of each table, or why the catalog did not say."""
    try:
        tables = list_tables(settings, aws)
    except EtltctlError as error:
        return {}, error.message
    return {
        f"{layer}.{name}": (version, local_time(since) if since else "")
        for layer, name, _, version, since in tables
    }, ""


def _write(file: Path, text: str) -> None:
    try:
        write_atomically(file, text)
    except OSError as error:
        hint = NextStep("name another file: ", Parameter("to"))
        raise UsageError(f"cannot write the report to {file}: {error.strerror}", hint=hint) from error


def _default_path(run: RunFacts, settings: Settings) -> Path:
    # The id in a ledger is only text: with a path in it, the page would be written outside the folder.
    run_id = run.summary.run_id
    name = f"{RunId(run_id).safe if re.search('[A-Za-z0-9]', run_id) else 'run'}.html"
    return (
        Path(f"report-{name}")
        if S3Location.is_one(settings.state)
        else Path(settings.state) / "reports" / name
    )
