"""Find words of the project's old dialect: `python tests/house_words.py [PATH …]`, which `make check` runs.

Every finding is one line: `file:line: word: what to write instead`. CONTRIBUTING.md says how the project writes.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SUFFIXES = (".md", ".py", ".toml")
QUOTING = {
    "CONTRIBUTING.md": 7,  # its table of words not to write
    "CHANGELOG.md": 1,  # a class by its earlier name
}
"""Lines of a file that may hold such a word, because they quote it. No other file may hold one."""

# A pattern of prose, and what to write instead.
PROSE = {
    r"told|tells": "printed, logged, reported, returned, raised, recorded",
    r"(?:a|the|one|each|every|first|last|next|later|an? early) looks?(?! (?:at|like|for|up|as|alike)\b)": "poll",
    r"beside|anew|afresh|lest|borne|hitherto|therein": "next to, again, so that … not, carried, so far, in it",
    r"mend|mends|mended|mending": "fix",
    r"whoever|whosoever|somebody|nobody": "the caller, the operator, a reader; `if no one …`",
    r"(?:that|which) (?:is|are) none|(?<!there )(?:is|are) no (?!longer|more)": "is not a …",
    # The double genitive: `a job of Glue's`. What follows shows that the noun does not stand after it.
    r"of \w+'s(?=[.,;:)!?]| (?:that|which|on|in|is|are|has|with|from)\b)": "Glue's job, Athena's tables",
    r"of ours|of theirs|of its own|of their own|of his own": "etltctl's, the service's, its, separate",
    r"(?:is|are|was|were) come back to|(?:gone|goes|go|going|went) on with": "resume, continue",
    r"(?:taken|takes|took|taking) up(?! to\b)": "resume, adopt",
    r"wish|wishes|begun|promises": "options, StepHandle, contract checks",
}
# A name of a variable, a parameter, an attribute, a function or a class, and what to write instead.
NAMES = {
    **dict.fromkeys(("found", "told", "asked", "wanted", "made", "listed", "given"), "the name of the thing"),
    "Wish": "RunOptions",
    "wish": "options",
    "Work": "StepRun",
    "Found": "StartedRun",
    "Begun": "StepHandle",
    "begun": "handle",
    "Patient": "Probe",
    "patient": "probe",
    "Promises": "contract checks",
}
# A comment that a line wrap broke: it took `s3://` for the sign of the next comment.
BROKEN_COMMENT = re.compile(r"^\s*#.*\b(?:s3[an]?|https?):$")
PROSE_PATTERNS = [
    (re.compile(rf"\b(?:{words})\b", re.IGNORECASE), instead) for words, instead in PROSE.items()
]


def main(arguments: list[str]) -> int:
    """Print every finding that is not a quotation; return 1 if there is one."""
    count = 0
    for file in _files(arguments):
        findings = list(findings_of(file))
        lines = {finding.split(": ")[0] for finding in findings}
        if len(lines) > QUOTING.get(str(file.relative_to(PROJECT)), 0):
            print(*findings, sep="\n")
            count += len(lines)
    print(f"{count} lines with words of the old dialect")
    return int(count > 0)


def findings_of(file: Path) -> Iterator[str]:
    """Yield the findings of one file."""
    text = file.read_text("utf-8")
    place = file.relative_to(PROJECT) if file.is_relative_to(PROJECT) else file
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, instead in PROSE_PATTERNS:
            if word := pattern.search(line):
                yield f"{place}:{number}: {word[0]}: {instead}"
        if BROKEN_COMMENT.search(line):
            yield f"{place}:{number}: {line.split()[-1]}: the whole address"
    if file.suffix == ".py":
        for number, name in sorted(set(_names(ast.parse(text)))):
            if name in NAMES:
                yield f"{place}:{number}: {name}: {NAMES[name]}"


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield every name that the module gives to something, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.lineno, node.name


def _files(arguments: Iterable[str]) -> list[Path]:
    """Return the committed files below the paths, of the whole project if there are none; never this one."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *arguments],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    files = [PROJECT / line for line in listing.splitlines() if line.endswith(SUFFIXES)]
    return [file for file in files if file.is_file() and file != Path(__file__)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
