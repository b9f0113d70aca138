"""The page: one HTML file with everything in it, which loads nothing and is at most one megabyte."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl.errors import command
from etltctl.explanation import Explanation
from etltctl.reports.facts import RunFacts
from etltctl.reports.failure import troubles
from etltctl.reports.html import Markup, element, joined
from etltctl.reports.plot_sections import DrawnPlot, plots_section
from etltctl.reports.sections import CurrentVersions, changes, contents, overview, sections
from etltctl.reports.tables import Section, Spell, moment
from etltctl.reports.timeline import timeline

if TYPE_CHECKING:
    from etltctl.settings import Settings

MOST_BYTES = 1_000_000
# Nothing may be loaded or run: a name in the data that gets past the escaping could still do nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(
    run: RunFacts,
    plots: Sequence[DrawnPlot],
    settings: Settings,
    current: CurrentVersions,
    why_no_versions: str,
    spell: Spell = str,
    explanation: Explanation | None = None,
    *,
    is_plotted: bool = True,
) -> str:
    """Return the page of a run.

    If it would be larger than a megabyte, the largest pictures are left out, and then the largest sections; a sentence
    stands in their place.

    Args:
        run: The run.
        plots: Its plots, in their order.
        settings: The settings.
        current: The current version of each table.
        why_no_versions: Why there are none.
        spell: Spells a command; the command line's spelling adds its flags.
        is_plotted: Whether plots were asked for.
        explanation: What `etltctl why` knows of the run; None of a run that succeeded.
    """
    faults = settings.plot_problems if is_plotted else ()
    without = "" if is_plotted else _without_plots(run, spell)
    top = troubles(run, explanation, spell)
    kept = list(plots)
    # A rollback and a refresh have no steps: what they changed is all of their story.
    first = (
        ("timeline", "Timeline", timeline(run)) if run.steps else ("changes", "What changed", changes(run))
    )
    drawings = [_plots(kept, spell, faults, without)] if run.tables else []
    parts = [first, *drawings, *sections(run, settings, current, why_no_versions, spell)]
    while _size(text := _page(run, [*top, *parts], spell)) > MOST_BYTES:
        if drawn := [plot for plot in kept if plot.pictures]:
            largest = max(drawn, key=lambda plot: plot.size)
            kept[kept.index(largest)] = largest.without_pictures()
            parts[1] = _plots(kept, spell, faults, without)
        else:
            # What went wrong, at the top, is bounded: at the latest without any other section, the page fits.
            number = max(range(len(parts)), key=lambda number: _size(parts[number][2]))
            parts[number] = (*parts[number][:2], _left_out(run, spell))
    return text


def _plots(plots: Sequence[DrawnPlot], spell: Spell, faults: Sequence[str], without: str) -> Section:
    content = element("p", without) if without else plots_section(plots, spell, faults)
    return "plots", "Plots", content


def _without_plots(run: RunFacts, spell: Spell) -> Markup:
    again = element("code", spell(command("runs", "report", run.summary.run_id)))
    return joined(["This page was made without plots. ", again, " makes it with them."])


def _size(text: str) -> int:
    return len(text.encode())


def _left_out(run: RunFacts, spell: Spell) -> Markup:
    show = element("code", spell(command("runs", "show", run.summary.run_id)))
    why = "This section is left out, since the page would be larger than 1 MB with it. The events have it: "
    return element("p", why, show, class_="odd")


def _page(run: RunFacts, parts: Sequence[Section], spell: Spell) -> str:
    title = f"Run {run.summary.run_id}"
    main = element(
        "main",
        (
            element("section", element("h2", heading, id=name), content, aria_labelledby=name)
            for name, heading, content in parts
        ),
        id="main",
    )
    header = element(
        "header",
        element("h1", title, f" {run.summary.outcome}"),
        overview(run),
        contents((name, heading) for name, heading, _ in parts),
    )
    body = element(
        "body",
        element("a", "Skip to the report", href="#main", class_="skip"),
        header,
        main,
        _footer(run, spell),
    )
    return f"<!doctype html>\n{element('html', _head(title), body, lang='en')}\n"


def _head(title: str) -> Markup:
    style = Markup(Path(__file__).with_name("report.css").read_text("utf-8"))
    return element(
        "head",
        element("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{title} · etltctl"),
        element("style", style),
    )


def _footer(run: RunFacts, spell: Spell) -> Markup:
    from etltctl import __version__

    origin = joined(["Made by etltctl ", __version__, " at ", moment(datetime.now(UTC)), ". "])
    return element(
        "footer",
        origin,
        "Every event of the run: ",
        element("code", spell(command("runs", "show", run.summary.run_id))),
    )
