"""The settings of a query and its file: what is wrong is named with its place before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.diagnosis.config import check_queries
from etltctl.diagnosis.probe import Probe
from etltctl.errors import ConfigurationError
from etltctl.governance.needs import needs_of
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import operator_statements
from etltctl.permissions import Requirements
from etltctl.pipeline import require_ready
from etltctl.pipeline.kinds import changes_of_pipelines, kind_of, lineage_of
from etltctl.pipeline.model import Step
from etltctl.places import Places
from etltctl.publishing.audit_queries import sql_rules
from etltctl.publishing.context import LakeContext
from etltctl.s3 import S3
from etltctl.settings import Settings, load_settings
from etltctl.settings.checks import TableRules
from etltctl.settings.declared import is_written, unknown_columns
from etltctl.settings.doubts import doubts
from etltctl.settings.sql_files import query_problems, read_query, with_tables
from support.sample_settings import on_sample

STEP = Step("sql", "calm")
CALM = """
[sql.calm]
file = "sql/calm.sql"
reads = ["silver.weather_observation"]
writes = "gold.calm"

[pipelines.calm]
steps = ["sql:calm"]
"""
GOOD = "select city_key from {silver.weather_observation}"


def project(folder: Path, query: str | None, more: str = "", env: str = "local") -> Settings:
    """Return the settings of a project with the query's file; None for no file."""
    (folder / "etltctl.toml").write_text(on_sample(CALM + more))
    (folder / "sql").mkdir(exist_ok=True)
    if query is not None:
        (folder / "sql" / "calm.sql").write_text(query)
    return load_settings(directory=folder, env=env, environ={})


def problems(folder: Path, query: str | None) -> list[str]:
    """Return the problems of the query's file, without the file's folder."""
    return [text.replace(f"{folder}/", "") for text in query_problems(project(folder, query), "calm")]


@pytest.mark.parametrize(
    "query",
    [
        GOOD,
        f"-- calm; really\n{GOOD};\n-- the end; or not",
        "/* ; */ WITH a AS (SELECT ';' AS b) SELECT b FROM a",
        "select regexp_like(city, '^\\d{4}$'), \"a;b\", 'it''s; so' from {silver.weather_observation} ; ",
    ],
)
def test_one_select_is_accepted_with_semicolons_in_texts_and_comments(tmp_path: Path, query: str) -> None:
    assert problems(tmp_path, query) == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (None, ["etltctl.toml:3:1: sql.calm has no such file: sql/calm.sql"]),
        (
            "\n  insert into x select 1",
            [
                "etltctl.toml:3:1: sql.calm.file must be one SELECT, which may begin with WITH: sql/calm.sql:2:3",
            ],
        ),
        (
            "",
            [
                "etltctl.toml:3:1: sql.calm.file must be one SELECT, which may begin with WITH: sql/calm.sql:1:1"
            ],
        ),
        (
            "select 1;\nselect 2",
            ["etltctl.toml:3:1: sql.calm.file has more than one statement: sql/calm.sql:1:9"],
        ),
        (
            "select 1 from\n {silver.weather_observations}, {this}, {this}",
            [
                "etltctl.toml:3:1: sql/calm.sql:2:2: {silver.weather_observations} is not in sql.calm.reads, "
                "did you mean silver.weather_observation?",
                "etltctl.toml:3:1: sql/calm.sql:2:33: {this} is not in sql.calm.reads",
            ],
        ),
    ],
)
def test_every_fault_of_a_file_is_named_with_its_place(
    tmp_path: Path, query: str | None, says: Sequence[str]
) -> None:
    assert problems(tmp_path, query) == list(says)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    settings = project(tmp_path, "")
    settings.sql_path("calm").write_bytes(b"\xff\xfe select 1")
    (problem,) = query_problems(settings, "calm")
    assert problem.startswith("etltctl.toml:3:1: the file of sql.calm cannot be read: ")


