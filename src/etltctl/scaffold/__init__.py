"""A new project's files, written together or not at all: settings, scripts, DAGs, contracts and tests that pass."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from etltctl.errors import NextStep, command
from etltctl.scaffold.new_files import write_together
from etltctl.scaffold.samples import PIPELINES, SampleName, SamplePipeline, lineage_of, settings_of
from etltctl.scaffold.sections import in_order, sections
from etltctl.settings.files import project_file

TEMPLATES = Path(__file__).parent / "files"
# The table of each pipeline whose contract is written with it: the smallest.
CONTRACTS = {"mongodb": "bronze.mongodb_observations", "api": "bronze.api_circuits"}
PROJECT_NAME = "my-lake"  # as the template calls it
# The deployer's policy holds the project's name often, and IAM takes 10,240 characters.
LONGEST_NAME = 20


def lay_out(folder: Path, sample: SampleName = SampleName.ALL) -> list[Path]:
    """Write a project's files into a folder, which is made if it does not exist.

    Args:
        folder: The project's folder. Its name becomes the project's, and begins the names of everything in the account.
        sample: The sample whose pipelines the project begins with.

    Returns:
        The files, in the order in which they were written.

    Raises:
        UsageError: A file exists already. Nothing was written.
        ConfigurationError: The folder cannot be written. Nothing stays of it.
    """
    files = _files(project_name(folder.resolve().name), sample)
    return write_together(folder, files, instead=NextStep("name another folder: ", command("init", "DIR")))


def first_step(folder: Path, sample: SampleName) -> NextStep:
    """Return what to do first in a new project: run its first pipeline or, without any, check the settings.

    Args:
        folder: The project's folder, as the caller named it.
        sample: The sample with which the project began.
    """
    there = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    pipeline = next(iter(PIPELINES[sample]), None)
    return NextStep(there, command("run", pipeline) if pipeline else command("config", "validate"))


def project_name(folder: str) -> str:
    """Return a project's name made from its folder's: buckets, roles and the stack can be named after it."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower())[:LONGEST_NAME].strip("-")
    if not name:
        return PROJECT_NAME
    return name if name[0].isalpha() else f"lake-{name}"[:LONGEST_NAME].strip("-")


def _files(project: str, sample: SampleName) -> Mapping[str, str]:
    """Return the text of each file by its place in the folder."""
    pipelines = [SamplePipeline(name) for name in PIPELINES[sample]]
    files = {"etltctl.toml": settings_text(project, pipelines)}
    for pipeline in pipelines:
        files |= pipeline.scripts()
    if pipelines:
        files["glue_jobs/lineage.toml"] = lineage_of(pipelines)
    for pipeline in pipelines:
        # The DAGs that are shipped and tested, so that a new project starts with the same ones.
        dag = f"dags/dag_{pipeline.name}.py"
        contract = f"{CONTRACTS[pipeline.name]}.toml"
        files[dag] = project_file(dag).read_text("utf-8")
        files[f"contracts/{contract}"] = _template(contract)
        files[f"tests/test_{pipeline.name}.py"] = _test_of(pipeline)
    if not pipelines:
        files["tests/test_lake.py"] = _template("test_lake.py")
    return {**files, ".gitignore": _template("gitignore")}


def settings_text(project: str, pipelines: list[SamplePipeline]) -> str:
    """Return the text of a project's settings file.

    Args:
        project: The project's name.
        pipelines: The sample pipelines that it begins with; without any, an example stands there as a comment.
    """
    own = sections(_template("etltctl.toml").replace(PROJECT_NAME, project))
    example = (section.commented_out() for section in sections(_template("example.toml")))
    return in_order([*own, *(settings_of(pipelines) if pipelines else example)])


def _test_of(pipeline: SamplePipeline) -> str:
    names = {
        "PIPELINE": pipeline.name,
        "SOURCE": pipeline.source,
        "TABLE": CONTRACTS[pipeline.name],
        "JOB": pipeline.jobs[0],
    }
    return re.sub("|".join(names), lambda word: names[word[0]], _template("test_pipeline.py"))


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")
