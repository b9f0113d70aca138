"""A folder in which the installed `etltctl` runs, as a user would run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etltctl.local.kernel.keys import Keys, read_keys
from support import forked

ETLTCTL = Path(sys.executable).with_name("etltctl")
TIMEOUT_S = 900  # far longer than any command takes, even on a busy machine


@dataclass(frozen=True)
class Workplace:
    """A folder in which the command runs, as a user would run it."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    first_results: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict, repr=False)

    @property
    def full_environ(self) -> dict[str, str]:
        """Return this process's environment without variables that lead elsewhere, with this workplace's variables."""
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("AWS_", "ETLTCTL", "AIRBYTE_", "MONGODB_"))
        }
        own = {"ETLTCTL__LOCAL__LINGER_MINUTES": "0", "ETLTCTL__LOCAL__WITNESS": "true"}
        return {**kept, **own, **self.environ}

    @property
    def keys(self) -> Keys:
        """Return the keys of this folder's embedded server, as its owner reads them."""
        keys = read_keys(self.folder / ".etltctl")
        assert keys is not None, "no server has run here yet"
        return keys

    def named(self, *arguments: str) -> list[str]:
        """Return the command's words, with `--new` if they name a run that does not exist: tests name their runs."""
        words = list(arguments)
        starts = {"run", "sync", "run-glue"} & set(words)
        if "--run-id" in words and starts and "--new" not in words:
            name = words[words.index("--run-id") + 1]
            words += [] if (self.folder / ".etltctl" / "runs" / f"{name}.ndjson").exists() else ["--new"]
        return words

    def run(self, *arguments: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command, forked from a process that has it imported, and check its exit code.

        No traceback may ever show.
        """
        words, env = [ETLTCTL, *self.named(*arguments)], self.full_environ | environ
        done = forked.run(words, cwd=self.folder, env=env, timeout=TIMEOUT_S)
        return self._checked(done, arguments, code)

    def run_installed(
        self, *arguments: str, code: int = 0, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the installed script as a user's shell does, and check as `run` does."""
        done = subprocess.run(
            [ETLTCTL, *self.named(*arguments)],
            cwd=self.folder,
            env=self.full_environ | environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return self._checked(done, arguments, code)

    def _checked(
        self, done: subprocess.CompletedProcess[str], arguments: tuple[str, ...], code: int
    ) -> subprocess.CompletedProcess[str]:
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert not re.search(r"^Traceback", done.stderr, re.MULTILINE), done.stderr
        self.first_results.setdefault(" ".join(arguments), done)
        return done

    def json(self, *arguments: str) -> Any:
        """Return the command's result as JSON."""
        return json.loads(self.run(*arguments, "-o", "json").stdout)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows that Athena answers."""
        return list(self.json("athena", "query", sql)["rows"])

    def content(self, order: Mapping[str, str], without: Container[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of tables of the project `pi-m3`.

        Args:
            order: By table, such as `gold.weather_daily`, the columns by which its rows are ordered.
            without: Columns that are left out.
        """
        return {
            table: [
                {name: value for name, value in row.items() if name not in without}
                for row in self.query(f"select * from pi_m3_{table} order by {columns}")
            ]
            for table, columns in order.items()
        }
