"""Athena's grammar: what sqlglot reads as Trino's SQL, less what only other engines accept.

A function is read as a call by name, never as one of sqlglot's own functions, so that two names of one function of
another engine cannot be confused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.generators.trino import TrinoGenerator
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from etltctl.local.services.athena.dialect.errors import QueryError, unsupported

SPECIAL_FORMS = (
    "CAST", "TRY_CAST", "EXTRACT", "TRIM", "POSITION", "NORMALIZE", "LISTAGG", "SUBSTRING", "JSON_OBJECT",
    "JSON_QUERY", "JSON_VALUE",
)  # fmt: skip
LITERAL = "literal"  # marks `date '…'`, which is not a cast of a varchar
START = "start"  # marks a `?` with the place where it stands
FOREIGN_TYPE = "foreign_type"  # marks a type whose word Trino does not know
TYPE_WORDS = frozenset([
    "BOOLEAN", "TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "REAL", "DOUBLE", "DECIMAL", "DEC",
    "NUMERIC", "VARCHAR", "CHAR", "VARBINARY", "JSON", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "ARRAY",
    "MAP", "ROW", "UUID", "IPADDRESS", "UNKNOWN",
])  # fmt: skip
# Athena's grammar has no statement that begins with another word.
STATEMENTS = frozenset([
    "SELECT", "WITH", "VALUES", "TABLE", "(", "CREATE", "DROP", "ALTER", "INSERT", "UPDATE", "DELETE",
    "MERGE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "MSCK", "UNLOAD", "PREPARE", "EXECUTE", "DEALLOCATE",
    "USE", "VACUUM", "OPTIMIZE", "COPY",
])  # fmt: skip
# Strings, quoted names and comments stay as they are; a number may have underscores, and its exponent ends before a
# sign: sqlglot would take `1e0+1` for one number.
NUMBERS = re.compile(
    r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/)|(?<![\w.])(\d+(?:_\d+)+)|(?<=\d)([eE][+-]?\d+)(?=[+-])|(?<![\w.'])(0[xXbBoO]\w+)""",
    re.DOTALL,
)
FIRST_WORDS = ("SELECT", "WITH", "VALUES", "TABLE", "CREATE", "DELETE", "UPDATE", "MERGE")
# Words of clauses that Trino lacks. sqlglot reads them for other engines.
FOREIGN = {"QUALIFY", "ILIKE", "RLIKE", "SIMILAR", "PIVOT", "UNPIVOT", "GLOB", "ASOF", "TOP"}


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


# Text in quotes or a comment. The group is the mark of one that is not closed.
QUOTED = re.compile(r"""'(?:[^']|'')*'(?!')|"(?:[^"]|"")*"(?!")|/\*.*?\*/|--[^\n]*|('|"|/\*)""", re.DOTALL)


def parse(sql: str) -> exp.Expr:
    """Return the one statement in the text.

    Raises:
        QueryError: SYNTAX_ERROR if Athena's grammar does not have it.
    """
    try:
        sql = NUMBERS.sub(_plain_number, sql)
        tokens = sqlglot.tokenize(sql, read="trino")
        # Statements that Athena passes on to Hive (DDL) keep sqlglot's own reading.
        is_query = bool(tokens) and (tokens[0].text.upper() in FIRST_WORDS or tokens[0].text == "(")
        if tokens and tokens[0].text.upper() not in STATEMENTS:
            raise _at(tokens[0])
        if is_query and not _is_hive(tokens):
            _refuse_foreign(tokens)
        read = AthenaSql if is_query and not _is_hive(tokens) else "athena"
        statements = [statement for statement in sqlglot.parse(sql, read=read) if statement is not None]
    except TokenError as error:
        raise _unclosed(sql) from error
    except ParseError as error:
        places = getattr(error, "errors", None) or [{}]
        line, column = places[0].get("line", 1), places[0].get("col", 1)
        what = places[0].get("highlight") or places[0].get("description") or "input"
        raise QueryError("SYNTAX_ERROR", f"line {line}:{column}: mismatched input '{what}'") from error
    if len(statements) != 1:
        raise QueryError("SYNTAX_ERROR", "line 1:1: Only one sql statement is allowed")
    return statements[0]


def _unclosed(sql: str) -> QueryError:
    """Build the error of a quote or a comment that is not closed, at the place where it begins."""
    begin = next((match for match in QUOTED.finditer(sql) if match[1]), None)
    if begin is None:
        return QueryError("SYNTAX_ERROR", "line 1:1: the text cannot be read as SQL")
    before = sql[: begin.start()]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return QueryError(
        "SYNTAX_ERROR", f"line {line}:{column}: mismatched input '{begin[1]}', which is not closed"
    )


