"""A client of the embedded Athena that runs statements to their end."""

from __future__ import annotations

import io
import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from support.served import Served

REFUSED = ("InvalidRequestException", "MALFORMED_QUERY")


class Athena:
    """Statements over HTTP, with their results and the objects that they write.

    Args:
        server: the embedded server.
        results: the bucket of the results.
        database: the database of names that have none.
    """

    def __init__(self, server: Served, results: str, database: str = "default") -> None:
        self.client, self.s3, self.glue = (server.client(name) for name in ("athena", "s3", "glue"))
        self.results, self.database = results, database
        self.s3.create_bucket(Bucket=results)

    def run(self, sql: str, **request: Any) -> dict[str, Any]:
        """Return the execution of a statement after its end."""
        started = self.client.start_query_execution(
            QueryString=sql,
            ResultConfiguration={"OutputLocation": f"s3://{self.results}/q/"},
            QueryExecutionContext={"Database": self.database},
            **request,
        )
        while True:
            answer = self.client.get_query_execution(QueryExecutionId=started["QueryExecutionId"])
            execution: dict[str, Any] = answer["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
            time.sleep(0.05)

    def succeed(self, sql: str, **request: Any) -> dict[str, Any]:
        """Return the execution of a statement that must succeed."""
        execution = self.run(sql, **request)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        return execution

    def reason(self, sql: str, **request: Any) -> str:
        """Return why a statement failed, or why Athena did not start it, as `REFUSED: …`."""
        try:
            status = self.run(sql, **request)["Status"]
        except ClientError as error:
            answer: dict[str, Any] = dict(error.response)
            assert (answer["Error"]["Code"], answer.get("AthenaErrorCode")) == REFUSED, answer
            return f"REFUSED: {answer['Error']['Message']}"
        assert status["State"] == "FAILED", status
        return str(status["StateChangeReason"])

    def rows(self, sql: str, **request: Any) -> list[tuple[str | None, ...]]:
        """Return the rows of a query, without the header."""
        execution = self.succeed(sql, **request)
        answer = self.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        rows = [
            tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in answer["ResultSet"]["Rows"]
        ]
        return rows[1:] if execution["StatementType"] == "DML" else rows

    def keys(self, place: str) -> list[str]:
        """Return the keys of the objects below a place, `s3://bucket/prefix`."""
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        listing = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for entry in listing.get("Contents", [])]

    def read(self, url: str) -> bytes:
        """Return the content of an object."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def parquet(self, url: str) -> pa.Table:
        """Return the rows of a Parquet object."""
        return pq.read_table(io.BytesIO(self.read(url)))

    def table(self, name: str) -> dict[str, Any]:
        """Return a table of the catalog, in Glue's own shape."""
        table: dict[str, Any] = self.glue.get_table(DatabaseName=self.database, Name=name)["Table"]
        return table

    def manifest(self, execution: dict[str, Any]) -> list[str]:
        """Return the URLs of the files that a statement wrote."""
        return self.read(execution["Statistics"]["DataManifestLocation"]).decode().splitlines()
