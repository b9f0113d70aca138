"""Next steps for a query that Athena refused, and for a role that STS did not give."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING

from etltctl.causes import UNKNOWN, Failure, Line, diagnose
from etltctl.errors import EtltctlError, NextStep, RunFailedError, command
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings

TABLES = command("athena", "tables")
NO_TABLE = re.compile(r"(?:TABLE|SCHEMA)_NOT_FOUND: .*?'(?:awsdatacatalog\.)?(\w+)(?:\.(\w+))?")
# A name after FROM or JOIN. What has a bracket behind it is a function or a subquery.
FROM = re.compile(r"\b(?:from|join)\s+([\w.\"]+)(?![\w.\"]|\s*\()", re.IGNORECASE)
COMMA_AFTER_FROM = re.compile(r"\bfrom\s+[\w.\"]+(?:\s+(?:as\s+)?\w+)?\s*,", re.IGNORECASE)
REFUSED = "query REFUSED: "  # an error of a query that Athena did not start
PLACE = re.compile(r"line (\d+):(\d+)")
SHOWN = 40  # characters of the query at the place of an error
UNPLACED = "Queries of this type are not supported"
# Texts, quoted names and comments are passed over; a backquote or a name that begins with a digit is the group.
SUSPECT = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|(?P<what>`|(?<![\w.])\d+(?![eE]\d)[A-Za-z_]\w*)""",
    re.DOTALL,
)
NAMED_SUBQUERY = re.compile(r"(\w+)\s+as\s*\(", re.IGNORECASE)


def step_after_failure(
    error: RunFailedError,
    sql: str,
    database: str,
    settings: Settings,
    list_tables: Callable[[], Iterable[tuple[str, str]]],
) -> NextStep:
    """Return the next step after a query that failed; that of the error if nothing better is known.

    Args:
        error: The error, with Athena's reason.
        sql: The query.
        database: The database of names without one.
        settings: The settings.
        list_tables: Returns layer and name of every table of the catalog.
    """
    # People write the layer's name, which is the database only where the settings do not name another.
    if layer := _layer_in_place_of_a_database(error.message, settings):
        named = settings.athena.databases[layer]
        return NextStep(f"in SQL the layer {layer} is the database {named}: write {named}.TABLE")
    if error.message.startswith(REFUSED):
        return _step_after_syntax(error, sql)
    if "COLUMN_NOT_FOUND: " in error.message:
        return _step_after_no_column(sql, database, settings)
    if "TABLE_NOT_FOUND: " in error.message:
        with suppress(EtltctlError):  # the reason is right without the nearest name, too
            return _step_after_no_table(error.message, database, settings, list_tables())
    return error.next_step


def _step_after_syntax(error: RunFailedError, sql: str) -> NextStep:
    """Return where the text has to be corrected; that of the error if Athena gives no place and none is seen."""
    if UNPLACED in error.message:
        if match := next((match for match in SUSPECT.finditer(sql) if match["what"]), None):
            is_quote = match["what"] == "`"
            rule = (
                'a query quotes names with ", and only DDL with `'
                if is_quote
                else "a name that begins with a digit needs double quotes"
            )
            return NextStep(f"{_place(sql, match.start('what'))}: {rule}")
        word = next(iter(re.findall(r"[A-Za-z]+", sql)), "")
        return NextStep(f"Athena has no statement {word.upper()}; its documentation lists those that it has")
    if (place := PLACE.search(error.message)) is None:
        return error.next_step
    lines = sql.split("\n")
    line, column = int(place[1]), int(place[2])
    rest = lines[line - 1][column - 1 :].strip() if line <= len(lines) else ""
    at = f"at {rest[:SHOWN]}" if rest else "at its end"
    return NextStep(f"line {line}, column {column}, {at}: ", *error.next_step.parts)


def _place(sql: str, at: int) -> str:
    return f"line {sql.count(chr(10), 0, at) + 1}, column {at - sql.rfind(chr(10), 0, at)}"


def cause_of_query(error: RunFailedError) -> dict[str, object]:
    """Return the cause of a query that failed as a fact of its error; nothing if the catalogue has none.

    Args:
        error: The error, with Athena's reason.
    """
    cause = diagnose(Failure((Line(error.message),), "Athena")).cause
    return {} if cause == UNKNOWN else {"cause": f"{cause.code} {cause.title}"}


def _step_after_no_column(sql: str, database: str, settings: Settings) -> NextStep:
    """Return the command that shows the columns of the query's table; of several tables, their list."""
    names = {name.replace('"', "").lower() for name in FROM.findall(sql)}
    is_alone = len(names) == 1 and not COMMA_AFTER_FROM.search(sql) and not NAMED_SUBQUERY.search(sql)
    if not is_alone:
        return NextStep(TABLES)
    *before, table = names.pop().split(".")
    named = before[-1] if before else database
    layer = next((layer for layer, known in settings.athena.databases.items() if known == named), "")
    return NextStep(command("athena", "describe", TableName(layer, table)) if layer else TABLES)


def _step_after_no_table(
    message: str, database: str, settings: Settings, tables: Iterable[tuple[str, str]]
) -> NextStep:
    """Return the nearest name of a table that there is, and the command that lists them all."""
    missing = NO_TABLE.search(message)
    names = [(settings.athena.databases[layer], table) for layer, table in tables]
    near = (
        get_close_matches((missing[2] or "").lower(), [table for _, table in names], n=1) if missing else []
    )
    if not near:
        return NextStep(TABLES)
    # Two layers may have tables of one name. The database that the query named decides.
    holders = [known for known, table in names if table == near[0]]
    named = missing[1] if missing and missing[1] in holders else holders[0]
    guess = near[0] if named == database else f"{named}.{near[0]}"
    return NextStep(f"did you mean {guess}? Every table: ", TABLES)


def _layer_in_place_of_a_database(message: str, settings: Settings) -> str:
    """Return the layer that a query named as if it were a database; empty if it named none."""
    missing, layers = NO_TABLE.search(message), settings.athena.databases
    return missing[1] if missing and missing[1] in layers and missing[1] not in layers.values() else ""


def step_after_no_role(role: str, settings: Settings, allow: NextStep) -> NextStep:
    """Return the next step after STS did not give a role. AWS does not say whether there is such a role.

    Args:
        role: The role's ARN.
        settings: The settings, whose governance may name the role.
        allow: The step if the role exists and the caller may not assume it.
    """
    name, roles = role.partition(":role/")[2], settings.governance.roles
    if settings.governance.is_configured and name not in roles:
        near = get_close_matches(name, roles, n=1)
        guess = f"did you mean role:{near[0]}? " if near else ""
        step = NextStep(
            f"{guess}no setting of governance names role:{name}: add it to governance.grants, then: ",
            command("govern", "apply"),
        )
    elif settings.environment.makes_roles and name not in roles:
        step = NextStep(
            "the embedded endpoints have the roles that governance names, and those that IAM's CreateRole made; "
            "docs/governance.md has an example"
        )
    else:
        step = NextStep("if the account has no such role, create it")
    # The embedded STS gives every role that exists.
    return step if settings.environment.makes_roles else NextStep(*step.parts, "; if it has: ", *allow.parts)