def expression(sql: str) -> exp.Expr:
    """Return the one expression in the text, such as a row filter.

    Raises:
        QueryError: SYNTAX_ERROR if Athena's grammar does not have it.
    """
    query = parse(f"SELECT {sql}")
    if not isinstance(query, exp.Select) or len(query.expressions) != 1 or query.args.get("from_"):
        raise QueryError("SYNTAX_ERROR", f"line 1:1: {sql} is not one expression")
    item: exp.Expr = query.expressions[0]
    return item


def _plain_number(match: re.Match[str]) -> str:
    if match[4]:
        raise unsupported(f"the literal {match[4]}")
    if match[2]:
        return str(match[2]).replace("_", "")
    return f"{match[3]} " if match[3] else match[0]


def _is_hive(tokens: Sequence[Token]) -> bool:
    """Return whether a CREATE is one that Athena gives to Hive: everything but a view and CREATE TABLE AS."""
    words = [token.text.upper() for token in tokens]
    return words[0] == "CREATE" and "VIEW" not in words[:4] and "AS" not in words


def _refuse_foreign(tokens: Sequence[Token]) -> None:
    """Refuse what sqlglot reads and Trino does not."""
    limits: list[bool] = [False]  # by depth of brackets: whether LIMIT was there before OFFSET
    calls = [""]  # by depth of brackets: the word before the bracket
    for index, token in enumerate(tokens):
        word = token.text.upper() if token.token_type != TokenType.STRING else ""
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.token_type in (TokenType.L_PAREN, TokenType.L_BRACKET):
            limits.append(False)
            calls.append(before.text.upper() if before else "")
        elif token.token_type in (TokenType.R_PAREN, TokenType.R_BRACKET) and len(limits) > 1:
            limits.pop()
            calls.pop()
        if token.token_type == TokenType.IDENTIFIER:
            continue
        if token.token_type == TokenType.COLON and calls[-1] == "JSON_OBJECT":
            continue  # json_object('key' : value)
        if word == "LIMIT" and token.token_type == TokenType.LIMIT:
            limits[-1] = True
        if word in ("UNION", "EXCEPT", "INTERSECT"):
            limits[-1] = False
        if word == "OFFSET" and limits[-1] and token.token_type == TokenType.OFFSET:
            raise _at(token)
        if _is_foreign(token, word, before, after):
            raise _at(token)


def _is_foreign(token: Token, word: str, before: Token | None, after: Token | None) -> bool:
    previous = before.text.upper() if before else ""
    following = after.text.upper() if after else ""
    kind = token.token_type
    if word == "FROM" and previous == "(":
        return True
    if kind == TokenType.L_BRACKET and (before is None or not _ends_operand(before)):
        return True  # [1, 2] without ARRAY
    if word in FOREIGN and kind not in (TokenType.STRING, TokenType.VAR, TokenType.IDENTIFIER):
        return True
    if word == "TOP" and previous == "SELECT" and after is not None and after.token_type == TokenType.NUMBER:
        return True
    return (
        (kind in (TokenType.DCOLON, TokenType.L_BRACE, TokenType.COLON, TokenType.ARROW)
        and kind != TokenType.ARROW)
        or (word in ("EXCLUDE", "REPLACE") and previous == "*")
        or (word == "ON" and previous == "DISTINCT")
        or (word == "ALL" and previous == "BY" and following in ("", ")", "ORDER", "HAVING", "LIMIT", ";"))
        or word in ("==", "<=>", "//", "**", "~", "<<", ">>", "&", "^")
        or (word == "|" and kind != TokenType.DPIPE)
    )  # fmt: skip


def _ends_operand(token: Token) -> bool:
    """Return whether a subscript can follow the token."""
    if token.token_type in (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.IDENTIFIER, TokenType.VAR):
        return True
    words = (
        "SELECT", "IN", "AND", "OR", "NOT", "WHERE", "THEN", "ELSE", "WHEN", "BY", "ON", "VALUES", "FROM",
    )  # fmt: skip
    return token.text.replace("_", "").isalnum() and token.text.upper() not in words


def _at(token: Token) -> QueryError:
    column = token.col - len(token.text) + 1
    return QueryError("SYNTAX_ERROR", f"line {token.line}:{max(column, 1)}: mismatched input '{token.text}'")
