"""One page for each cause of a failed run, and their index, from the catalogue."""

from __future__ import annotations

from pathlib import Path

from etltctl.causes import Cause, Retry, catalogue
from etltctl.explanation.text import ADVICE

FOLDER = Path("docs", "causes")
# The letters of the codes, in the order of the index.
LETTERS = {
    "S": "Airbyte syncs",
    "G": "Glue jobs",
    "Q": "Athena queries",
    "E": "Access and limits of AWS",
    "C": "Checks, contracts, publishes, budgets",
    "M": "This machine and its settings",
    "N": "The network",
    "T": "Tableau",
    "U": "Unknown",
}
INDEX_HEAD = """# Causes by their code

`etltctl why RUN` names the cause of a failed run by one of these codes, and `etltctl why --code G117` explains a code.
The pages are made from the same catalogue. [Errors by their text](../errors/index.md) lists what etltctl itself prints.

```{toctree}
:hidden:
:glob:

?[0-9]*
```
"""


def cause_pages() -> dict[Path, str]:
    """Return the text of every page, by its path."""
    pages = {FOLDER / f"{cause.code}.md": _page(cause) for cause in catalogue().values()}
    return {FOLDER / "index.md": _index(), **pages}


def _index() -> str:
    parts = [INDEX_HEAD]
    for letter, heading in LETTERS.items():
        rows = [
            f"| [{cause.code}]({cause.code}.md) | {cause.title} | {_texts(cause)} |"
            for code, cause in sorted(catalogue().items())
            if code[0] == letter
        ]
        parts.append(
            "\n".join([f"## {heading}\n", "| code | cause | texts |", "| --- | --- | --- |", *rows, ""])
        )
    return "\n".join(parts)


def _texts(cause: Cause) -> str:
    return ", ".join(f"`{_in_a_table(text)}`" for text in cause.searched)


def _in_a_table(text: str) -> str:
    return text.replace("|", "\\|")


def _page(cause: Cause) -> str:
    texts = "\n".join(cause.searched)
    settings = ", ".join(f"`{name}`" for name in cause.settings)
    parts = [
        f"# {cause.code} {cause.title}",
        f"```text\n{texts}\n```" if texts else "",
        f"**Cause.** {cause.sentence}",
        f"**The data.** {cause.data}",
        f"**Next.** {_sentence(str(cause.fix))} {_sentence(ADVICE[cause.retry])}",
        f"The setting to change: {settings}." if settings else "",
        f"```bash\n{_commands(cause)}\n```",
        f"A command that fails for this cause ends with exit code {int(cause.exit_code)}. [All causes](index.md).",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _commands(cause: Cause) -> str:
    """Return the commands to run next, the one that only reads first. A retry is left out where it would fail again."""
    why = "etltctl why RUN     # the proof, the cost, and the command to run next"
    note = {Retry.YES: "", Retry.AFTER_FIX: "   # after the fix"}.get(cause.retry)
    return why if note is None else f"{why}\netltctl retry RUN{note}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
