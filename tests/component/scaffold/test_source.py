"""`etltctl source add`: a source in a project, whose settings stay valid, and that overwrites nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError, UsageError
from etltctl.scaffold import lay_out
from etltctl.scaffold.samples import SampleName
from etltctl.scaffold.source import NewSource, add_source, settings_of
from etltctl.scaffold.source_answers import Answers, new_source
from etltctl.settings import load_settings

SHIPS = Answers(
    "ships", "mongodb", streams=("ships", "ports"), uri="env:SHIPS_URI", database="harbour", keys=("_id",)
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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The settings file of a new project."""
    lay_out(tmp_path)
    return tmp_path / "etltctl.toml"


def files_below(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_source_is_added_at_the_end_and_all_else_stays(project: Path) -> None:
    before = files_below(project.parent)
    written = add_source(project, new_source(SHIPS, no_terminal))
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
    add_source(project, new_source(SHIPS, no_terminal))
    for env in ("local", "aws"):
        settings = load_settings(config=project, env=env, environ={})
        job = settings.glue.jobs["bronze_to_silver_ships"]
        assert settings.script_path("bronze_to_silver_ships").parent == project.parent / "glue_jobs"
        assert job.reads == ["bronze.ships_ships", "bronze.ships_ports"]
        assert set(job.reads) <= settings.stream_tables().keys()
        assert settings.rules("silver.ships_ports").keys == ["_id"]
        assert settings.sources["ships"].connection_id == "env:AIRBYTE_SHIPS_CONNECTION_ID"


def test_the_python_files_compile_and_name_the_tables(project: Path) -> None:
    for path in add_source(project, new_source(SHIPS, no_terminal))[1:]:
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
    written = add_source(project, new_source(replace(SHIPS, keys=("😀",)), no_terminal))
    assert '["😀"]' in written[1].read_text("utf-8")


def test_a_name_that_is_taken_changes_nothing(project: Path) -> None:
    add_source(project, new_source(SHIPS, no_terminal))
    before = files_below(project.parent)
    with pytest.raises(UsageError, match="already has a source ships and a pipeline ships"):
        add_source(project, new_source(SHIPS, no_terminal))
    (project.parent / "dags/dag_boats.py").write_text("")
    with pytest.raises(UsageError, match=r"already has dags/dag_boats\.py") as refused:
        add_source(project, new_source(replace(SHIPS, name="boats"), no_terminal))
    assert refused.value.hint == "choose another name for the source; or move those files away"
    (project.parent / "dags/dag_boats.py").unlink()
    assert files_below(project.parent) == before


def test_settings_that_cannot_be_written_leave_no_file_and_no_folder(tmp_path: Path) -> None:
    lay_out(tmp_path, SampleName.NONE)
    before = sorted(tmp_path.rglob("*"))
    written = new_source(SHIPS, no_terminal)
    # Its temporary file takes the longest name that a file may have, so that no text can be written next to it.
    file = tmp_path / f"{'a' * 240}.toml"
    (tmp_path / "etltctl.toml").rename(file)
    with pytest.raises(ConfigurationError, match="File name too long; nothing was written"):
        add_source(file, written)
    file.rename(tmp_path / "etltctl.toml")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "change", [lambda text: b"\xef\xbb\xbf" + text, lambda text: text.replace(b"\n", b"\r\n")]
)
def test_the_file_keeps_its_line_ends_and_its_byte_order_mark(
    project: Path, change: Callable[[bytes], bytes]
) -> None:
    before = change(project.read_bytes())
    project.write_bytes(before)
    add_source(project, new_source(SHIPS, no_terminal))
    assert project.read_bytes().startswith(before.rstrip())
    assert "ships" in load_settings(config=project, environ={}).sources


def test_settings_that_would_not_be_valid_are_not_written(project: Path) -> None:
    before = files_below(project.parent)
    with pytest.raises(ConfigurationError, match="nothing was written") as refused:
        add_source(project, new_source(replace(SHIPS, streams=("Ships-x",)), no_terminal))
    assert any("etltctl.toml:" in problem and "Ships-x" in problem for problem in refused.value.problems)
    with pytest.raises(UsageError, match="'Boats'"):
        add_source(project, new_source(replace(SHIPS, name="Boats"), no_terminal))
    assert files_below(project.parent) == before


