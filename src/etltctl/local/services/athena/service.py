"""Query executions: their states, their records, their results."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import uuid4

from etltctl.local.kernel.json_protocol import AwsError, CallerOperation, Operation
from etltctl.local.kernel.state_files import LateWrites, write_atomically
from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.metadata import Metadata
from etltctl.local.services.athena.pages import page_of
from etltctl.local.services.athena.processes import CancelledError, Workers, run_apart
from etltctl.local.services.athena.records import LIVE, Record, content_of, read_records
from etltctl.local.services.athena.results import Results
from etltctl.local.services.athena.saved_queries import SavedQueries
from etltctl.local.services.athena.statements.admission import refusal_of
from etltctl.local.services.athena.statements.prepared import executed_kind
from etltctl.local.services.athena.tables import Catalog, Guard, Lake
from etltctl.local.services.athena.worker import Statement
from etltctl.local.services.s3.directory import S3Directory

AT_ONCE = 4
COMMON = 50  # executions of a page


class _TooMuchError(Exception):
    """The query would scan more than its workgroup allows."""


class AthenaService:
    """The query executions of one state folder.

    Bytes scanned are the sizes of all files of the tables a query reads, after its partitions are known. A `guard` is
    asked before a table is read; `catalog_of` gives the catalog as a caller may change it.
    """

    def __init__(
        self,
        state: Path,
        directory: S3Directory,
        catalog: Catalog,
        guard: Guard | None = None,
        catalog_of: Callable[[str], Catalog] | None = None,
    ) -> None:
        self._folder = state / "athena"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._directory, self._catalog, self._guard = directory, catalog, guard
        self._catalog_of = catalog_of or (lambda _: catalog)
        self._lock = RLock()
        self._late = LateWrites()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="athena")
        self._workers = Workers(AT_ONCE)
        self._is_closed = False
        self._results = Results(self._folder, directory)
        self._metadata = Metadata(catalog, guard)
        self._saved = SavedQueries(
            self._folder / "saved" / "queries.json", lambda name: catalog.get_workgroup(name) is not None
        )
        self._records = {record.id: record for record in read_records(self._folder)}

    def operations(self) -> Mapping[str, Operation]:
        """Return the operations that are answered here; the control plane has workgroups and the rest."""
        return {
            "AmazonAthena.StartQueryExecution": self.start,
            **self._metadata.operations(),
            **self._saved.operations(),
            "AmazonAthena.GetQueryExecution": self.get,
            "AmazonAthena.BatchGetQueryExecution": self.batch_get,
            "AmazonAthena.ListQueryExecutions": self.list_ids,
            "AmazonAthena.StopQueryExecution": self.stop,
            "AmazonAthena.GetQueryResults": self.results,
            "AmazonAthena.GetQueryRuntimeStatistics": self.runtime_statistics,
        }

    def caller_operations(self) -> Mapping[str, CallerOperation]:
        """Return the operations whose answer depends on who calls."""
        return {"AmazonAthena.StartQueryExecution": self.start, **self._metadata.caller_operations()}

    def start(self, body: dict[str, Any], caller: str = "") -> dict[str, Any]:
        """Start a query of the caller; the same token and query give the same execution."""
        sql, token = body["QueryString"], body.get("ClientRequestToken", "")
        workgroup = body.get("WorkGroup", "primary")
        output = self._output_location(body, workgroup)
        refused = refusal_of(sql)
        with self._lock:
            before = next((r for r in self._records.values() if token and r.token == token), None)
            if before is not None:
                if (before.sql, before.parameters) != (sql, body.get("ExecutionParameters") or []):
                    raise AwsError("InvalidRequestException", "Idempotent parameters do not match")
                return {"QueryExecutionId": before.id}
            if refused is not None:
                raise AwsError(
                    "InvalidRequestException", refused.message, members={"AthenaErrorCode": "MALFORMED_QUERY"}
                )
            query_id, kind = str(uuid4()), executed_kind(sql, workgroup, self._saved)
            context = body.get("QueryExecutionContext") or {}
            record = Record(
                query_id,
                sql,
                context.get("Database", "default").strip('`"'),  # some clients quote it, as they do in SQL
                workgroup,
                f"{output.rstrip('/')}/{kind.result.format(id=query_id)}" if output else "",
                token,
                body.get("ExecutionParameters") or [],
                statement=kind.type,
                substatement=kind.subtype,
                caller=caller,
                catalog=context.get("Catalog", ""),
            )
            # Not synced: a query that a loss of power takes can be asked again.
            write_atomically(self._path(record), content_of(record), sync=False)
            self._records[query_id] = record
        self._threads.submit(self._run, record)
        return {"QueryExecutionId": query_id}

    def get(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return one execution."""
        return {"QueryExecution": self._record(body["QueryExecutionId"]).as_query_execution()}

    def batch_get(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return up to 50 executions, and the unknown ids separately."""
        records = [self._records[name] for name in body["QueryExecutionIds"] if name in self._records]
        missing = [
            {"QueryExecutionId": name, "ErrorCode": "INVALID_INPUT", "ErrorMessage": "not found"}
            for name in body["QueryExecutionIds"]
            if name not in self._records
        ]
        return {
            "QueryExecutions": [record.as_query_execution() for record in records],
            "UnprocessedQueryExecutionIds": missing,
        }

    def list_ids(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the ids of a workgroup's executions, newest first."""
        workgroup = body.get("WorkGroup", "primary")
        records = sorted(self._records.values(), key=lambda record: -record.submitted)
        ids = [record.id for record in records if record.workgroup == workgroup]
        return page_of("QueryExecutionIds", ids, body, COMMON)

    def stop(self, body: dict[str, Any]) -> dict[str, Any]:
        """Cancel an execution that has not ended."""
        record = self._record(body["QueryExecutionId"])
        with self._lock:
            if record.state in LIVE:
                self._end(record, "CANCELLED", "Query was cancelled by the user")
        self._late.flush()
        return {}

    def results(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a page of rows; the first row of the first page is the header of a SELECT."""
        record = self._record(body["QueryExecutionId"])
        if record.state != "SUCCEEDED":
            raise AwsError(
                "InvalidRequestException", f"Query has not yet finished. Current state: {record.state}"
            )
        return self._results.page(record, body)

    def runtime_statistics(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the times, rows and bytes of an execution."""
        return {"QueryRuntimeStatistics": self._record(body["QueryExecutionId"]).as_runtime_statistics()}

    def close(self) -> None:
        """Cancel every query and end the processes that run them."""
        self._is_closed = True
        # Before the threads: Linux kills a process together with the thread that started it (PR_SET_PDEATHSIG).
        self._workers.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, record: Record) -> None:
        with self._lock:
            if record.state not in LIVE:
                return
            record.state = "RUNNING"
        started = time.monotonic()
        try:
            lake = Lake(self._catalog_of(record.caller), self._directory, self._guard, record.caller)
            statement = Statement(
                record.sql,
                record.parameters,
                record.database,
                record.caller,
                self._guard is not None,
                record.workgroup,
                record.output,
            )
            plan, is_wanted = partial(self._plan, record), partial(self._is_wanted, record)
            answer = run_apart(self._workers, statement, lake, plan, is_wanted, self._saved)
            self._results.write(record, answer)
            record.scanned, record.engine_ms = answer.scanned, int((time.monotonic() - started) * 1000)
            record.columns = [list(column) for column in answer.columns]
            record.substatement = answer.subtype or record.substatement
            self._end(record, "SUCCEEDED")
        except CancelledError:
            self._end(record, "CANCELLED", "the embedded server ended")
        except QueryError as error:
            self._end(record, "FAILED", str(error))
        except _TooMuchError:
            self._end(record, "CANCELLED", "Query cancelled! : Bytes scanned limit was exceeded")
        except AwsError as error:
            self._end(record, "FAILED", f"{error.code}: {error.message}")
        except (OSError, ValueError) as error:
            self._end(record, "FAILED", f"GENERIC_USER_ERROR: {(str(error).splitlines() or [''])[0]}")
        finally:
            self._end(record, "FAILED", "INTERNAL_ERROR: the embedded Athena could not run the query")

    def _is_wanted(self, record: Record) -> bool:
        return record.state in LIVE and not self._is_closed

    def _plan(self, record: Record, scanned: int) -> None:
        """Note what will be scanned; raise _TooMuchError if that is more than the workgroup allows one query."""
        record.scanned = scanned
        described = self._catalog.get_workgroup(record.workgroup) or {}
        limit = (described.get("Configuration") or {}).get("BytesScannedCutoffPerQuery")
        if limit and scanned > limit:
            raise _TooMuchError

    def _output_location(self, body: Mapping[str, Any], workgroup: str) -> str:
        described = self._catalog.get_workgroup(workgroup)
        if described is None:
            raise AwsError("InvalidRequestException", f"WorkGroup {workgroup} is not found.")
        configuration = described.get("Configuration") or {}
        of_group = (configuration.get("ResultConfiguration") or {}).get("OutputLocation", "")
        requested = (body.get("ResultConfiguration") or {}).get("OutputLocation", "")
        if (configuration.get("ManagedQueryResultsConfiguration") or {}).get("Enabled"):
            if requested:
                raise AwsError(
                    "InvalidRequestException",
                    "OutputLocation cannot be set for a workgroup whose query results Athena manages",
                )
            return ""
        location = (
            of_group
            if configuration.get("EnforceWorkGroupConfiguration") and of_group
            else requested or of_group
        )
        if not re.match(r"s3://[^/]+", location):
            raise AwsError(
                "InvalidRequestException",
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input.",
            )
        return str(location)

    def _record(self, query_id: str) -> Record:
        try:
            return self._records[query_id]
        except KeyError as error:
            raise AwsError("InvalidRequestException", f"QueryExecution {query_id} was not found") from error

    def _end(self, record: Record, state: str, reason: str = "") -> None:
        with self._lock:
            if record.state not in LIVE:
                return
            ended = replace(record, state=state, reason=reason, completed=time.time())
            # Written before a caller can see it: a server that dies in between must not take back what it answered.
            self._late.write(self._path(record), content_of(ended), sync=False)
            record.state, record.reason, record.completed = ended.state, ended.reason, ended.completed

    def _path(self, record: Record) -> Path:
        return self._folder / f"{record.id}.json"