def test_the_semicolon_at_the_end_goes_and_every_character_keeps_its_place(tmp_path: Path) -> None:
    assert read_query(project(tmp_path, "select 1\n;\n-- end"), "calm") == "select 1\n \n-- end"


def test_braces_in_texts_and_comments_name_no_table(tmp_path: Path) -> None:
    query = "select '{gold.nope}' as n, \"{c}\" -- {gold.nope}\nfrom {silver.weather_observation} /* {a.b} */"
    assert problems(tmp_path, query) == []
    assert with_tables(query, lambda table: table.upper()) == query.replace(
        "{silver.weather_observation}", "SILVER.WEATHER_OBSERVATION"
    )


def test_a_run_config_validate_and_the_doctor_name_the_same_fault(tmp_path: Path) -> None:
    settings = project(tmp_path, "delete from x")
    (problem,) = query_problems(settings, "calm")
    with pytest.raises(ConfigurationError, match="nothing was started") as refused:
        require_ready(settings, [STEP])
    assert refused.value.problems == (problem,)
    assert problem in [doubt.text for doubt in doubts(settings, {})]
    (finding,) = check_queries(Probe(settings))
    assert (finding.status, finding.subject, finding.evidence) == ("fail", "query calm", problem)
    (finding,) = check_queries(Probe(project(tmp_path, GOOD)))
    assert (finding.status, finding.evidence) == ("ok", "sql/calm.sql writes gold.calm")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[sql.other]\nfile = "o.sql"\nwrites = "gold.calm"\n', "sql.calm already: a table has one writer"),
        (
            '[sql.other]\nfile = "o.sql"\nwrites = "gold.weather_daily"\n',
            "gold.weather_daily is written by job silver_to_gold already",
        ),
        (
            '[sql.other]\nfile = "o.sql"\nreads = ["gold.wether_daily"]\nwrites = "gold.other"\n',
            "sql.other reads gold.wether_daily, which nothing writes, did you mean gold.weather_daily?",
        ),
        ('[tables."gold.calm"]\nconserve_rows = true\n', "conserve_rows needs a job that counts its rows"),
        (
            '[sql.other]\nfile = "o.sql"\nwrites = "gold.o"\nparttioned_by = ["a"]\n',
            "did you mean partitioned_by?",
        ),
        ('[sql.other]\nfile = "o.sql"\nwrites = "gold.o"\nmax_scan = "lots"\n', "must be a size like '20GB'"),
        ('[pipelines.other]\nsteps = ["sql:clam"]\n', "unknown step sql:clam, did you mean sql:calm?"),
    ],
)
def test_settings_of_queries_that_cannot_be_right_are_refused(tmp_path: Path, more: str, says: str) -> None:
    from etltctl.pipeline import steps

    with pytest.raises(ConfigurationError) as refused:
        steps("calm", project(tmp_path, GOOD, f"\n{more}"))
    assert says in "\n".join(refused.value.problems)


def test_a_column_that_the_query_names_may_be_checked_before_the_first_version(tmp_path: Path) -> None:
    settings = project(
        tmp_path, GOOD, '\n[contracts]\nfolder = "c"\n[tables."gold.calm"]\nkeys = ["city_key", "cty"]\n'
    )
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "gold.calm.toml").write_text('[columns]\nspeed = "double"\n')
    columns = {column.name: is_written(column, settings) for column in unknown_columns(settings, "gold.calm")}
    assert columns == {"city_key": True, "cty": False}
    settings.sql_path("calm").unlink()
    assert is_written(next(unknown_columns(settings, "gold.calm")), settings) is None


def test_the_caller_needs_athena_the_inputs_and_the_place_of_the_version(tmp_path: Path) -> None:
    settings = project(tmp_path, GOOD)
    required = Requirements(settings, "aws", "us-east-1", "123456789012")
    needs = {
        (each.action, each.resource.rpartition(":")[2])
        for each in kind_of(STEP).permissions("calm", [], required)
    }
    assert {
        ("athena:StartQueryExecution", "workgroup/pi-m3"),
        ("athena:StopQueryExecution", "workgroup/pi-m3"),
        ("glue:GetTable", "table/pi_m3_silver/weather_observation"),
        ("s3:GetObject", "pi-m3-silver/weather_observation/v=preflight/part-0.parquet"),
        ("s3:PutObject", "pi-m3-gold/calm/v=preflight/part-0.parquet"),
        ("glue:UpdateTable", "table/pi_m3_gold/calm"),
    } <= needs


