"""A project's Glue script: it runs in place of the shipped one, and the package supplies the rest."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from etltctl.infrastructure.uploads import job_files
from etltctl.settings import load_settings
from support.sample_settings import on_sample
from support.workplace import Workplace

PROJECT = Path(__file__).parents[3]
OWN = """
from job_config import WEATHER
from weather_counts import note
import weather_formulas
raise RuntimeError(f"this is my script with {WEATHER} and my {note}")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Yield a project with one script and one module."""
    folder = tmp_path / "glue_jobs"
    folder.mkdir()
    (folder / "bronze_to_silver.py").write_text(OWN)
    (folder / "weather_counts.py").write_text('note = "counts"\n')
    (tmp_path / "etltctl.toml").write_text(on_sample("version = 1\n"))
    return tmp_path


@pytest.mark.e2e
def test_the_project_s_script_can_import_its_modules_and_the_shipped_ones(project: Path) -> None:
    place = Workplace(project, {"ETLTCTL_ENV": "local"})
    try:
        done = place.run("run-glue", "bronze_to_silver", "--wait", code=1)
        assert "this is my script with weather_config.json and my counts" in done.stderr
    finally:
        place.run("local", "down")


def test_no_shipped_job_carries_another_job_s_script(project: Path) -> None:
    settings = load_settings(config=project / "etltctl.toml", env="local", environ={})
    scripts = {Path(job.script).name for job in settings.glue.jobs.values()}
    for job in settings.glue.jobs:
        files = {file.name: file for file in settings.extra_files(job)}
        assert not scripts & set(files)
        other = "weather_" if job.endswith("_api") else "f1_"
        assert [name for name in files if name.startswith(other) and name.endswith(".py")] == []
        assert files["job_config.py"] == PROJECT / "glue_jobs" / "job_config.py"


def test_the_project_s_scripts_are_uploaded_to_aws(project: Path) -> None:
    settings = load_settings(config=project / "etltctl.toml", env="aws", environ={})
    files = job_files(settings, "bronze_to_silver")
    assert files["bronze_to_silver.py"].decode() == OWN
    with zipfile.ZipFile(io.BytesIO(files["modules.zip"])) as archive:
        assert archive.namelist() == ["job_config.py", "weather_counts.py", "weather_formulas.py"]
        assert archive.read("weather_counts.py") == b'note = "counts"\n'
    shipped = job_files(settings, "silver_to_gold")
    with zipfile.ZipFile(io.BytesIO(shipped["modules.zip"])) as archive:
        assert {"job_config.py", "lake.py"} <= set(archive.namelist())
        assert "bronze_to_silver.py" not in archive.namelist()


def test_scripts_of_one_name_in_two_folders_stay_apart(project: Path) -> None:
    from etltctl.local.client.stack import describe_stack

    jobs = {name: {"script": f"{name}/job.py"} for name in ("one", "two")}
    for name in jobs:
        (project / name).mkdir()
        (project / name / "job.py").write_text(f"# {name}\n")
    flags = {"glue.jobs": jobs}
    settings = load_settings(config=project / "etltctl.toml", env="local", environ={}, flags=flags)
    places = {
        job["name"]: job["script_location"].rpartition("/")[0] for job in describe_stack(settings, {})["jobs"]
    }
    assert places["one"] != places["two"]
