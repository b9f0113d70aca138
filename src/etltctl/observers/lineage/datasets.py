"""Datasets in OpenLineage's names: tables by their place in S3, sources and data sources by their servers.

The names follow the naming conventions of OpenLineage's specification, https://openlineage.io/docs/spec/naming.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from etltctl.catalog import Catalog
from etltctl.contracts import ContractBook
from etltctl.errors import ConfigurationError, EtltctlError
from etltctl.places import Places
from etltctl.settings.secrets import FETCHED, resolve_secret

if TYPE_CHECKING:
    from etltctl.aws import Aws
    from etltctl.settings import Settings
    from etltctl.settings.sources import HttpSource, MongodbSource

SAMPLE = "sample"  # the host of the data that comes with etltctl
MONGODB_PORT = 27017
SOURCE, DATA_SOURCE = "source ", "data source "  # begin the names of things that are not tables


class DatasetName(NamedTuple):
    """The name of a dataset: unique within its namespace."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Datasets:
    """The datasets of one environment.

    Attributes:
        settings: The settings.
        aws: The account whose catalog is asked for columns that no contract has; None asks none.
    """

    settings: Settings
    aws: Aws | None = None

    def named(self, things: Sequence[str]) -> Iterator[tuple[DatasetName, str]]:
        """Yield the dataset of each thing that a step reads or writes, with its table; empty for another thing.

        Args:
            things: `layer.table`, `source NAME`, which is a dataset for each stream, or `data source NAME`.
        """
        for thing in things:
            if thing.startswith(SOURCE):
                yield from ((name, "") for name in self._streams(thing.removeprefix(SOURCE)))
            elif thing.startswith(DATA_SOURCE):
                yield self._data_source(thing.removeprefix(DATA_SOURCE)), ""
            else:
                yield self.table(thing), thing

    def table(self, table: str) -> DatasetName:
        """Return the dataset of `layer.table`: the folder of all its versions, so that the name stays the same."""
        location = Places(self.settings).of(table)
        return DatasetName(f"s3://{location.bucket}", location.key.rstrip("/") or "/")

    def in_catalog(self, table: str) -> tuple[str, str]:
        """Return the table's database and its name there."""
        return Places(self.settings).in_catalog(table)

    def columns(self, table: str) -> Mapping[str, str]:
        """Return the Hive types of a table's columns by name: of its contract, else of the catalog.

        Returns:
            Nothing if neither has the table, or neither can be read.
        """
        with suppress(ConfigurationError):
            if contract := ContractBook(self.settings.contracts_folder).find(table):
                return contract.columns
        with suppress(EtltctlError):
            described = Catalog(self.aws).table(*self.in_catalog(table)) if self.aws else None
            if described is not None:
                columns = [*described["StorageDescriptor"]["Columns"], *described.get("PartitionKeys", ())]
                return {column["Name"]: column["Type"] for column in columns}
        return {}

    def _streams(self, name: str) -> Iterator[DatasetName]:
        from etltctl.settings.sources import HttpSource, MongodbSource

        source = self.settings.sources[name]
        if isinstance(source, MongodbSource):
            server = self._mongodb_server(name, source)
            for collection in source.collections:
                yield DatasetName(f"mongodb://{server}", f"{source.database}.{collection}")
        elif isinstance(source, HttpSource):
            namespace, path = _http_place(source)
            for stream in source.streams:
                yield DatasetName(namespace, f"{path}/{stream}".lstrip("/"))
        else:
            # The connector alone knows its server.
            yield from (DatasetName(f"airbyte://{name}", stream) for stream in source.streams)

    def _mongodb_server(self, name: str, source: MongodbSource) -> str:
        """Return host and port of the database; the source's name if this machine does not have the secret."""
        if source.uri == f"{SAMPLE}:":
            return SAMPLE
        # On AWS only Airbyte knows the address, and a secret is not fetched for the name of a dataset.
        if source.uri.startswith(FETCHED):
            return name
        try:
            uri = resolve_secret(source.uri, setting=f"sources.{name}.uri")
            # Of a replica set the first member: urlsplit cannot read a list of them.
            address = urlsplit(uri).netloc.rpartition("@")[2].partition(",")[0]
        except (ConfigurationError, ValueError):
            return name
        has_port = ":" in address.rpartition("]")[2]
        return address if has_port or not address else f"{address}:{MONGODB_PORT}"

    def _data_source(self, name: str) -> DatasetName:
        tableau = self.settings.tableau
        source = tableau.datasources[name]
        host = urlsplit(tableau.server).netloc.rpartition("@")[2] or "tableau"
        parts = (tableau.site or "default", source.project or tableau.project, source.name or name)
        return DatasetName(f"tableau://{host}", "/".join(parts))


def _http_place(source: HttpSource) -> tuple[str, str]:
    """Return the namespace of an HTTP source, and the path before the names of its streams."""
    if source.base_url == f"{SAMPLE}:":
        return f"http://{SAMPLE}", ""
    parts = urlsplit(source.base_url)
    # Without a user or password, which some addresses hold.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", parts.path.strip("/")
