"""Athena's grammar: what sqlglot reads as Trino's SQL, less what only other engines accept.

A function is read as a call by name, never as one of sqlglot's own functions, so that two names of one function of
another engine cannot be confused.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.generators.trino import TrinoGenerator
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from etltctl.local.services.athena.dialect.errors import MalformedQueryError, unsupported
from etltctl.local.services.athena.dialect.grammar import LITERAL, require_grammar
from etltctl.local.services.athena.dialect.tokens import (
    is_hive,
    refuse_foreign,
    require_one_statement,
    unclosed,
)

SPECIAL_FORMS = (
    "CAST", "TRY_CAST", "EXTRACT", "TRIM", "POSITION", "NORMALIZE", "LISTAGG", "SUBSTRING", "JSON_OBJECT",
    "JSON_QUERY", "JSON_VALUE",
)  # fmt: skip
START = "start"  # marks a `?` with the place where it stands
FOREIGN_TYPE = "foreign_type"  # marks a type whose word Trino does not know
TYPE_WORDS = frozenset([
    "BOOLEAN", "TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "REAL", "DOUBLE", "DECIMAL", "DEC",
    "NUMERIC", "VARCHAR", "CHAR", "VARBINARY", "JSON", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "ARRAY",
    "MAP", "ROW", "UUID", "IPADDRESS", "UNKNOWN",
])  # fmt: skip
# Strings, quoted names and comments stay as they are; a number may have underscores, and its exponent ends before a
# sign: sqlglot would take `1e0+1` for one number.
NUMBERS = re.compile(
    r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/)|(?<![\w.])(\d+(?:_\d+)+)|(?<=\d)([eE][+-]?\d+)(?=[+-])|(?<![\w.'])(0[xXbBoO]\w+)""",
    re.DOTALL,
)
FIRST_WORDS = ("SELECT", "WITH", "VALUES", "TABLE", "CREATE", "DELETE", "UPDATE", "MERGE")


def _literal(parser: Any, this: exp.Expr, to: exp.DataType) -> exp.Expr:
    """Build the node of a typed literal."""
    built: exp.Expr = parser.expression(exp.Cast(this=this, to=to))
    built.meta[LITERAL] = True
    return built


def _placeholder(parser: Any) -> exp.Expr:
    """Build the node of a `?`, with its place in the text: the tree has another order."""
    built: exp.Expr = parser.expression(exp.Placeholder())
    built.meta[START] = parser._prev.start
    return built


def _json_exists(parser: Any) -> exp.Expr:
    """Build the call of json_exists. Its answer to an error is a third argument."""
    arguments = parser._parse_csv(parser._parse_assignment)
    on_error = parser._parse_on_handling("ERROR", "TRUE", "FALSE", "UNKNOWN", "ERROR")
    if on_error:
        arguments.append(exp.var(on_error.split()[0]))
    call: exp.Expr = parser.expression(exp.Anonymous(this="json_exists", expressions=arguments))
    return call


