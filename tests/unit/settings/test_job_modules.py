"""The modules that a run of a Glue script needs: those that it imports, directly or not, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.infrastructure.uploads import job_files
from etltctl.settings import load_settings
from etltctl.settings.job_modules import needed_files

SCRIPTS = ("bronze_to_silver", "silver_to_gold")
WEATHER = """
project = "hills"
[glue.jobs.bronze_to_silver]
script = "glue_jobs/bronze_to_silver.py"
[glue.jobs.silver_to_gold]
script = "glue_jobs/silver_to_gold.py"
"""


def needed(folder: Path, **texts: str) -> list[str]:
    """Return the names of the files that a script of the first text needs of the others."""
    files = [folder / f"{name}.py" for name in texts]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text)
    (folder / "data.json").write_text("{}")
    return [file.name for file in needed_files(files[0], [*files[1:], folder / "data.json"])]


def test_modules_count_directly_and_through_one_another(tmp_path: Path) -> None:
    texts = {
        "job": "from a import x\n",
        "a": "def f():\n    import b\n",
        "b": "import a\n",
        "c": "import b\n",
    }
    assert needed(tmp_path, **texts) == ["a.py", "b.py", "data.json"]


@pytest.mark.parametrize(
    "text",
    ["import a.part as p\n", "try:\n    import a\nexcept ImportError:\n    a = None\n",
     "import importlib\nimportlib.import_module('a')\n", "__import__('a')\n", "if True:\n    from a import *\n"],
)  # fmt: skip
def test_every_form_of_an_import_counts(tmp_path: Path, text: str) -> None:
    assert needed(tmp_path, job=text, a="", b="") == ["a.py", "data.json"]


@pytest.mark.parametrize("text", ["# import a\n", "x = 'import a'\n", "aa = 1\n", "import aa, os\n"])
def test_a_module_that_is_not_imported_does_not_count(tmp_path: Path, text: str) -> None:
    assert needed(tmp_path, job=text, a="") == ["data.json"]


def test_nothing_is_left_out_if_a_file_cannot_be_read_as_python(tmp_path: Path) -> None:
    assert needed(tmp_path, job="import a\n", a="match x:\n  case\n", b="") == ["a.py", "b.py", "data.json"]
    assert needed_files(tmp_path / "gone.py", [tmp_path / "b.py"]) == [tmp_path / "b.py"]


def test_nothing_is_imported(tmp_path: Path) -> None:
    texts = {"job": "import a\n", "a": f"open({str(tmp_path / 'ran')!r}, 'w')\n"}
    assert needed(tmp_path, **texts) == ["a.py", "data.json"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("job", SCRIPTS)
def test_a_project_with_the_weather_alone_has_no_module_of_formula_1(tmp_path: Path, job: str) -> None:
    (tmp_path / "etltctl.toml").write_text(WEATHER)
    settings = load_settings(directory=tmp_path, env="aws", environ={})
    modules = [file.name for file in settings.extra_files(job) if file.suffix == ".py"]
    assert {"lake.py", "weather_descriptions.py", "weather_formulas.py"} <= set(modules)
    assert [name for name in modules if name.startswith("f1_") or name.endswith("_api.py")] == []
    assert list(job_files(settings, job))[:2] == [f"{job}.py", "modules.zip"]
