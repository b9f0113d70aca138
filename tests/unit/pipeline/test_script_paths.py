"""A failure names the user's own script, not the copy that the job run had."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.causes import Failure, Line, diagnose
from etltctl.pipeline.failure_cause import in_own_paths, with_code
from etltctl.pipeline.script_paths import code_of, own_paths
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
        (tmp_path / "jobs" / name).write_text("import harbour\n")
    (tmp_path / "etltctl.toml").write_text(PROJECT)
    settings = load_settings(env="local", environ={}, directory=tmp_path)
    assert own_paths("ships", settings)(said) == shown


TRACE = f'Traceback (most recent call last):\n  File "{COPY}/ships.py", line '
SCRIPT = "import sys\n\n\ndef rate(a):\n    return a / 0\n"


@pytest.mark.parametrize(
    ("log", "proof"),
    [
        (f"{TRACE}5, in rate\n    return b / 0", "return b / 0"),
        (f"{TRACE}5, in rate", "return a / 0"),
        ("", "return a / 0"),
        (f"{TRACE}99, in rate", ""),
    ],
    ids=["in the traceback", "on this machine", "by the reason alone", "nowhere"],
)  # fmt: skip
def test_the_line_of_code_that_raised_an_exception_is_among_the_proofs(
    tmp_path: Path, log: str, proof: str
) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "ships.py").write_text(SCRIPT)
    (tmp_path / "etltctl.toml").write_text(PROJECT)
    settings = load_settings(env="local", environ={}, directory=tmp_path)
    reason = "ZeroDivisionError: division by zero" if log else "ZeroDivisionError, ships.py:5"
    lines = (Line(reason), *((Line(f"{log}\nZeroDivisionError: division by zero", "driver"),) if log else ()))
    diagnosis = in_own_paths(diagnose(Failure(lines, "Glue", "FAILED")), own_paths("ships", settings))
    texts = [line.text for line in with_code(diagnosis, code_of(settings)).evidence]
    assert [text for text in texts if text.startswith("jobs/ships.py:5: ")] == (
        [f"jobs/ships.py:5: {proof}"] if proof else []
    )
    assert not proof or not any(text.startswith("File ") for text in texts)
