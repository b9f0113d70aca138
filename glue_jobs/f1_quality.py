"""The data quality rules of Formula 1, as data: what is wrong with a row, and whether that flags or fails."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

_SESSION = "over (partition by season, round, session)"
_QUALIFYING = "over (partition by season, round)"


@dataclass(frozen=True)
class Rule:
    """Rows for which `broken` (SQL over a silver table's columns) is true carry `code`; `fail` ends the run."""

    code: str
    broken: str
    action: str = "flag"


@dataclass(frozen=True)
class Reference:
    """Every value of `columns` in `table` must exist in `dimension`; an orphan fails the run."""

    table: str
    columns: tuple[str, ...]
    dimension: str


_COMMON = (
    Rule("DUP_CONFLICT", "variants > 1"),
    Rule("TEXT_UNREADABLE", "is_unreadable"),
)


def _positions(window: str) -> Rule:
    distinct = f"size(collect_set(position) {window})"
    return Rule(
        "POSITION_GAP",
        f"not (max(position) {window} <=> count(*) {window}) or {distinct} <> count(*) {window}",
    )


RULES: Mapping[str, tuple[Rule, ...]] = {
    "silver.f1_result": (
        _positions(_SESSION),
        Rule("WINNER_COUNT", f"count_if(position_text = '1') {_SESSION} <> 1"),
        Rule("POINTS_RANGE", "not points between 0 and 60"),
        Rule("LAPS_GT_WINNER", f"laps > max(if(position = 1, laps, null)) {_SESSION}"),
        Rule("GRID_REPEATED", "grid > 0 and count(*) over (partition by season, round, session, grid) > 1"),
        Rule("FASTEST_LAP_COUNT", f"fastest_lap_rank = 1 and count_if(fastest_lap_rank = 1) {_SESSION} > 1"),
    ),
    "silver.f1_qualifying": (
        _positions(_QUALIFYING),
        Rule("Q2_WITHOUT_Q1", "q2_ms is not null and q1_ms is null"),
        Rule("Q3_WITHOUT_Q2", "q3_ms is not null and q2_ms is null"),
    ),
    "silver.f1_pit_stop": (
        Rule(
            "STOP_GAP",
            "max(stop) over (partition by season, round, driver_id)"
            " <> count(*) over (partition by season, round, driver_id)",
        ),
    ),
    "silver.f1_driver_standing": (Rule("POINTS_RANGE", "points < 0"),),
    "silver.f1_constructor_standing": (Rule("POINTS_RANGE", "points < 0"),),
}

_RACE = ("season", "round")
REFERENCES = (
    *(
        Reference(f"silver.f1_{table}", _RACE, "silver.f1_race")
        for table in ("result", "qualifying", "pit_stop", "lap", "driver_standing", "constructor_standing")
    ),
    *(
        Reference(f"silver.f1_{table}", ("driver_id",), "silver.f1_driver")
        for table in ("result", "qualifying", "pit_stop", "lap", "driver_standing")
    ),
    *(
        Reference(f"silver.f1_{table}", ("constructor_id",), "silver.f1_constructor")
        for table in ("result", "qualifying", "constructor_standing")
    ),
    Reference("silver.f1_race", ("circuit_id",), "silver.f1_circuit"),
)


def rules_of(table: str) -> tuple[Rule, ...]:
    """Return the rules of a table, beginning with those that every table has."""
    return (*_COMMON, *RULES.get(table, ()))


def failing_codes(actions: Mapping[str, str]) -> frozenset[str]:
    """Return the codes that end the run; `actions` (code to `flag` or `fail`) overrides the rules' own."""
    known = {
        rule.code: rule.action for rule in (*_COMMON, *(rule for rules in RULES.values() for rule in rules))
    }
    unknown = sorted(set(actions) - set(known) | {a for a in actions.values() if a not in ("flag", "fail")})
    if unknown:
        raise ValueError(f"no such rules or actions: {', '.join(unknown)}")
    return frozenset(code for code, action in {**known, **actions}.items() if action == "fail")


def flags(table: str) -> Column:
    """Return all codes of a row, in the order of the rules."""
    return F.array_compact(F.array(*(F.when(F.expr(rule.broken), rule.code) for rule in rules_of(table))))
