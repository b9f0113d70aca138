"""The sections of the page that are tables and sentences: lineage, rows, quality rules, checks, versions and cost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from etltctl.errors import command
from etltctl.explanation import BrokenRule
from etltctl.pipeline import Step, lineage_of
from etltctl.reports.cost import cost_section, cost_text
from etltctl.reports.facts import LAYERS, RunFacts, TableFacts
from etltctl.reports.html import Markup, element, joined
from etltctl.reports.tables import (
    KEPT,
    MOST_ROWS,
    STOPPED,
    Section,
    Spell,
    coloured,
    facts,
    moment,
    seconds_text,
    shown,
    table,
)

if TYPE_CHECKING:
    from etltctl.settings import Settings

NO_TABLE = (
    "This run brought no table up to date, so it has no plots, rows, quality rules and versions to show."
)
MOST_VERSIONS = 5  # that a sentence names
CurrentVersions = Mapping[
    str, tuple[str, str]
]  # the current version of each table, and when it was published


def sections(
    run: RunFacts, settings: Settings, current: CurrentVersions, why_no_versions: str, spell: Spell
) -> Iterator[Section]:
    """Yield the sections that follow the plots.

    Args:
        run: The run.
        settings: The settings, which know the rules of tables and what the steps read and write.
        current: The version that readers see of each table, if the catalog was reached.
        why_no_versions: Why it was not.
        spell: Spells a command.
    """
    if run.tables:
        yield "rows", "Rows", joined(_rows(run, spell))
        yield "quality", "Quality rules", _quality(run)
    # A stopped version is not among the tables of the run, and its broken rules are the reason.
    if run.tables or run.broken:
        yield "checks", "Checks and contracts", joined(_checks(run, settings))
    if run.tables:
        yield "versions", "Versions", _versions(run, current, why_no_versions)
    elif run.steps:
        yield "tables", "Tables", element("p", NO_TABLE)
    if run.steps:
        yield "lineage", "Lineage", _lineage(run, settings)
    yield "cost", "Cost", cost_section(run.costs, is_billed=run.is_billed)


def overview(run: RunFacts) -> Markup:
    """Return the facts of the run at a glance."""
    one = run.summary
    gold = [each for each in run.tables if each.layer == "gold"]
    return facts(
        [
            ("Outcome", coloured(one.outcome)),
            ("Pipeline", one.pipeline or "–"),
            ("Environment", run.env or "–"),
            ("Began", moment(run.began)),
            ("Took", seconds_text(one.seconds)),
            ("Tries", f"{run.tries:,}"),
            ("Gold tables", f"{len(gold):,}"),
            ("Cost", cost_text(run.costs, is_billed=run.is_billed)),
        ]
    )


def changes(run: RunFacts) -> Markup:
    """Return what a run without steps changed in the catalog: a rollback, or a refresh."""
    changed = [each for each in run.tables if each.change != "unchanged"]
    what = f"A {run.summary.pipeline} has no steps." if run.summary.pipeline else "No step is on record."
    if not changed:
        return element("p", f"{what} It changed no table.")
    rows = [(each.table, _change(each), each.rows, each.version or None) for each in changed]
    columns = ("table", "change", "rows", "version that is current since then")
    return joined([element("p", what), table("Tables that this run changed", columns, rows)])


def _change(each: TableFacts) -> str:
    """Return what became of a table; a rollback writes no rows, but makes earlier ones current."""
    return "rolled back" if each.is_rolled_back else each.change


def _lineage(run: RunFacts, settings: Settings) -> Markup:
    rows_of = {each.table: each.rows for each in run.tables}
    items = []
    for step in run.steps:
        reads, writes = lineage_of(Step.parse(step.step), settings)
        if reads or writes:
            items.append(
                element(
                    "li",
                    _things(reads, rows_of, "reads"),
                    element("span", "→", class_="arrow", aria_hidden="true"),
                    element("span", step.step, class_="step"),
                    element("span", "→", class_="arrow", aria_hidden="true"),
                    _things(writes, rows_of, "writes"),
                )
            )
    if not items:
        return element("p", "No step of this run reads or writes a table that the settings know.")
    more = f"{len(items) - MOST_ROWS:,} more steps are left out." if len(items) > MOST_ROWS else None
    return joined([element("ol", items[:MOST_ROWS], class_="lineage"), element("p", more) if more else None])


def _things(names: Sequence[str], rows_of: Mapping[str, int | None], what: str) -> Markup:
    def line(name: str) -> Markup:
        rows = rows_of.get(name)
        count = element("span", f" {rows:,} rows", class_="soft") if rows is not None else None
        return element("li", name, count)

    return element("ul", map(line, names), aria_label=what)


def _rows(run: RunFacts, spell: Spell) -> Iterator[Markup]:
    sums = {layer: [each for each in run.tables if each.layer == layer] for layer in LAYERS}
    yield table(
        "Rows per layer",
        ("layer", "tables", "rows"),
        [(layer, len(each), sum(one.rows or 0 for one in each)) for layer, each in sums.items() if each],
    )
    for step, proof in run.proofs.items():
        landed, reported = shown(proof.get("landed")), shown(proof.get("reported"))
        proven = "proven" if proof.get("proven") else "not proven"
        yield element("p", f"{step}: {landed} rows landed of {reported} that the service reported: {proven}.")
    counts = ("rows_in", "rows_out", "merged", "rejected")
    yield table(
        "Rows per table, with what its job counted",
        ("table", "change", "rows", "read", "written", "merged", "rejected"),
        [
            (each.table, _change(each), each.rows, *(each.counts.get(name) for name in counts))
            for each in run.tables
        ],
        more=f"{spell(command('runs', 'show', run.summary.run_id))} lists them.",
    )


def _quality(run: RunFacts) -> Markup:
    flagged = [(each, rule, count) for each in run.tables for rule, count in each.flags.items()]
    if not flagged:
        return element("p", "No quality rule flagged a row, as far as the jobs counted.")

    def share(each: TableFacts, count: int) -> str:
        return f"{100 * count / each.rows:.2f} %" if each.rows else "–"

    return table(
        "Rows that each quality rule flagged",
        ("rule", "table", "rows", "share"),
        [(rule, each.table, count, share(each, count)) for each, rule, count in flagged],
        right=("share",),
    )


def _checks(run: RunFacts, settings: Settings) -> Iterator[Markup]:
    if run.broken:
        columns = ("table", "rule", "result", "rows that break it")
        yield table("Rules that new versions broke", columns, map(_broken_row, run.broken))
    passed = [(each.table, _kept(each, run.broken)) for each in run.tables]
    rows = [(name, coloured(KEPT), len(rules), "; ".join(rules)) for name, rules in passed if rules]
    if rows:
        yield table(
            "Faults that the checks looked for and did not find",
            ("table", "result", "checks", "no row where"),
            rows,
        )
    if not rows and not run.broken:
        yield element("p", "No check of this run is on record.")
    if changed := [(each.table, text) for each in run.tables for text in each.warnings]:
        yield table("What contracts and checks let pass", ("table", "change"), changed)
    held = [each.table for each in run.tables if (settings.contracts_folder / f"{each.table}.toml").is_file()]
    if run.tables:
        count = f"{len(held):,} of {len(run.tables):,} tables have a contract"
        yield element("p", f"{count}. A change that would break readers stops a run.")


def _broken_row(one: BrokenRule) -> tuple[object, ...]:
    result = "passed with a warning" if one.reaction == "evolve" else STOPPED
    return one.table, one.rule, coloured(result), one.count


def _kept(each: TableFacts, broken: Sequence[BrokenRule]) -> list[str]:
    """Return the rules that the audit of the table's version evaluated and found kept."""
    # Only the record knows them: the settings may have other rules today than when the version was published.
    broken_rules = {one.name for one in broken if one.table == each.table}
    return [rule for rule in each.rules if rule not in broken_rules]


