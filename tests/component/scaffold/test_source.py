"""`etltctl source add`: a source in a project, whose settings stay valid, and that overwrites nothing."""

from __future__ import annotations

import ast
import re
import resource
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError, NextStep, UsageError, command
from etltctl.scaffold import lay_out
from etltctl.scaffold.new_files import append, write_together
from etltctl.scaffold.source import add_source
from etltctl.scaffold.source_answers import Answers
from etltctl.settings import load_settings
from etltctl.values import SourceKind

SHIPS = Answers(
    "ships",
    SourceKind.MONGODB,
    streams=("ships", "ports"),
    uri="env:SHIPS_URI",
    database="harbour",
    keys=("_id",),
)

MANIFEST = """\
type: DeclarativeSource
version: 6.60.0
streams:
  - {name: ships}
spec:
  connection_specification:
    properties:
      pin: {type: string, airbyte_secret: true}
"""


def no_terminal(question: str) -> str:
    return ""


def add(project: Path, answers: Answers = SHIPS) -> list[Path]:
    """Add a source to the project and return the files, the settings file first."""
    added = add_source(load_settings(config=project, environ={}), answers, no_terminal)
    return [added.changed, *added.written]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The settings file of a new project."""
    lay_out(tmp_path)
    return tmp_path / "etltctl.toml"


def files_below(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_source_is_added_at_the_end_and_all_else_stays(project: Path) -> None:
    before = files_below(project.parent)
    written = add(project)
    names = [str(path.relative_to(project.parent)) for path in written]
    assert names == [
        "etltctl.toml",
        "glue_jobs/bronze_to_silver_ships.py",
        "tests/test_bronze_to_silver_ships.py",
        "dags/dag_ships.py",
    ]
    after = files_below(project.parent)
    assert after["etltctl.toml"].startswith(before["etltctl.toml"].rstrip())
    assert {name: after[name] for name in before if name != "etltctl.toml"} == {
        name: text for name, text in before.items() if name != "etltctl.toml"
    }


def test_the_settings_of_the_source_are_valid_in_every_environment(project: Path) -> None:
    add(project)
    for env in ("local", "aws"):
        settings = load_settings(config=project, env=env, environ={})
        job = settings.glue.jobs["bronze_to_silver_ships"]
        assert settings.script_path("bronze_to_silver_ships").parent == project.parent / "glue_jobs"
        assert job.reads == ["bronze.ships_ships", "bronze.ships_ports"]
        assert set(job.reads) <= settings.stream_tables().keys()
        assert settings.rules("silver.ships_ports").keys == ["_id"]
        assert settings.sources["ships"].connection_id == "env:AIRBYTE_SHIPS_CONNECTION_ID"


def test_the_python_files_compile_and_name_the_tables(project: Path) -> None:
    for path in add(project)[1:]:
        ast.parse(path.read_text())
        assert "SOURCE" not in path.read_text()
    script = (project.parent / "glue_jobs/bronze_to_silver_ships.py").read_text()
    tables = {
        node.target.id if isinstance(node, ast.AnnAssign) else node.targets[0].id: ast.literal_eval(
            node.value
        )
        for node in ast.parse(script).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
    }
    assert tables["TABLES"] == {
        "bronze.ships_ships": "silver.ships_ships",
        "bronze.ships_ports": "silver.ships_ports",
    }
    assert tables["KEYS"] == {"silver.ships_ships": ["_id"], "silver.ships_ports": ["_id"]}


def test_the_script_has_the_key_columns_as_they_are_called(project: Path) -> None:
    written = add(project, replace(SHIPS, keys=("😀",)))
    assert '["😀"]' in written[1].read_text("utf-8")


def test_a_name_that_is_taken_changes_nothing(project: Path) -> None:
    add(project)
    before = files_below(project.parent)
    with pytest.raises(UsageError, match="already has a source ships and a pipeline ships"):
        add(project)
    (project.parent / "dags/dag_boats.py").write_text("")
    with pytest.raises(UsageError, match=r"already has dags/dag_boats\.py") as refused:
        add(project, replace(SHIPS, name="boats"))
    again = "etltctl source add NAME --kind mongodb --uri env:SHIPS_URI --database harbour"
    assert refused.value.hint == (
        f"choose another name for the source: {again} --stream ships --stream ports --key _id; "
        "or move those files away"
    )
    (project.parent / "dags/dag_boats.py").unlink()
    assert files_below(project.parent) == before


def test_settings_that_cannot_be_written_stay_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "etltctl.toml"
    file.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            append(file, b"old", b"much more than fits")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert file.read_bytes() == b"old"


def test_files_are_removed_again_if_the_settings_cannot_be_written(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigurationError, match="No space left on device; nothing was written"):
        write_together(tmp_path, {"jobs/a.py": "", "tests/b.py": ""}, instead=NextStep("no"), finish=fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change", [lambda text: b"\xef\xbb\xbf" + text, lambda text: text.replace(b"\n", b"\r\n")]
)
def test_the_file_keeps_its_line_ends_and_its_byte_order_mark(
    project: Path, change: Callable[[bytes], bytes]
) -> None:
    before = change(project.read_bytes())
    project.write_bytes(before)
    add(project)
    assert project.read_bytes().startswith(before.rstrip())
    assert "ships" in load_settings(config=project, environ={}).sources


def test_settings_that_would_not_be_valid_are_not_written(project: Path) -> None:
    before = files_below(project.parent)
    with pytest.raises(ConfigurationError, match="nothing was written") as refused:
        add(project, replace(SHIPS, streams=("Ships-x",)))
    assert any("etltctl.toml:" in problem and "Ships-x" in problem for problem in refused.value.problems)
    with pytest.raises(UsageError, match="'Boats'") as unnamed:
        add(project, replace(SHIPS, name="Boats"))
    assert "choose another name: etltctl source add NAME --kind mongodb" in unnamed.value.hint
    assert files_below(project.parent) == before


def test_a_secret_that_only_the_connector_knows_is_not_written(project: Path) -> None:
    (project.parent / "ships.yaml").write_text(MANIFEST)
    before = files_below(project.parent)
    secret = ("pin=hidden-word",)
    answers = Answers("ships", SourceKind.AIRBYTE, ("ships",), manifest="ships.yaml", configured=secret)
    with pytest.raises(ConfigurationError, match="nothing was written") as refused:
        add(project, answers)
    (problem,) = refused.value.problems
    assert "sources.ships.config.pin holds the secret itself" in problem
    assert "hidden-word" not in problem
    assert files_below(project.parent) == before


@pytest.mark.parametrize(
    ("manifest", "stream", "words"),
    [
        ("nope.yaml", "ships", r"sources.ships.manifest: cannot read .*nope.yaml"),
        ("ships.yaml", "shps", "the manifest has no stream shps; did you mean ships"),
    ],
)
def test_a_manifest_that_no_run_could_use_is_refused(
    project: Path, manifest: str, stream: str, words: str
) -> None:
    (project.parent / "ships.yaml").write_text(MANIFEST)
    before = files_below(project.parent)
    answers = Answers("ships", SourceKind.AIRBYTE, streams=(stream,), manifest=manifest)
    with pytest.raises(ConfigurationError, match="nothing was written") as refused:
        add(project, answers)
    (problem,) = refused.value.problems
    assert re.search(words, problem)
    assert files_below(project.parent) == before


def test_a_manifest_of_the_project_and_its_streams_are_taken(project: Path) -> None:
    (project.parent / "ships.yaml").write_text(MANIFEST)
    answers = Answers(
        "ships", SourceKind.AIRBYTE, streams=("ships",), manifest="ships.yaml", configured=("pin=env:P",)
    )
    add(project, answers)
    assert load_settings(config=project, environ={}).sources["ships"].manifest == "ships.yaml"


def test_a_fault_that_the_project_has_already_does_not_stop_a_new_source(project: Path) -> None:
    other = (
        '[sources.boats]\nkind = "airbyte"\nstreams = ["s"]\nmanifest = "gone.yaml"\nconnection_id = "x"\n'
    )
    project.write_text(f"{project.read_text()}\n{other}")
    add(project)


def test_without_a_project_no_question_is_asked(tmp_path: Path) -> None:
    settings = load_settings(environ={}, directory=tmp_path)
    with pytest.raises(ConfigurationError, match=r"there is no etltctl\.toml") as refused:
        add_source(settings, Answers("ships", SourceKind.MONGODB), lambda _: pytest.fail("asked"))
    assert refused.value.hint == "begin a project: etltctl init DIR"


def test_the_result_names_the_files_as_the_folder_calls_them_and_the_next_command(project: Path) -> None:
    added = add_source(load_settings(config=project, environ={}), SHIPS, no_terminal)
    assert added.next_command == command("run", "ships")
    below = added.seen_from(project.parent / "dags")
    assert (below.changed, below.written[-1]) == (project, Path("dag_ships.py"))


def test_a_file_that_another_program_changed_meanwhile_keeps_its_change(tmp_path: Path) -> None:
    file = tmp_path / "etltctl.toml"
    file.write_bytes(b"# a line of another program")
    with pytest.raises(ConfigurationError, match=r"another program changed .* nothing was written"):
        append(file, b"", b"[sources.ships]")
    assert file.read_bytes() == b"# a line of another program"


def test_the_rights_of_the_settings_file_stay(project: Path) -> None:
    project.chmod(0o600)
    add_source(load_settings(config=project, environ={}), SHIPS, no_terminal)
    assert project.stat().st_mode & 0o777 == 0o600
