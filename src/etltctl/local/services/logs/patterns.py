"""Filter patterns of CloudWatch Logs for lines without structure: terms, phrases, alternatives and exclusions."""

from __future__ import annotations

import re
from collections.abc import Callable

from etltctl.local.kernel.json_protocol import AwsError

TERM = re.compile(r'(?P<sign>[?-]?)(?:"(?P<phrase>(?:[^"\\]|\\.)*)"|(?P<word>[^\s"]+))')
STRUCTURED = ("{", "[", "%")  # begins a pattern for JSON, for columns, or for a regular expression


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that says whether a line fits a filter pattern; case counts.

    A line has every plain term, at least one of the terms with `?`, and none with `-`. If a pattern has plain terms,
    those with `?` do not count. Source: the page "Filter pattern syntax" of CloudWatch Logs.

    Raises:
        AwsError: The pattern is of a kind that is not modelled here.
    """
    pattern = pattern.strip()
    # Refused, because lines that wrongly fit or do not fit would look like an answer.
    if pattern.startswith(STRUCTURED):
        raise AwsError(
            "NotImplementedException",
            f"the embedded server does not model the filter pattern {pattern[:60]}: only terms are",
            501,
        )
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    for term in TERM.finditer(pattern):
        # Inside quotation marks a backslash makes the next character itself.
        phrase = re.sub(r"\\(.)", r"\1", term["phrase"]) if term["phrase"] is not None else term["word"]
        terms[term["sign"]].append(phrase)

    def fits(line: str) -> bool:
        has_plain = all(term in line for term in terms[""])
        is_alternative = bool(terms[""]) or not terms["?"] or any(term in line for term in terms["?"])
        return has_plain and is_alternative and not any(term in line for term in terms["-"])

    return fits
