"""Queries that callers keep in Athena: named queries, and the prepared statements of each workgroup."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import uuid4

from etltctl.local.kernel.json_protocol import AwsError, Operation
from etltctl.local.kernel.state_files import read_json, write_atomically
from etltctl.local.services.athena.pages import page_of

Shape = dict[str, Any]
COMMON = 50


class SavedQueries:
    """The named queries and the prepared statements of one state folder."""

    def __init__(self, file: Path, has_workgroup: Callable[[str], bool]) -> None:
        """Read what is kept.

        Args:
            file: the file that keeps the queries.
            has_workgroup: returns whether a workgroup exists.
        """
        self._file = file
        self._has_workgroup = has_workgroup
        self._lock = RLock()
        self._named: dict[str, Shape] = {}
        self._prepared: dict[str, dict[str, Shape]] = {}  # workgroup → name → statement
        kept = read_json(file, _parse)
        if kept is not None:
            self._named, self._prepared = kept

    def operations(self) -> Mapping[str, Operation]:
        """Return Athena's operations by name."""
        operations: dict[str, Operation] = {
            "CreateNamedQuery": self.create_named,
            "GetNamedQuery": self.get_named,
            "BatchGetNamedQuery": self.batch_get_named,
            "UpdateNamedQuery": self.update_named,
            "DeleteNamedQuery": self.delete_named,
            "ListNamedQueries": self.list_named,
            "CreatePreparedStatement": self.create_prepared,
            "GetPreparedStatement": self.get_prepared,
            "BatchGetPreparedStatement": self.batch_get_prepared,
            "UpdatePreparedStatement": self.update_prepared,
            "DeletePreparedStatement": self.delete_prepared,
            "ListPreparedStatements": self.list_prepared,
        }
        return {f"AmazonAthena.{name}": operation for name, operation in operations.items()}

    def create_named(self, body: Shape) -> Shape:
        """Keep a named query; the same token gives the same query."""
        workgroup = self._workgroup(body)
        with self._lock:
            token = body.get("ClientRequestToken")
            for query_id, query in self._named.items():
                # A client resends the call when its answer is lost. It must not make a second query.
                if token and query.get("Token") == token:
                    return {"NamedQueryId": query_id}
            query_id = str(uuid4())
            members = ("Name", "Description", "Database", "QueryString")
            query = {name: body[name] for name in members if body.get(name)}
            self._keep({**self._named, query_id: {**query, "WorkGroup": workgroup, "Token": token}})
        return {"NamedQueryId": query_id}

    def get_named(self, body: Shape) -> Shape:
        """Return one named query."""
        return {"NamedQuery": self._shown(body["NamedQueryId"])}

    def batch_get_named(self, body: Shape) -> Shape:
        """Return named queries, and the unknown ids separately."""
        ids = body["NamedQueryIds"]
        missing = [{"NamedQueryId": name, **_NOT_FOUND} for name in ids if name not in self._named]
        return {
            "NamedQueries": [self._shown(name) for name in ids if name in self._named],
            "UnprocessedNamedQueryIds": missing,
        }

    def update_named(self, body: Shape) -> Shape:
        """Change a named query's name, description and SQL."""
        with self._lock:
            query = {
                **self._find_named(body["NamedQueryId"]),
                "Name": body["Name"],
                "QueryString": body["QueryString"],
            }
            # An update without a description keeps the old one.
            if "Description" in body:
                query["Description"] = body["Description"]
            self._keep({**self._named, body["NamedQueryId"]: query})
        return {}

    def delete_named(self, body: Shape) -> Shape:
        """Forget a named query."""
        with self._lock:
            self._find_named(body["NamedQueryId"])
            self._keep({name: query for name, query in self._named.items() if name != body["NamedQueryId"]})
        return {}

    def list_named(self, body: Shape) -> Shape:
        """Return a page of the ids of a workgroup's named queries."""
        workgroup = self._workgroup(body)
        ids = [name for name, query in self._named.items() if query["WorkGroup"] == workgroup]
        return page_of("NamedQueryIds", ids, body, COMMON)

    def create_prepared(self, body: Shape) -> Shape:
        """Keep a new prepared statement."""
        name, workgroup = body["StatementName"], self._workgroup(body)
        with self._lock:
            if name in self._prepared.get(workgroup, {}):
                raise AwsError(
                    "InvalidRequestException",
                    f"PreparedStatement {name} already exists in workGroup {workgroup}",
                )
            self._keep_prepared(workgroup, {**self._prepared.get(workgroup, {}), name: _prepared(body)})
        return {}

    def update_prepared(self, body: Shape) -> Shape:
        """Replace a prepared statement."""
        with self._lock:
            self._find_prepared(body)
            name, workgroup = body["StatementName"], body["WorkGroup"]
            self._keep_prepared(workgroup, {**self._prepared[workgroup], name: _prepared(body)})
        return {}

    def get_prepared(self, body: Shape) -> Shape:
        """Return one prepared statement."""
        return {"PreparedStatement": self._find_prepared(body)}

    def batch_get_prepared(self, body: Shape) -> Shape:
        """Return prepared statements, and the unknown names separately."""
        statements = self._prepared.get(self._workgroup(body), {})
        names = body["PreparedStatementNames"]
        missing = [{"StatementName": name, **_NOT_FOUND} for name in names if name not in statements]
        return {
            "PreparedStatements": [statements[name] for name in names if name in statements],
            "UnprocessedPreparedStatementNames": missing,
        }

    def delete_prepared(self, body: Shape) -> Shape:
        """Forget a prepared statement."""
        with self._lock:
            self._find_prepared(body)
            statements = self._prepared[body["WorkGroup"]]
            rest = {name: one for name, one in statements.items() if name != body["StatementName"]}
            self._keep_prepared(body["WorkGroup"], rest)
        return {}

    def list_prepared(self, body: Shape) -> Shape:
        """Return a page of a workgroup's prepared statements, in the order of their names."""
        statements = self._prepared.get(self._workgroup(body), {})
        shown = [
            {name: statements[key][name] for name in ("StatementName", "LastModifiedTime")}
            for key in sorted(statements)
        ]
        return page_of("PreparedStatements", shown, body, COMMON)

    def _workgroup(self, body: Shape) -> str:
        name = str(body.get("WorkGroup") or "primary")
        if not self._has_workgroup(name):
            raise AwsError("InvalidRequestException", f"WorkGroup {name} is not found.")
        return name

    def _shown(self, query_id: str) -> Shape:
        # Athena's answer has neither the token nor an empty description.
        query = self._find_named(query_id)
        shown = {name: value for name, value in query.items() if name != "Token" and value}
        return {**shown, "NamedQueryId": query_id}

    def _find_named(self, query_id: str) -> Shape:
        if query_id not in self._named:
            raise AwsError("InvalidRequestException", f"NamedQuery {query_id} was not found")
        return self._named[query_id]

    def _find_prepared(self, body: Shape) -> Shape:
        name, workgroup = body["StatementName"], self._workgroup(body)
        if name not in self._prepared.get(workgroup, {}):
            # The one error of Athena's API that is a ResourceNotFoundException: clients check for it before a create.
            raise AwsError(
                "ResourceNotFoundException",
                f"PreparedStatement {name} was not found in workGroup {workgroup}",
            )
        return self._prepared[workgroup][name]

    def _keep_prepared(self, workgroup: str, statements: dict[str, Shape]) -> None:
        self._keep(self._named, {**self._prepared, workgroup: statements})

    def _keep(self, named: dict[str, Shape], prepared: dict[str, dict[str, Shape]] | None = None) -> None:
        """Write the queries. Callers see the change only when it is on disk."""
        prepared = self._prepared if prepared is None else prepared
        write_atomically(self._file, json.dumps({"named": named, "prepared": prepared}).encode())
        self._named, self._prepared = named, prepared


_NOT_FOUND = {"ErrorCode": "INVALID_INPUT", "ErrorMessage": "not found"}


def _prepared(body: Shape) -> Shape:
    about = {"Description": body["Description"]} if body.get("Description") else {}
    return {
        "StatementName": body["StatementName"],
        "QueryStatement": body["QueryStatement"],
        "WorkGroupName": body["WorkGroup"],
        **about,
        "LastModifiedTime": time.time(),
    }


def _parse(content: Any) -> tuple[dict[str, Shape], dict[str, dict[str, Shape]]]:
    named, prepared = dict(content["named"]), dict(content["prepared"])
    if not all(isinstance(query["QueryString"], str) for query in named.values()):
        raise ValueError("a named query has no text")
    if not all(isinstance(one["QueryStatement"], str) for each in prepared.values() for one in each.values()):
        raise ValueError("a prepared statement has no text")
    return named, prepared
