"""A failure names the user's own script, not the copy that the job run had."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.pipeline.script_paths import own_paths
from etltctl.settings import load_settings

PROJECT = '[glue.jobs.ships]\nscript = "jobs/./ships.py"\n'
COPY = "/srv/my lake/.etltctl/server/glue/jr_1/code"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f'File "{COPY}/ships.py", line 10, in knots', 'File "jobs/ships.py", line 10, in knots'),
        (f'File "{COPY}/harbour.py", line 2, in moor', 'File "jobs/harbour.py", line 2, in moor'),
        (
            "ZeroDivisionError: division by zero, ships.py:10",
            "ZeroDivisionError: division by zero, jobs/ships.py:10",
        ),
        ("raised x at /tmp/ships.py:10.", "raised x at jobs/ships.py:10."),
        ("raised x at old-ships.py:10.", "raised x at old-ships.py:10."),
        (f'File "{COPY}/old-ships.py", line 1', f'File "{COPY}/old-ships.py", line 1'),
        ('File "/usr/lib/python3/json.py", line 1', 'File "/usr/lib/python3/json.py", line 1'),
        ("ships.py has no table", "ships.py has no table"),
    ],
)
def test_the_path_of_the_copy_is_replaced(tmp_path: Path, said: str, shown: str) -> None:
    (tmp_path / "jobs").mkdir()
    for name in ("ships.py", "harbour.py"):
        (tmp_path / "jobs" / name).write_text("")
    (tmp_path / "etltctl.toml").write_text(PROJECT)
    settings = load_settings(env="local", environ={}, directory=tmp_path)
    assert own_paths("ships", settings)(said) == shown
