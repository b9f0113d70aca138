"""A reader of what a terminal shows: the few control codes that Rich writes, and which lines were wrapped."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CODE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
COLOURS = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
MOVEMENTS = re.compile(r"\x1b\[[0-9;?]*[A-HJKfhl]")


@dataclass
class Screen:
    """The lines of a terminal, from its first one on.

    Attributes:
        columns: The width of the terminal.
        wrapped: The lines that were longer than the terminal is wide.
    """

    columns: int
    wrapped: list[str] = field(default_factory=list)
    _lines: list[str] = field(default_factory=lambda: [""])
    _row: int = 0
    _column: int = 0

    @property
    def lines(self) -> list[str]:
        """Return the lines that are not empty."""
        return [line.rstrip() for line in self._lines if line.strip()]

    def feed(self, text: str) -> Screen:
        """Follow what was written to the terminal."""
        end = 0
        for code in CODE.finditer(text):
            self._write(text[end : code.start()])
            self._obey(code[1], code[2])
            end = code.end()
        self._write(text[end:])
        return self

    def _write(self, text: str) -> None:
        for letter in text:
            if letter == "\r":
                self._column = 0
            elif letter == "\n":
                self._down()
            else:
                if self._column == self.columns:
                    self.wrapped.append(self._lines[self._row])
                    self._down()
                line = self._lines[self._row].ljust(self._column)
                self._lines[self._row] = line[: self._column] + letter + line[self._column + 1 :]
                self._column += 1

    def _down(self) -> None:
        self._row, self._column = self._row + 1, 0
        self._lines += [""] * (self._row + 1 - len(self._lines))

    def _obey(self, argument: str, letter: str) -> None:
        if letter == "A":
            self._row = max(self._row - int(argument or 1), 0)
        elif letter == "K":
            assert argument == "2", f"an erasure that this reader does not know: {argument}"
            self._lines[self._row] = ""
        else:
            assert letter in "mhl", f"a control code that this reader does not know: {argument}{letter}"


def on_terminal(
    command: Sequence[str], columns: int, environ: Mapping[str, str], *, cwd: str | None = None
) -> tuple[int, str]:
    """Run a command on a terminal of this width; return its exit code and what the terminal received."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=dict(environ), cwd=cwd
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(controller, 65536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(controller)
    return process.wait(), shown.decode()