@pytest.mark.parametrize(
    "answers",
    [
        replace(SHIPS, uri="mongodb://user:hidden-word@host/", database=""),
        replace(SHIPS, uri="hidden-word"),
        Answers("ships", "airbyte", configured=("api_key=hidden-word",)),
        Answers("ships", "airbyte", streams=("s",), configured=("token=hidden-word",)),
        Answers("ships", "airbyte", streams=("s",), configured=("clientSecret=hidden-word",)),
        Answers("ships", "airbyte", streams=("s",), configured=("refresh_token=hidden-word",)),
        Answers("ships", "airbyte", streams=("s",), configured=("credentials=hidden-word",)),
        Answers("ships", "airbyte", streams=("s",), configured=("url=https://me:hidden-word@host/",)),
        Answers("ships", "airbyte", streams=("s",), configured=('auth={"client_secret": "hidden-word"}',)),
        Answers("ships", "airbyte", streams=("s",), configured=("token=hidden-word", "token=env:TOKEN")),
    ],
)
def test_a_secret_itself_is_refused_and_not_repeated(answers: Answers) -> None:
    with pytest.raises(UsageError, match="takes a reference") as refused:
        new_source(answers, no_terminal)
    assert "hidden-word" not in f"{refused.value.message} {refused.value.next_step}"


@pytest.mark.parametrize("value", ["token=hidden-word", "pin=hidden-word"])
def test_a_secret_that_only_the_connector_knows_is_not_written(project: Path, value: str) -> None:
    (project.parent / "ships.yaml").write_text(MANIFEST)
    before = files_below(project.parent)
    key, _, text = value.partition("=")
    values = {"kind": "airbyte", "manifest": "ships.yaml", "config": {key: text}, "streams": ["ships"]}
    with pytest.raises(ConfigurationError, match="nothing was written") as refused:
        add_source(project, NewSource("ships", values, ("ships",)))
    (problem,) = refused.value.problems
    assert f"sources.ships.config.{key} holds a secret itself" in problem
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
    answers = Answers("ships", "airbyte", streams=(stream,), manifest=manifest)
    with pytest.raises(ConfigurationError, match="nothing was written") as refused:
        add_source(project, new_source(answers, no_terminal))
    (problem,) = refused.value.problems
    assert re.search(words, problem)
    assert files_below(project.parent) == before


def test_a_manifest_of_the_project_and_its_streams_are_taken(project: Path) -> None:
    (project.parent / "ships.yaml").write_text(MANIFEST)
    answers = Answers(
        "ships", "airbyte", streams=("ships",), manifest="ships.yaml", configured=("pin=env:P",)
    )
    add_source(project, new_source(answers, no_terminal))
    assert load_settings(config=project, environ={}).sources["ships"].manifest == "ships.yaml"


def test_a_fault_that_the_project_has_already_does_not_stop_a_new_source(project: Path) -> None:
    other = (
        '[sources.boats]\nkind = "airbyte"\nstreams = ["s"]\nmanifest = "gone.yaml"\nconnection_id = "x"\n'
    )
    project.write_text(f"{project.read_text()}\n{other}")
    add_source(project, new_source(SHIPS, no_terminal))


@pytest.mark.parametrize(
    ("missing", "option"), [("streams", "--stream"), ("database", "--database"), ("uri", "--uri")]
)
def test_without_a_terminal_a_missing_value_is_named_with_the_whole_command(
    missing: str, option: str
) -> None:
    answers = replace(SHIPS, **{missing: () if missing == "streams" else ""})
    with pytest.raises(UsageError, match=f"{option} is missing") as refused:
        new_source(answers, no_terminal)
    (step,) = refused.value.next_step.parts
    assert step.words == ("source", "add", *answers.words(), option, "VALUE")
    assert {*answers.words()} >= {"ships", "--kind", "mongodb", "--key", "_id"}


def test_on_a_terminal_each_missing_value_is_asked_for() -> None:
    answers: Iterator[str] = iter(["ships ports", "harbour", "env:SHIPS_URI"])
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return next(answers)

    source = new_source(Answers("ships", "mongodb", keys=("_id",)), ask)
    assert source == new_source(SHIPS, no_terminal)
    assert len(questions) == 3


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(UsageError, match="--uri is not an option of a source of kind airbyte"):
        new_source(Answers("ships", "airbyte", streams=("a",), uri="env:X"), no_terminal)
    with pytest.raises(UsageError, match="--manifest is not an option of a source of kind mongodb"):
        new_source(replace(SHIPS, manifest="m.yaml"), no_terminal)


def test_the_config_of_a_connector_keeps_numbers_and_texts() -> None:
    source = NewSource(
        "x", {"kind": "airbyte", "config": {"start": "2024-01-01", "pages": 5, "all of": [True]}}, ("s",)
    )
    assert 'config = { start = "2024-01-01", pages = 5, "all of" = [true] }' in settings_of(source)
    answers = Answers("x", "airbyte", streams=("s",), configured=("pages=5", "day=2024-01-01", "key=env:K"))
    assert new_source(answers, no_terminal).values["config"] == {
        "pages": 5,
        "day": "2024-01-01",
        "key": "env:K",
    }