class AthenaSql(Trino):
    """Trino's SQL with every function read by its name."""

    INDEX_OFFSET = 0
    SUPPORTS_USER_DEFINED_TYPES = True  # so that an unknown type is refused by its own error

    class Parser(TrinoParser):
        """The parser, which reads functions by name and keeps the words of types."""

        # sqlglot's own functions would make one node of `strpos` and of another engine's `instr`.
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: TrinoParser.FUNCTION_PARSERS[name] for name in SPECIAL_FORMS
        } | {
            "JSON_EXISTS": lambda parser: _json_exists(parser),
            "JSON_VALUE": lambda parser: parser._parse_json_value(json_path=False),
            "JSON_ARRAY": lambda parser: parser.expression(
                exp.JSONArray(
                    expressions=parser._parse_csv(
                        lambda: parser._parse_format_json(parser._parse_assignment())
                    ),
                    null_handling=parser._parse_on_handling("NULL", "NULL", "ABSENT"),
                )
            ),
        }
        # sqlglot misspells the last word of one of these.
        JSON_QUERY_OPTIONS: ClassVar[dict[str, Any]] = {
            **TrinoParser.JSON_QUERY_OPTIONS,
            "WITH": (
                *TrinoParser.JSON_QUERY_OPTIONS["WITH"],
                ("CONDITIONAL", "ARRAY", "WRAPPER"),
            ),
        }
        PLACEHOLDER_PARSERS: ClassVar[dict[Any, Any]] = {
            **TrinoParser.PLACEHOLDER_PARSERS, TokenType.PLACEHOLDER: _placeholder,
        }  # fmt: skip
        TYPE_LITERAL_PARSERS: ClassVar[dict[Any, Any]] = dict.fromkeys(exp.DType, _literal)

        def raise_error(self, message: str, token: Any = None) -> None:
            """Record an error at the end of the text as one there, not as one at the last token."""
            super().raise_error(message, token or self._curr or _end_of(self.sql, self._prev))

        def _parse_types(self, *arguments: Any, **named: Any) -> Any:
            """Keep the word that names a type, because sqlglot takes the words of every engine."""
            word = self._curr.text if self._curr else ""
            kind = super()._parse_types(*arguments, **named)
            if isinstance(kind, exp.DataType) and word.upper() not in TYPE_WORDS:
                kind.meta[FOREIGN_TYPE] = word
            return kind

        # Of `a.b`, `a::int`, `a -> b` and the like Trino has only the dot.
        COLUMN_OPERATORS: ClassVar[dict[Any, Any]] = {
            token: parser for token, parser in TrinoParser.COLUMN_OPERATORS.items() if token == TokenType.DOT
        }

    class Generator(TrinoGenerator):
        """The generator, which writes a typed literal as one."""

        def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
            """Return the SQL of a cast or of a typed literal."""
            if expression.meta.get(LITERAL):
                name = (
                    "TIMESTAMP"
                    if expression.to.this.name.startswith("TIMESTAMP")
                    else expression.to.this.name
                )
                return f"{'TIME' if name == 'TIMETZ' else name} {self.sql(expression, 'this')}"
            return super().cast_sql(expression, safe_prefix)


def parse(sql: str) -> exp.Expr:
    """Return the one statement in the text.

    Raises:
        MalformedQueryError: Athena's grammar does not have it.
    """
    try:
        sql = NUMBERS.sub(_plain_number, sql)
        tokens = sqlglot.tokenize(sql, read="trino")
        # Statements that Athena passes on to Hive (DDL) keep sqlglot's own reading.
        is_query = bool(tokens) and (tokens[0].text.upper() in FIRST_WORDS or tokens[0].text == "(")
        require_one_statement(tokens, sql)
        is_query = is_query and not is_hive(tokens)
        if is_query:
            refuse_foreign(tokens, sql)
        read = AthenaSql if is_query else "athena"
        statements = [statement for statement in sqlglot.parse(sql, read=read) if statement is not None]
    except TokenError as error:
        raise unclosed(sql) from error
    except ParseError as error:
        places = getattr(error, "errors", None) or [{}]
        what = places[0].get("highlight") or ""
        # sqlglot counts the column at the end of a token, Athena at its beginning.
        line, column = places[0].get("line", 1), places[0].get("col", 1) - max(len(what), 1) + 1
        raise MalformedQueryError(f"line {line}:{column}: mismatched input '{what or '<EOF>'}'") from error
    return require_grammar(statements[0])


def _end_of(sql: str, last: Token) -> Token:
    """Return a token without a text at the end of the statement, whose last token is known."""
    before = sql if not sql[last.end + 1 :].strip() else sql[: last.end + 1]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Token(TokenType.VAR, "", line, column, len(before), len(before) - 1, [])


def expression(sql: str) -> exp.Expr:
    """Return the one expression in the text, such as a row filter.

    Raises:
        MalformedQueryError: Athena's grammar does not have it.
    """
    query = parse(f"SELECT {sql}")
    if not isinstance(query, exp.Select) or len(query.expressions) != 1 or query.args.get("from_"):
        raise MalformedQueryError(f"line 1:1: {sql} is not one expression")
    item: exp.Expr = query.expressions[0]
    return item


def _plain_number(match: re.Match[str]) -> str:
    if match[4]:
        raise unsupported(f"the literal {match[4]}")
    if match[2]:
        return str(match[2]).replace("_", "")
    return f"{match[3]} " if match[3] else match[0]
