"""The tokens of a statement, and those among them that sqlglot reads for other engines and Athena refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sqlglot.tokenizer_core import Token, TokenType

from etltctl.local.services.athena.dialect.errors import MalformedQueryError

# Athena's grammar has no statement that begins with another word.
STATEMENTS = frozenset([
    "SELECT", "WITH", "VALUES", "TABLE", "(", "CREATE", "DROP", "ALTER", "INSERT", "UPDATE", "DELETE",
    "MERGE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "MSCK", "UNLOAD", "PREPARE", "EXECUTE", "DEALLOCATE",
    "VACUUM", "OPTIMIZE",
])  # fmt: skip
# Trino's grammar has these statements, so that Athena reads them and then refuses them without a place.
OTHER_STATEMENTS = frozenset([
    "ANALYZE", "CALL", "COMMIT", "DENY", "GRANT", "RESET", "REVOKE", "ROLLBACK", "SET", "START", "TRUNCATE", "USE",
])  # fmt: skip
NOT_SUPPORTED = "Queries of this type are not supported"
EXPECTED = (
    "'ALTER', 'ANALYZE', 'CALL', 'COMMIT', 'CREATE', 'DEALLOCATE', 'DELETE', 'DESC', 'DESCRIBE', 'DROP', 'EXECUTE', "
    "'EXPLAIN', 'GRANT', 'INSERT', 'MERGE', 'PREPARE', 'RESET', 'REVOKE', 'ROLLBACK', 'SET', 'SHOW', 'START', "
    "'UNLOAD', 'UPDATE', 'USE', <query>"
)
# Words of clauses that Trino lacks. sqlglot reads them for other engines.
FOREIGN = {"QUALIFY", "ILIKE", "RLIKE", "SIMILAR TO", "PIVOT", "UNPIVOT", "GLOB", "ASOF", "TOP"}
FOREIGN_KINDS = frozenset([
    TokenType.DCOLON, TokenType.L_BRACE, TokenType.COLON, TokenType.COLON_EQ, TokenType.PARAMETER, TokenType.ISNULL,
    TokenType.NOTNULL,
])  # fmt: skip
FOREIGN_SIGNS = ("==", "<=>", "//", "**", "~", "<<", ">>", "&", "^")
OPENING = (TokenType.L_PAREN, TokenType.L_BRACKET)
CLOSING = (TokenType.R_PAREN, TokenType.R_BRACKET)
NAMES = (TokenType.VAR, TokenType.IDENTIFIER)
UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
ENDS_OF_KEYS = ("", ")", "ORDER BY", "HAVING", "LIMIT", ";", "OFFSET", "UNION")
TRUTHS = ("TRUE", "FALSE", "UNKNOWN")
# Text in quotes or a comment. The group is the mark of one that is not closed.
QUOTED = re.compile(r"""'(?:[^']|'')*'(?!')|"(?:[^"]|"")*"(?!")|/\*.*?\*/|--[^\n]*|('|"|/\*)""", re.DOTALL)
AN_EXPRESSION = "'*', 'ALL', 'DISTINCT', <expression>"


def require_one_statement(tokens: Sequence[Token], sql: str) -> None:
    """Refuse a text that does not begin as one of Athena's statements, or in which another one follows.

    Raises:
        MalformedQueryError: The text is empty, begins with another word, or has a second statement.
    """
    if not tokens:
        raise end_of(sql, EXPECTED)
    word = tokens[0].text.upper()
    if word in OTHER_STATEMENTS:
        raise MalformedQueryError(NOT_SUPPORTED)
    if word not in STATEMENTS:
        raise mismatch(tokens[0], EXPECTED)
    ends = (index for index, token in enumerate(tokens) if token.token_type == TokenType.SEMICOLON)
    if (end := next(ends, None)) is None or end + 1 == len(tokens):
        return
    second = tokens[end + 1]
    if second.token_type == TokenType.SEMICOLON:
        raise mismatch(second, "<EOF>")
    raise MalformedQueryError(f"{place(second)}: Only one sql statement is allowed")


def unclosed(sql: str) -> MalformedQueryError:
    """Build the error of a quote or a comment that is not closed, at the place where it begins."""
    begin = next((match for match in QUOTED.finditer(sql) if match[1]), None)
    if begin is None:
        return MalformedQueryError("line 1:1: the text cannot be read as SQL")
    before = sql[: begin.start()]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return MalformedQueryError(f"line {line}:{column}: mismatched input '{begin[1]}', which is not closed")


def is_hive(tokens: Sequence[Token]) -> bool:
    """Return whether a CREATE is one that Athena gives to Hive: everything but a view and CREATE TABLE AS."""
    words = [token.text.upper() for token in tokens]
    return words[0] == "CREATE" and "VIEW" not in words[:4] and "AS" not in words


@dataclass
class _Bracket:
    """What has been read since a bracket was opened."""

    is_query: bool = False  # whether SELECT stands in it, so that FROM names tables
    call: str = ""  # the word before the bracket, in capitals
    has_limit: bool = False  # in Trino OFFSET stands before LIMIT


@dataclass(frozen=True)
class _Place:
    """A token between its neighbours."""

    token: Token
    before: Sequence[Token]  # at most three
    after: Token | None
    bracket: _Bracket = field(default_factory=_Bracket)

    @property
    def word(self) -> str:
        """The token in capitals; empty for a text."""
        return _word(self.token)

    @property
    def previous(self) -> str:
        """The token before this one, in capitals."""
        return _word(self.before[-1]) if self.before else ""

    @property
    def first(self) -> str:
        """The token before the previous one, in capitals."""
        return _word(self.before[-2]) if len(self.before) > 1 else ""

    @property
    def is_comparison(self) -> bool:
        """Whether DISTINCT FROM stands here or before this token, with at most one other between."""
        words = [*(_word(token) for token in self.before), self.word]
        return ("DISTINCT", "FROM") in pairwise(words)

    @property
    def following(self) -> str:
        """The token after this one, in capitals."""
        return _word(self.after)


def refuse_foreign(tokens: Sequence[Token], sql: str) -> None:
    """Refuse what sqlglot reads and Trino does not.

    Raises:
        MalformedQueryError: There is such a token.
    """
    for at in _places(tokens):
        if at.token.token_type == TokenType.IDENTIFIER:
            continue
        # Athena gives no place for a name in backquotes, or for one that begins with a digit.
        if at.word == "`" or _touches_number(at):
            raise MalformedQueryError(NOT_SUPPORTED)
        if at.word == "SELECT" and at.after is None:
            raise end_of(sql, AN_EXPRESSION)
        if at.token.token_type == TokenType.STRING and at.previous == "INTERVAL" and at.after is None:
            raise end_of(sql, ", ".join(f"'{unit}'" for unit in UNITS))
        if refused := _refused_after(at) or (at.token if _is_refused(at) else None):
            raise mismatch(refused)


def _places(tokens: Sequence[Token]) -> Iterator[_Place]:
    brackets = [_Bracket(call=_word(tokens[0]))]
    for index, token in enumerate(tokens):
        if token.token_type in CLOSING and len(brackets) > 1:
            brackets.pop()
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        yield _Place(token, tokens[max(index - 3, 0) : index], after, brackets[-1])
        word, bracket = _word(token), brackets[-1]
        bracket.is_query |= word == "SELECT"
        bracket.has_limit |= word == "LIMIT" and token.token_type == TokenType.LIMIT
        if word in ("UNION", "EXCEPT", "INTERSECT"):
            bracket.has_limit = False
        if token.token_type in OPENING:
            brackets.append(_Bracket(call=_word(tokens[index - 1]) if index else ""))


def _is_refused(at: _Place) -> bool:
    """Return whether the token cannot stand behind the one before it."""
    return _is_foreign(at) or _is_foreign_sign(at) or _is_out_of_place(at)


def _is_foreign(at: _Place) -> bool:
    kind, word = at.token.token_type, at.word
    if word in FOREIGN and kind != TokenType.VAR:
        return True
    if word == "TOP" and at.previous == "SELECT":
        return at.after is not None and at.after.token_type == TokenType.NUMBER
    return (
        (kind in FOREIGN_KINDS and not (kind == TokenType.COLON and at.bracket.call == "JSON_OBJECT"))
        or (word == "INTO" and at.previous != "MERGE")
        or (word in ("EXCLUDE", "REPLACE") and at.previous == "*")
        or (word == "ON" and at.previous == "DISTINCT")
        or (word.startswith("$") and kind == TokenType.VAR)
        or (word in TRUTHS and (at.previous == "IS" or (at.first, at.previous) == ("IS", "NOT")))
    )


def _is_foreign_sign(at: _Place) -> bool:
    word = at.word
    return (
        word in FOREIGN_SIGNS
        or (word == "|" and at.token.token_type != TokenType.DPIPE)
        or (word == "<" and at.previous == "<")
        or (word == "*" and at.previous == "*")
    )


def _is_out_of_place(at: _Place) -> bool:
    kind, word, before = at.token.token_type, at.word, at.before[-1] if at.before else None
    is_after_name = before is not None and before.token_type in NAMES
    # A name with a bracket behind it is a function, which no query can be the argument of; `x (SELECT …)` lacks AS.
    opens = at.previous == "(" and len(at.before) > 1 and at.before[-2].token_type in NAMES
    return (
        (
            kind == TokenType.L_BRACKET and (before is None or not _ends_operand(before))
        )  # [1, 2] without ARRAY
        or (word == "FROM" and at.previous in ("(", "SELECT", ","))
        or (word == "OFFSET" and kind == TokenType.OFFSET and at.bracket.has_limit)
        or (word == "," and at.first == "LIMIT" and at.bracket.has_limit)
        or (word == "ALL" and at.previous == "GROUP BY" and at.following in ENDS_OF_KEYS)
        or (word == "SELECT" and (is_after_name or opens))
        or (word == "(" and is_after_name and _names_tables(at.first, at.bracket) and not at.is_comparison)
        or (word == "(" and at.first == "VIEW")
        or (kind == TokenType.NUMBER and at.previous == "INTERVAL")
        or (word == ")" and at.previous == "(" and at.first == "IN")
    )


def _refused_after(at: _Place) -> Token | None:
    """Return the token behind this one, if this one needs another."""
    after = at.after
    if after is None:
        return None
    is_text = after.token_type == TokenType.STRING
    is_file = is_text and _names_tables(at.word, at.bracket) and not at.is_comparison
    is_lock = at.word == "FOR" and at.following in ("UPDATE", "SHARE")
    lacks_bracket = at.word == "USING" and at.following != "(" and at.bracket.call != "MERGE"
    is_interval = at.token.token_type == TokenType.STRING and at.previous == "INTERVAL"
    lacks_unit = is_interval and at.following not in UNITS
    lacks_where = at.word == "(" and (at.first, at.previous) == (")", "FILTER") and at.following != "WHERE"
    return after if is_file or is_lock or lacks_bracket or lacks_unit or lacks_where else None


def _names_tables(word: str, bracket: _Bracket) -> bool:
    """Return whether a table stands behind the word. In `extract(year FROM x)` none does."""
    return word == "JOIN" or (word == "FROM" and bracket.is_query)


def _word(token: Token | None) -> str:
    return token.text.upper() if token is not None and token.token_type != TokenType.STRING else ""


def _touches_number(at: _Place) -> bool:
    """Return whether the token is the rest of a name that begins with a digit."""
    before = at.before[-1] if at.before else None
    if before is None or before.token_type != TokenType.NUMBER:
        return False
    return before.end + 1 == at.token.start and at.token.text[:1].isidentifier()


def _ends_operand(token: Token) -> bool:
    """Return whether a subscript can follow the token."""
    if token.token_type in (*CLOSING, *NAMES):
        return True
    words = (
        "SELECT", "IN", "AND", "OR", "NOT", "WHERE", "THEN", "ELSE", "WHEN", "BY", "ON", "VALUES", "FROM",
    )  # fmt: skip
    return token.text.replace("_", "").isalnum() and token.text.upper() not in words


def place(token: Token) -> str:
    """Return `line L:C` of the beginning of a token, which sqlglot knows the end of."""
    return f"line {token.line}:{max(token.col - (token.end - token.start), 1)}"


def mismatch(token: Token, expected: str = "") -> MalformedQueryError:
    """Build the error of a token that the grammar does not have here."""
    expecting = f". Expecting: {expected}" if expected else ""
    return MalformedQueryError(f"{place(token)}: mismatched input '{token.text}'{expecting}")


def end_of(sql: str, expected: str) -> MalformedQueryError:
    """Build the error of a text that ends too early."""
    line, column = sql.count("\n") + 1, len(sql) - sql.rfind("\n")
    return MalformedQueryError(f"line {line}:{column}: mismatched input '<EOF>'. Expecting: {expected}")
