"""Iceberg's catalog of Glue, over the embedded Data Catalog: tables are loaded, created and committed as on AWS.

The library's own GlueCatalog does the work. It is handed a client that calls the embedded catalog without HTTP. So the
description of a table in Glue and the optimistic lock (UpdateTable with VersionId) are those that other clients use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.io import FileIO
from pyiceberg.table import Table
from pyiceberg.typedef import EMPTY_DICT, Properties

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.iceberg.files import LakeFiles
from etltctl.local.services.s3.directory import S3Directory


class Calls(Protocol):
    """What is asked of the Data Catalog."""

    def call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """Perform any operation of the Data Catalog; raise AwsError."""


class _Errors:
    """The errors of boto3's client of Glue that the library handles."""

    class EntityNotFoundException(Exception):  # noqa: N818
        """There is no such table or database."""

    class AlreadyExistsException(Exception):  # noqa: N818
        """There is already such a table."""

    class ConcurrentModificationException(Exception):  # noqa: N818
        """Another commit came first."""


class _Client:
    """The operations of boto3's client of Glue that the library calls."""

    exceptions = _Errors
    OPERATIONS: ClassVar = {
        "get_table": "GetTable", "create_table": "CreateTable", "update_table": "UpdateTable",
        "delete_table": "DeleteTable", "get_database": "GetDatabase",
    }  # fmt: skip

    def __init__(self, catalog: Calls) -> None:
        self._catalog = catalog

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        operation = self.OPERATIONS[name]

        def called(**body: Any) -> dict[str, Any]:
            try:
                return self._catalog.call(f"AWSGlue.{operation}", body)
            except AwsError as error:
                known = getattr(_Errors, error.code, None)
                if known is None:
                    raise
                raise known(error.message) from error

        return called


class LakeCatalog(GlueCatalog):
    """The library's catalog of Glue, with the files in the embedded S3.

    Args:
        calls: The Data Catalog, as the caller of the statement changes it.
        directory: The embedded S3.
    """

    def __init__(self, calls: Calls, directory: S3Directory) -> None:
        super().__init__("awsdatacatalog", client=_Client(calls))
        self._files = LakeFiles(directory)

    # No property of a table chooses another place for its files.
    def _load_file_io(
        self,
        properties: Properties = EMPTY_DICT,  # noqa: ARG002
        location: str | None = None,  # noqa: ARG002
    ) -> FileIO:
        return self._files


def load(name: TableName, calls: Calls, directory: S3Directory) -> Table:
    """Load a table of Iceberg.

    Raises:
        QueryError: ICEBERG_MISSING_METADATA or ICEBERG_INVALID_METADATA if its metadata cannot be read.
    """
    try:
        return LakeCatalog(calls, directory).load_table((name.database, name.name))
    except FileNotFoundError as error:
        place = f"{name.database}.{name.name}"
        raise QueryError(
            "ICEBERG_MISSING_METADATA", f"Metadata not found in metadata location for table {place}"
        ) from error
    # What the library raises for metadata that it cannot read has no class in common.
    except Exception as error:
        if isinstance(error, AwsError | QueryError | OSError):
            raise
        place = f"{name.database}.{name.name}"
        raise QueryError(
            "ICEBERG_INVALID_METADATA", f"Invalid metadata file for table {place}: {error}"
        ) from error


@contextmanager
def committing(name: TableName) -> Iterator[None]:
    """Turn the library's error for a lost race into Athena's.

    Raises:
        QueryError: ICEBERG_COMMIT_ERROR. The table is as the other commit left it.
    """
    try:
        yield
    except (CommitFailedException, ValidationException) as error:
        raise QueryError(
            "ICEBERG_COMMIT_ERROR",
            f"Failed to commit Iceberg update to table: {name.database}.{name.name}",
        ) from error
