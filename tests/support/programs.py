"""Third-party clients in a separate environment, which use an embedded lake."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.workplace import Workplace

PROGRAMS = Path(__file__).parents[2] / ".clients" / "bin"
TIMEOUT_S = 240


@dataclass(frozen=True)
class Clients:
    """Programs of the clients' environment, with the variables that `etltctl local env` prints."""

    place: Workplace
    environ: dict[str, str]

    def aws(self, *words: str) -> str:
        """Return the output of the AWS CLI."""
        return self._output(str(PROGRAMS / "aws"), *words)

    def python(self, script: str) -> Any:
        """Return the script's output, read as JSON."""
        return json.loads(self._output(str(PROGRAMS / "python"), "-c", script))

    def _output(self, *words: str) -> str:
        done = subprocess.run(
            words,
            cwd=self.place.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout


@contextmanager
def clients_of(folder: Path) -> Iterator[Clients]:
    """Start an embedded lake in the folder, and yield its clients until it stops."""
    place = Workplace(folder)
    place.run("local", "up")
    try:
        yield Clients(place, {**place.full_environ, **place.json("local", "env")["environ"]})
    finally:
        place.run("local", "down")
