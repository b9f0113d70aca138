"""Query executions of the embedded Athena: results on S3, pages, request tokens, cancels and restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.service import AthenaService
from etltctl.local.services.s3.directory import S3Directory
from support.embedded_athena import RESULTS, OneCatalog, ended, start, state_of
from support.served import wait_until


def test_the_result_is_a_csv_on_s3_with_everything_quoted(
    athena: AthenaService, directory: S3Directory
) -> None:
    query_id = start(athena, "select city, x from days order by city nulls last")
    execution = ended(athena, query_id)
    assert execution["ResultConfiguration"]["OutputLocation"] == f"{RESULTS}{query_id}.csv"
    body = directory.get_object("results", f"{query_id}.csv")
    assert body == b'"city","x"\n"a","1.5"\n"b","2.0"\n,\n'
    assert execution["Statistics"]["DataScannedInBytes"] > 0


def test_results_have_pages(athena: AthenaService) -> None:
    query_id = start(athena, "select n from days order by n")
    ended(athena, query_id)
    first = athena.results({"QueryExecutionId": query_id, "MaxResults": 2})
    second = athena.results({"QueryExecutionId": query_id, "MaxResults": 2, "NextToken": first["NextToken"]})
    assert [len(page["ResultSet"]["Rows"]) for page in (first, second)] == [2, 2]
    assert "NextToken" not in second


def test_the_same_token_gives_the_same_execution(athena: AthenaService) -> None:
    token = "t" * 32
    assert start(athena, "select 1", ClientRequestToken=token) == start(
        athena, "select 1", ClientRequestToken=token
    )
    with pytest.raises(AwsError, match="Idempotent parameters do not match"):
        start(athena, "select 2", ClientRequestToken=token)


def test_a_long_query_can_be_cancelled(athena: AthenaService) -> None:
    many = "unnest(sequence(1, 10000))"
    sql = (
        f"select count(*) from {many} a(x) cross join {many} b(y) cross join {many} c(z) where x * y * z = 7"
    )
    query_id = start(athena, sql)
    wait_until(lambda: state_of(athena, query_id) == "RUNNING")
    athena.stop({"QueryExecutionId": query_id})
    assert ended(athena, query_id)["Status"]["State"] == "CANCELLED"


def test_an_unknown_workgroup_or_no_output_location_is_refused(athena: AthenaService) -> None:
    with pytest.raises(AwsError, match="WorkGroup nowhere is not found"):
        start(athena, "select 1", WorkGroup="nowhere")
    with pytest.raises(AwsError, match="No output location provided"):
        start(athena, "select 1", WorkGroup="bare")


def test_executions_survive_the_server_and_unfinished_ones_have_failed(
    state: Path, directory: S3Directory, catalog: OneCatalog, athena: AthenaService
) -> None:
    query_id = start(athena, "select 1")
    ended(athena, query_id)
    again = AthenaService(state, directory, catalog)
    assert again.get({"QueryExecutionId": query_id})["QueryExecution"]["Status"]["State"] == "SUCCEEDED"
    again.close()
