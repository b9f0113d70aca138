"""The clients that people use, in an environment of their own, led to an embedded lake."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.workplace import Workplace

PROGRAMS = Path(__file__).parents[2] / ".clients" / "bin"
TIMEOUT_S = 240


@dataclass(frozen=True)
class Clients:
    """Programs of the clients' environment, led to the lake as `etltctl local env` leads a shell."""

    place: Workplace
    environ: dict[str, str]

    def aws(self, *words: str) -> str:
        """Return what the AWS CLI prints."""
        return self._output(str(PROGRAMS / "aws"), *words)

    def python(self, script: str) -> Any:
        """Return what the script prints, read as JSON."""
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
