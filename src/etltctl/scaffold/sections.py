"""The sections of a TOML file as text, comments included: some of a file's are taken over, and put among others."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

KeyPath = tuple[str, ...]
# The order of a settings file. A section stands with the longest of these that its name begins with.
ORDER: tuple[KeyPath, ...] = (
    (), ("lake",), ("sources",), ("glue",), ("glue", "jobs"), ("athena",), ("contracts",), ("tables",), ("plots",),
    ("pipelines",), ("env", "local"), ("env", "aws"),
)  # fmt: skip


@dataclass(frozen=True)
class TomlSection:
    """A section: the path of its name, and its lines with the comment above."""

    path: KeyPath
    lines: tuple[str, ...]

    def with_keys(self, names: Collection[str]) -> TomlSection:
        """Return the section with these keys alone, each of which stands on one line, and with its comments."""
        kept = [line for line in self.lines if not line.startswith('"') or line.split('"')[1] in names]
        return replace(self, lines=tuple(kept))

    def commented_out(self) -> TomlSection:
        """Return the section as a comment."""
        return replace(self, lines=tuple(line if line.startswith("#") else f"#{line}" for line in self.lines))


def sections(text: str) -> Iterator[TomlSection]:
    """Yield each section of a TOML file, the keys at the top first."""
    path: KeyPath = ()
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("["):
            lines.append(line)
            continue
        # A comment belongs to the header that it stands above without an empty line between.
        start = len(lines)
        while start and lines[start - 1].startswith("#"):
            start -= 1
        yield TomlSection(path, _stripped(lines[:start]))
        path, lines = _path(line), [*lines[start:], line]
    yield TomlSection(path, _stripped(lines))


def in_order(every: Sequence[TomlSection]) -> str:
    """Return the sections as the text of a settings file. Those of one place keep their order."""
    placed = sorted(every, key=lambda section: _place(section.path))
    return "\n\n".join("\n".join(section.lines) for section in placed if section.lines) + "\n"


def _place(path: KeyPath) -> int:
    return max(number for number, name in enumerate(ORDER) if path[: len(name)] == name)


def _path(header: str) -> KeyPath:
    table, path = tomllib.loads(header), []
    while table:
        ((name, table),) = table.items()
        path.append(name)
    return tuple(path)


def _stripped(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple("\n".join(lines).strip("\n").splitlines())