def _versions(run: RunFacts, current: CurrentVersions, why_not: str) -> Markup:
    published = [each for each in run.tables if each.is_published]
    if not published:
        return element("p", "This run published no version.")
    if not current:
        said = f" The catalog was not asked for the current versions: {why_not}." if why_not else ""
        return element("p", f"{_made_current(published)}{said}")

    def row(each: TableFacts) -> tuple[object, ...]:
        version, since = current.get(each.table, ("", ""))
        is_own = _is_own(version, each, run.summary.run_id)
        ours = "to which this run rolled back" if each.is_rolled_back else "this run's"
        of_this = ours if is_own else "of another run" if version else "not in the catalog"
        return each.table, element("span", version, class_="id"), of_this, since

    return table(
        "The version that readers see now", ("table", "version", "whose", "since"), map(row, published)
    )


def _made_current(tables: Sequence[TableFacts]) -> str:
    """Return which versions the run made current, as a sentence."""
    names = list(dict.fromkeys(each.version for each in tables if each.version))
    version = f"version {', '.join(names[:MOST_VERSIONS])}" if names else ""
    if any(each.is_rolled_back for each in tables):
        rolled_back = ", ".join(each.table for each in tables)
        return f"This run rolled {rolled_back} back to {version or 'an earlier version'}."
    count = "1 table" if len(tables) == 1 else f"{len(tables):,} tables"
    return f"This run published {count}{f' as {version}' if version else ''}."


def _is_own(version: str, each: TableFacts, run_id: str) -> bool:
    """Return whether a version is the one that the run published of a table."""
    # Older events do not name it: then a name that a try of this run gives, as `RunId.version` makes them.
    own = re.escape(each.version) if each.version else rf"{re.escape(run_id)}(\.g\d+)?(\.\d+)?"
    return bool(re.fullmatch(own, version))


def contents(ids: Iterable[tuple[str, str]]) -> Markup:
    """Return the links to the sections."""
    links = (element("li", element("a", heading, href=f"#{name}")) for name, heading in ids)
    return element("nav", element("ul", links), aria_label="Sections")
