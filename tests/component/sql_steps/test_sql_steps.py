"""A step `sql:NAME`: Athena writes the rows of a query as a version of a table, which is checked and published."""

from __future__ import annotations

import pytest

from etltctl.errors import BlockedError, BudgetError, ConfigurationError, RunFailedError, UnverifiedError
from etltctl.pipeline import rollback
from support.sql_project import QUERY, READINGS, SqlProject

ROWS = [("jfk", 1, 12.0), ("jfk", 2, 3.0), ("nyc", 1, 9.0), ("nyc", 2, 7.0)]


def test_the_rows_of_a_query_become_a_published_table(project: SqlProject) -> None:
    step, _ = project.run("plain").steps
    assert (step.verb, step.facts["rows"], step.facts["layer"]) == ("started", 4, "gold")
    assert step.facts["tables"]["gold.windiest"]["change"] in ("created", "updated")
    assert project.windiest() == ROWS
    files = project.services.s3.objects(project.services.lake.current_location("gold.windiest"))
    assert {file.key.rpartition(".")[2] for file in files} == {"parquet"}


def test_the_record_has_the_statement_its_digest_and_what_it_cost(project: SqlProject) -> None:
    project.run("recorded")
    intended = project.event("recorded", "remote.intended")
    assert intended["sql"].startswith("UNLOAD (-- the windiest month of each city\nselect")
    assert '"pi_m3_silver"."reading"' in intended["sql"]
    finished = project.event("recorded", "step.finished")
    assert finished["sql_digest"] == intended["sql_digest"]
    assert finished["file"] == "sql/windiest.sql"
    assert finished["usd"] > 0
    assert finished["scanned_bytes"] > 0


def test_partitions_may_stand_anywhere_in_the_query(project: SqlProject) -> None:
    partitioned = project.changed(partitioned_by=["city"])
    partitioned.run("partitioned")
    assert project.windiest() == ROWS
    location = project.services.lake.current_location("gold.windiest")
    folders = {
        file.location.removeprefix(location).split("/")[0] for file in project.services.s3.objects(location)
    }
    assert folders == {"city=nyc", "city=jfk"}
    with pytest.raises(
        ConfigurationError, match=r"the query of sql.windiest has no column town: it has city"
    ):
        project.changed(partitioned_by=["town"]).run("no-column")


def test_a_run_that_succeeded_starts_no_query_again(project: SqlProject) -> None:
    project.run("twice")
    before = project.executions()
    assert project.run("twice").is_reused
    assert (project.executions(), project.count("twice", "publish.switched")) == (before, 1)


def test_fresh_runs_the_query_again_into_another_version(project: SqlProject) -> None:
    project.run("fresh")
    first = project.event("fresh", "remote.intended")
    project.run("fresh", fresh=True)
    second = project.event("fresh", "remote.intended")
    assert first["outputs"] != second["outputs"]
    assert project.services.lake.current_location("gold.windiest") == second["outputs"]["gold.windiest"]


def test_a_version_that_fails_its_checks_is_not_published_and_the_corrected_query_runs(
    project: SqlProject,
) -> None:
    project.run("good")
    location = project.services.lake.current_location("gold.windiest")
    project.write_query("select city, month, speed from {silver.reading}")
    with pytest.raises(BlockedError, match=r"city, month not unique"):
        project.run("checked")
    with pytest.raises(BlockedError, match=r"city, month not unique"):
        project.retry("checked")
    assert project.count("checked", "remote.intended") == 1
    assert project.services.lake.current_location("gold.windiest") == location
    project.write_query(QUERY)
    assert project.retry("checked").steps[0].verb == "started"
    assert project.windiest() == ROWS
    warning = project.event("checked", "warning.degraded")["message"]
    assert warning.startswith("sql/windiest.sql has changed since query ")


def test_an_error_of_the_query_names_the_file_and_its_line(project: SqlProject) -> None:
    project.write_query("select city,\n       mnth as month\nfrom {silver.reading}")
    with pytest.raises(RunFailedError, match=r"COLUMN_NOT_FOUND: line 2:8") as failure:
        project.run("misspelt")
    assert failure.value.facts["file"] == str(project.file)
    assert failure.value.hint.startswith(
        "published tables stay as they were, and the query is in sql/windiest.sql; "
    )
    assert failure.value.hint.endswith("then: etltctl retry misspelt")
    first = project.event("misspelt", "remote.intended")
    project.write_query(QUERY)
    project.retry("misspelt")
    assert project.event("misspelt", "remote.intended")["outputs"] != first["outputs"]
    assert project.windiest() == ROWS


