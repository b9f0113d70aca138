"""A run's OpenLineage events, sent while it runs and made again from its record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etltctl.errors import BlockedError, RunFailedError
from etltctl.pipeline import cancel_run, finish_step, lineage_of_run, send_lineage, start_step, stop_step
from etltctl.testing import answered
from support.lineage_receiver import LineageReceiver, faults_of
from support.sql_project import READINGS, STEP, SqlProject

JOB, AUDIT = f"wind.{STEP}", f"wind.{STEP}.audit"
WHOLE = [
    ("wind", "START"), (JOB, "START"), (JOB, "COMPLETE"), (AUDIT, "START"), (AUDIT, "COMPLETE"), ("wind", "COMPLETE"),
]  # fmt: skip


def with_lineage(project: SqlProject, **values: Any) -> SqlProject:
    """Return the project with other settings of lineage."""
    settings = project.settings
    overlaid = settings.overlaid({"lineage": values}, settings.route)
    return SqlProject(project.lake, overlaid)


def running(query_id: str = "q", status: str = "RUNNING") -> Any:
    """Return the scripted answers of a query that is started and stays as it is."""
    execution = {
        "QueryExecutionId": query_id,
        "WorkGroup": "pi-m3",
        "Status": {"State": status, "SubmissionDateTime": 1_767_225_600.0},
        "Statistics": {"DataScannedInBytes": 0},
    }
    return (
        answered("StartQueryExecution", {"QueryExecutionId": query_id}, times=0),
        answered("GetQueryExecution", {"QueryExecution": execution}, times=0),
        answered("StopQueryExecution", {}, times=0),
    )


def test_every_event_of_a_run_arrives_is_valid_and_is_made_again_from_the_record(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    project.run("whole")
    assert receiver.kinds() == WHOLE
    assert [fault for event in receiver.events for fault in faults_of(event)] == []
    assert set(receiver.keys) == {"Bearer k-3f"}
    assert set(receiver.paths) == {"/api/v1/lineage"}
    again = lineage_of_run(project.events("whole"), project.settings)
    assert again == receiver.events


def test_a_step_s_end_has_its_datasets_columns_statement_and_counts(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    declared = {
        "tables": {"gold.windiest": {"lineage": {"speed": ["silver.reading.speed", "silver.reading.gone"]}}}
    }
    settings = project.settings.overlaid(declared, project.settings.route)
    SqlProject(project.lake, settings).run("described")
    end = receiver.events[2]
    (read,), (written,) = end["inputs"], end["outputs"]
    assert (read["namespace"], read["name"]) == ("s3://pi-m3-silver", "reading")
    assert (written["namespace"], written["name"]) == ("s3://pi-m3-gold", "windiest")
    fields = written["facets"]["schema"]["fields"]
    assert [field["name"] for field in fields] == ["city", "month", "speed"]
    # A column that the input does not have is left out.
    (speed,) = written["facets"]["columnLineage"]["fields"]["speed"]["inputFields"]
    assert (speed["namespace"], speed["name"], speed["field"]) == ("s3://pi-m3-silver", "reading", "speed")
    identifiers = written["facets"]["symlinks"]["identifiers"]
    assert [each["name"] for each in identifiers] == [
        "table/pi_m3_gold/windiest", "AwsDataCatalog.pi_m3_gold.windiest",
    ]  # fmt: skip
    assert identifiers[0]["namespace"].startswith("arn:aws:glue:us-east-1:")
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 4
    assert written["outputFacets"]["outputStatistics"]["size"] > 0
    assert "max(speed) as speed" in end["job"]["facets"]["sql"]["query"]
    remote_id = project.event("described", "step.finished")["remote_id"]
    assert end["run"]["facets"]["externalQuery"]["externalQueryId"] == remote_id
    parent = end["run"]["facets"]["parent"]
    assert parent["run"]["runId"] == receiver.events[0]["run"]["runId"]
    assert parent["job"]["name"] == "wind"


def test_a_rule_that_is_broken_fails_the_step_and_its_audit_with_the_cause(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    project.write_query("select city, month, speed from {silver.reading}")
    with pytest.raises(BlockedError):
        project.run("broken")
    assert receiver.kinds()[2:] == [(JOB, "FAIL"), (AUDIT, "START"), (AUDIT, "FAIL"), ("wind", "FAIL")]
    assert [fault for event in receiver.events for fault in faults_of(event)] == []
    error = receiver.events[2]["run"]["facets"]["errorMessage"]
    assert error["message"].startswith(f"{project.event('broken', 'step.finished')['cause']}: ")
    of_run = receiver.events[5]["run"]["facets"]["errorMessage"]["message"]
    assert of_run == "failed: the event of a step has the error"
    (table,) = receiver.events[4]["inputs"]
    (assertion,) = table["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (assertion["name"], assertion["success"]) == ("city, month not unique", False)
    assert int(assertion["actual"]) > 0
    assert "outputStatistics" not in receiver.events[2]["outputs"][0]["outputFacets"]


def test_a_new_try_is_a_new_run_with_another_id(project: SqlProject, receiver: LineageReceiver) -> None:
    project.write_query("select city, month, speed from {silver.reading}")
    with pytest.raises(BlockedError):
        project.run("tried")
    project.write_query("select city, month, max(speed) as speed from {silver.reading} group by city, month")
    project.retry("tried")
    steps = [event["run"]["runId"] for event in receiver.events if event["job"]["name"] == JOB]
    runs = [event["run"]["runId"] for event in receiver.events if event["job"]["name"] == "wind"]
    assert [len(set(ids)) for ids in (steps, runs)] == [2, 2]
    assert [steps[0], steps[2]] == [steps[1], steps[3]]
    assert receiver.kinds()[-1] == ("wind", "COMPLETE")
    again = lineage_of_run(project.events("tried"), project.settings)
    assert [event["run"]["runId"] for event in again] == [event["run"]["runId"] for event in receiver.events]


def test_a_step_in_the_hands_of_two_processes_has_one_start_and_one_end(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    handle = start_step("wind", STEP, run_id="in-two", settings=project.settings)
    assert receiver.kinds() == WHOLE[:2]
    finish_step(handle, project.settings)
    assert receiver.kinds() == WHOLE[:5]


def test_a_step_that_a_scheduler_stops_is_aborted(project: SqlProject, receiver: LineageReceiver) -> None:
    project.lake.script(*running())
    start_step("wind", STEP, run_id="stopped", settings=project.settings)
    assert stop_step(STEP, run_id="stopped", by="Airflow", settings=project.settings) is not None
    assert receiver.kinds()[2:] == [(JOB, "ABORT"), ("wind", "ABORT")]
    assert receiver.events[2]["run"]["facets"]["errorMessage"]["message"] == "Airflow"


def test_a_cancelled_run_fails_once_its_driver_has_seen_it(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    project.lake.script(*running())
    handle = start_step("wind", STEP, run_id="cancelled", settings=project.settings)
    (cancelled,) = cancel_run(project.events("cancelled"), project.settings)
    assert cancelled.done == "stopped"
    project.lake.script(*running(status="CANCELLED"))
    with pytest.raises(RunFailedError):
        finish_step(handle, project.settings)
    assert receiver.kinds()[2:] == [(JOB, "FAIL"), ("wind", "FAIL")]


def test_a_run_below_a_dag_run_names_it_as_parent_and_root(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    dag_run = "01a22499-f800-705b-af76-9c816594f9ce"
    with_lineage(project, parent=f"airflow/dag/{dag_run}").run("below")
    of_run, of_step = (event["run"]["facets"]["parent"] for event in receiver.events[:2])
    assert (of_run["run"]["runId"], of_run["job"]["name"]) == (dag_run, "dag")
    assert of_step["run"]["runId"] == receiver.events[0]["run"]["runId"]
    assert of_step["root"]["run"]["runId"] == dag_run
    # The record keeps the run above: no later process has Airflow's variables.
    again = lineage_of_run(project.events("below"), project.settings)
    assert again == receiver.events


def test_a_file_gets_each_event_as_a_line_and_a_second_run_is_appended(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    to_file = with_lineage(project, url="", file="events/lineage.ndjson")
    to_file.run("first-in-file")
    to_file.run("second-in-file")
    lines = (project.settings.folder / "events" / "lineage.ndjson").read_text().splitlines()
    assert len(lines) == 2 * len(WHOLE)
    assert [fault for line in lines for fault in faults_of(json.loads(line))] == []
    assert receiver.events == []


def test_a_run_is_sent_again_under_the_same_ids(project: SqlProject, receiver: LineageReceiver) -> None:
    project.run("again")
    before = list(receiver.events)
    assert send_lineage(project.events("again"), project.settings) == len(before)
    assert receiver.events == before * 2


def test_a_fifth_reading_changes_the_version_but_no_name(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    project.publish_readings(READINGS[:4], "second")
    project.run("fewer")
    names = {dataset["name"] for event in receiver.events for dataset in event["outputs"]}
    assert names == {"windiest"}
    assert receiver.events[2]["outputs"][0]["facets"]["version"]["datasetVersion"] == "fewer"
    project.publish_readings(READINGS, "third")


def test_columns_come_from_the_catalog_where_a_table_has_no_contract(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    contract = project.settings.contracts_folder / "silver.reading.toml"
    kept = contract.read_text()
    contract.unlink()
    try:
        project.run("without-contract")
    finally:
        contract.write_text(kept)
    fields = receiver.events[2]["inputs"][0]["facets"]["schema"]["fields"]
    assert [(field["name"], field["type"]) for field in fields] == [
        ("city", "string"), ("month", "bigint"), ("speed", "double"),
    ]  # fmt: skip
