"""A step that no kind has is reported with its place by `config validate`, the doctor and each command that runs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from etltctl.errors import ExitCode
from support import forked
from support.sample_settings import on_sample
from support.workplace import ETLTCTL

SAYS = "etltctl.toml:2:1: pipeline api has the unknown step sink:api, did you mean sync:api?"


def etltctl(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETLTCTL", "AWS_"))}
    return forked.run([ETLTCTL, *words], cwd=cwd, env=kept, timeout=60)


@pytest.mark.parametrize(
    "words", [("config", "validate"), ("run", "api"), ("doctor", "settings")], ids=" ".join
)
def test_an_unknown_step_is_reported_with_its_place(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "etltctl.toml").write_text(on_sample('[pipelines.api]\nsteps = ["sink:api"]\n'))
    done = etltctl(tmp_path, *words)
    assert done.returncode == ExitCode.CONFIGURATION
    assert SAYS in " ".join(f"{done.stdout} {done.stderr}".split())