def test_lake_formation_reads_governed_inputs_for_a_caller_that_may_select(tmp_path: Path) -> None:
    settings = project(tmp_path, GOOD, '\n[governance.zones.trusted]\nlayers = ["silver"]\n')
    required = Requirements(settings, "aws", "us-east-1", "123456789012")
    resources = {each.resource for each in kind_of(STEP).permissions("calm", [], required)}
    assert not [name for name in resources if "pi-m3-silver" in name]
    needs = needs_of(changes_of_pipelines(settings), settings, "arn:aws:iam::123456789012:role/operator")
    assert [need.table for need in needs if (need.step, need.permission) == ("sql:calm", "SELECT")] == [
        "silver.weather_observation"
    ]


def test_the_operator_s_policy_lets_athena_write_only_where_queries_write(tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    without = load_settings(directory=tmp_path / "without", env="aws", environ={})
    queries = project(tmp_path, GOOD, env="aws")
    before, after = (
        {each["Sid"]: each for each in operator_statements(Names(one))} for one in (without, queries)
    )
    assert set(after) - set(before) == {"AthenaWritesTablesBuckets", "AthenaWritesTablesObjects"}
    assert {sid: after[sid] for sid in before} == before
    assert after["AthenaWritesTablesObjects"]["Action"] == [
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ]
    places = str(after["AthenaWritesTablesObjects"]["Resource"]).lower()
    assert ("gold" in places, "silver" in places, "bronze" in places) == (True, False, False)


def test_the_command_that_makes_the_table_is_its_pipeline(tmp_path: Path) -> None:
    settings = project(tmp_path, GOOD)
    context = LakeContext(settings, S3(Aws()), Catalog(Aws()))
    assert str(context.writing("gold.calm")) == "etltctl run calm"


def test_a_query_and_a_job_of_one_name_do_not_share_a_lock(tmp_path: Path) -> None:
    more = '\n[glue.jobs.calm]\nscript = "calm.py"\nwrites = ["gold.also_calm"]\n'
    places = Places(project(tmp_path, GOOD, more))
    assert places.lock("gold.calm") != places.lock("gold.also_calm")
    assert "gold.calm" in places.tables()


def test_a_number_in_braces_in_a_check_is_the_query_s(tmp_path: Path) -> None:
    rules = TableRules(sql={"postcode": "select 1 from {this} where regexp_like(code, '^\\d{5}$')"})
    (rule,) = sql_rules("gold.calm", rules, lambda name: f"t_{name}")
    assert rule.query == "select 1 from t_this where regexp_like(code, '^\\d{5}$')"


def test_the_lineage_of_a_query_is_what_its_settings_say(tmp_path: Path) -> None:
    inputs, outputs = lineage_of(STEP, project(tmp_path, GOOD))
    assert (list(inputs), list(outputs)) == (["silver.weather_observation"], ["gold.calm"])


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../calm.sql", "sql/../../calm.sql", "..\\\\calm.sql", "C:/calm.sql"]
)
def test_the_file_of_a_query_does_not_leave_the_folder_of_the_settings_file(
    tmp_path: Path, file: str
) -> None:
    (tmp_path / "etltctl.toml").write_text(on_sample(CALM.replace("sql/calm.sql", file)))
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(directory=tmp_path, env="local", environ={})
    (problem,) = refusal.value.problems
    assert "etltctl.toml:3:" in problem
    assert "must be a relative path without .., because the file belongs next to the settings file" in problem
    assert "move it there and name it like 'sql/NAME.sql'" in problem
