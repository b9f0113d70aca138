"""Words that say nothing of why a run failed, blanked so that no cause is read from them.

Users name their own things: a column may be called `time limit` and a table `bad_data`. Services add hints, such as
what a warning means if a job was cancelled. A blanked text keeps its length, so that a position in it is one in the
text itself.
"""

from __future__ import annotations

import re

# A quote inside a word is an apostrophe. A quote that ends in a sentence mark, or holds `: `, is a message.
QUOTED = re.compile(
    r"`[^`\n]{1,120}`"
    r"|(?<![\w'])'[^'\n]{1,120}'(?!\w)"
    r'|(?<![\w"])"[^"\n]{1,120}"(?!\w)'
)
MESSAGE = re.compile(r"[.!?:;{(] ?$|: |\w\. |[{}=<\[]|://|\.py\b|^/")
# Words of the services inside quotes: a class, a code in capitals, a status of HTTP.
OF_A_SERVICE = re.compile(r"^[A-Z][a-z]\w{0,80}(?:Error|Exception|Failed|Denied|Lost|Timeout)$|^\d{1,9}$")
# What stands before a message in quotes: the value of a key of JSON, an argument of an exception, a word for a message.
BEFORE_MESSAGE = re.compile(
    r"""(?:["'] ?[:=] ?|\(\d{1,5}, |\(|\b(?:message|msg|error|reason|cause|exception|detail|description|status|code"""
    r"""|said|says)["']?[ :=(]{1,3}|[a-z]Exception: u?)$""",
    re.IGNORECASE,
)
KEY = re.compile(r"[{,\n]\s{0,8}$")  # what stands before a key of JSON
# A name with an underscore or of several parts needs no quotes: the word before it says what it is.
NAMED = re.compile(
    r"\b(?i:columns?|tables?|views?|databases?|schemas?|fields?|streams?|collections?|relations?|attributes?|alias"
    r"|jobs?|variable|parameter|argument|key|property|function|partition|named|called)"
    r"(?i: name)?[ :=]{1,2}(?P<name>[A-Za-z_][\w.$-]{1,300})"
)
OF_PARTS = re.compile(r"_|[.$]\w")
LISTED = re.compile(
    r"(?:input columns|column names are|Available columns?|columns): ?\[?(?P<name>[^\]\n)]{1,400})"
)
PATH = re.compile(r"\b(?:s3[an]?|hdfs|file|gs)://(?P<name>[^\s'\"),\]]{1,400})")
EXTENSION = re.compile(r"(?:^|/)scripts?/|\.\w{1,7}$")
WORD = re.compile(r"\w")
LETTER_OR_SPACE = re.compile(r"[\w ]")
# A condition, or an advice to look somewhere: a guess of the service, which fits many causes.
HINT = re.compile(
    r"\b(?P<name>(?:if (?:the|you|your|it|this|that)\b|(?:[Pp]lease )?(?:[Cc]heck|[Mm]ake sure|[Ee]nsure|[Vv]erify)"
    r" (?:that |if |whether )?(?:the|you|your)\b)[^.\n]{1,200})"
)
# What an address on the web says is the caller's: a path may be called `rate_limit`.
ADDRESS = re.compile(r"\bhttps?://[^\s/'\"<>),\]]{1,120}(?P<name>/[^\s'\"<>),\]]{1,300})")
# An option of the command that starts Java. Its name is that of an error that it prepares for, or of a limit.
OPTION = re.compile(r"(?<![\w-])(?:-XX:[+-]?|-D|--conf )(?P<name>[A-Za-z][\w.]{1,120})")
# A frame of a stack of Java, which may be a whole line or stand within one.
FRAME = re.compile(
    r"\bat (?P<name>[\w$./<>-]{3,200}\((?:[\w$.-]{1,80}:\d|Native Method|Unknown Source|<generated>))"
)
PYTHON_FRAME = 'File "'


def without_stack(text: str) -> str:
    """Return the text with the frames of stacks, and the code below a frame, replaced: each letter by an `x`.

    Args:
        text: What a service or a log says.
    """
    kept = FRAME.sub(_blank_group, text)
    if PYTHON_FRAME not in kept:
        return kept
    lines: list[str] = []
    is_below_frame = False
    for line in kept.splitlines(keepends=True):
        is_frame = line.lstrip().startswith(PYTHON_FRAME)
        is_code = is_below_frame and line.startswith("    ")
        lines.append(WORD.sub("x", line) if is_frame or is_code else line)
        is_below_frame = is_frame
    return "".join(lines)


def masked(text: str) -> str:
    """Return the text with the letters of the users' names and of hints replaced, each by an `x`.

    Args:
        text: What a service or a log says.
    """
    kept = PATH.sub(_blank_path, text)
    kept = QUOTED.sub(lambda quoted: _blank_quoted(quoted, kept), kept)
    kept = NAMED.sub(lambda named: _blank_group(named) if OF_PARTS.search(named["name"]) else named[0], kept)
    for pattern in (LISTED, HINT, ADDRESS, OPTION):
        kept = pattern.sub(_blank_group, kept)
    return kept


def _blank_quoted(quoted: re.Match[str], text: str) -> str:
    whole = quoted[0]
    inside = whole[1:-1]
    if whole[0] != "`" and (
        MESSAGE.search(inside)
        or OF_A_SERVICE.search(inside)
        or BEFORE_MESSAGE.search(text, max(quoted.start() - 40, 0), quoted.start())
        or (
            KEY.search(text, max(quoted.start() - 10, 0), quoted.start())
            and text[quoted.end() : quoted.end() + 2].lstrip().startswith(":")
        )
    ):
        return whole
    return whole[0] + LETTER_OR_SPACE.sub("x", inside) + whole[-1]


def _blank_group(match: re.Match[str]) -> str:
    start = match.start("name") - match.start()
    return match[0][:start] + WORD.sub("x", match["name"]) + match[0][start + len(match["name"]) :]


def _blank_path(match: re.Match[str]) -> str:
    """Return a path with its names blanked. Its extension stays: it says whether the file is a script."""
    start = match.start("name") - match.start()
    name = match["name"]
    blanked = list(WORD.sub("x", name))
    for part in EXTENSION.finditer(name):
        blanked[part.start() : part.end()] = part[0]
    return match[0][:start] + "".join(blanked)