@pytest.mark.parametrize("partitioned_by", [[], ["city"]])
def test_an_error_on_the_first_line_names_the_column_of_the_file(
    project: SqlProject, partitioned_by: list[str]
) -> None:
    project.write_query("select city, mnth as month from {silver.reading}")
    with pytest.raises(RunFailedError, match=r"COLUMN_NOT_FOUND: line 1:14: Column 'mnth'"):
        project.changed(partitioned_by=partitioned_by).run(f"first-line-{len(partitioned_by)}")


def test_an_error_of_a_partitioned_query_names_the_file_too(project: SqlProject) -> None:
    project.write_query("select nothing from {silver.reading}")
    with pytest.raises(
        RunFailedError, match=r"Athena refuses the query of sql/windiest.sql: .*nothing"
    ) as failure:
        project.changed(partitioned_by=["city"]).run("misspelt-partition")
    assert failure.value.facts["file"] == str(project.file)


def test_a_query_without_rows_publishes_nothing(project: SqlProject) -> None:
    project.run("some")
    project.write_query("select city, month, speed from {silver.reading} where speed > 100")
    why = "returned no row, so that Athena wrote no file: gold.windiest is not published"
    with pytest.raises(UnverifiedError, match=why):
        project.run("none")
    assert project.windiest() == ROWS


def test_a_table_that_was_never_published_is_named_before_the_query_runs(project: SqlProject) -> None:
    unread = project.changed(reads=["silver.reading", "silver.weather_observation"])
    with pytest.raises(BlockedError, match=r"silver.weather_observation has no published version yet"):
        unread.run("unread")
    assert project.count("unread", "remote.intended") == 0


def test_a_run_whose_budget_is_spent_starts_no_query(project: SqlProject) -> None:
    with pytest.raises(
        BudgetError, match=r"query windiest was not started: max_usd of the run leaves 0.00 USD"
    ):
        project.run("broke", max_usd=0.0)
    assert project.count("broke", "remote.intended") == 0


def test_a_query_that_read_more_than_it_may_is_not_published(project: SqlProject) -> None:
    with pytest.raises(
        BudgetError, match=r"not published: it read [\d,]+ bytes, and sql.windiest.max_scan allows 1"
    ):
        project.changed(max_scan="1B").run("large")
    assert project.count("large", "publish.switched") == 0
    assert project.changed(max_scan="1GB").retry("large").steps[0].verb == "reused"


def test_the_table_can_be_rolled_back(project: SqlProject) -> None:
    project.run("before")
    project.write_query(QUERY.replace("max(speed)", "min(speed)"))
    project.run("after")
    assert project.windiest() != ROWS
    assert rollback("gold.windiest", project.settings, "before").version == "before"
    assert project.windiest() == ROWS


def test_the_query_reads_the_version_that_is_current_when_it_starts(project: SqlProject) -> None:
    project.publish_readings([{"city": "bos", "month": 3, "speed": 1.0}], "second")
    try:
        project.run("second")
        assert project.windiest() == [("bos", 3, 1.0)]
    finally:
        project.publish_readings(READINGS, "third")


def test_a_query_that_reads_its_table_says_how_to_make_the_first_version(project: SqlProject) -> None:
    project.run("to-be-lost")
    database, name = project.services.lake.places.in_catalog("gold.windiest")
    project.services.aws.client("glue").delete_table(DatabaseName=database, Name=name)
    own_table = project.changed(reads=["gold.windiest"])
    project.write_query("select city, month, speed from {gold.windiest}")
    with pytest.raises(
        BlockedError, match=r"sql.windiest reads gold.windiest, which it writes itself"
    ) as blocked:
        own_table.run("too-early")
    assert "take gold.windiest out of sql.windiest.reads" in blocked.value.hint
    assert project.count("too-early", "remote.intended") == 0
    project.write_query(QUERY)
    project.run("without-it")
    project.write_query("select city, month, speed from {gold.windiest}")
    assert own_table.run("with-it").steps[0].facts["rows"] == len(ROWS)
