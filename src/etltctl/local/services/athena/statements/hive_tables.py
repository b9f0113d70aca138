"""Hive tables as statements write them: their description in the catalog, and their layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etltctl.local.services.athena.dialect import QueryError, Type
from etltctl.local.services.athena.file_formats import CODECS, NULL, SEPARATORS, FileFormat
from etltctl.local.services.athena.sources.delimited import character
from etltctl.local.services.athena.statements.formats import FORMATS, TEXT
from etltctl.local.services.athena.types import hive_type
from etltctl.local.services.athena.written_files import Layout

# By format: the SerDe, the input format, the output format.
STORAGE = {
    "PARQUET": FORMATS["PARQUET"],
    "ORC": FORMATS["ORC"],
    "TEXTFILE": FORMATS["TEXTFILE"],
    "JSON": ("org.apache.hive.hcatalog.data.JsonSerDe", *TEXT),
}
JSON_SERDES = (
    "org.apache.hive.hcatalog.data.JsonSerDe",
    "org.openx.data.jsonserde.JsonSerDe",
    "org.apache.hadoop.hive.serde2.JsonSerDe",
)
# Properties of a table of text that the files of an insert would not follow.
UNFOLLOWED = (
    "escape.delim",
    "skip.header.line.count",
    "serialization.encoding",
)
# The table's parameter that keeps the compression for later inserts, by format.
COMPRESSION = {
    "PARQUET": "parquet.compression",
    "ORC": "orc.compress",
    "JSON": "compression",
    "TEXTFILE": "compression",
}


def require_order(kinds: Mapping[str, Type], partitioned_by: Sequence[str]) -> None:
    """Raise QueryError unless the partition columns are the last columns, in their order, and not the only ones."""
    names = list(partitioned_by)
    missing = [name for name in names if name not in kinds]
    if missing:
        raise QueryError("INVALID_PROPERTY", f"Partition column {missing[0]} not present in schema")
    if names and list(kinds)[-len(names) :] != names:
        raise QueryError(
            "HIVE_COLUMN_ORDER_MISMATCH", "Partition keys must be the last columns in the table and in the same order "
            f"as the table properties: {names}",
        )  # fmt: skip
    if len(names) == len(kinds):
        raise QueryError("INVALID_PROPERTY", "Table contains only partition columns")


def described_table(
    name: str, location: str, kinds: Mapping[str, Type], layout: Layout, comment: str = ""
) -> dict[str, Any]:
    """Return the table as Glue's CreateTable takes it."""
    columns = [{"Name": column, "Type": hive_type(kind)} for column, kind in kinds.items()]
    count = len(columns) - len(layout.partitioned_by)
    form = layout.format
    parameters = {
        "EXTERNAL": "TRUE",
        "has_encrypted_data": "false",
        COMPRESSION[form.name]: form.codec.upper(),
    }
    if form.name != "TEXTFILE":
        parameters["classification"] = form.name.lower()
    return {
        "Name": name,
        **({"Description": comment} if comment else {}),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": columns[count:],
        "StorageDescriptor": {**_storage(layout), "Columns": columns[:count], "Location": location},
    }


def _codec_name(form: FileFormat) -> str:
    return next(name for name, codec in CODECS[form.name].items() if codec == form.codec)


def _storage(layout: Layout) -> dict[str, Any]:
    form = layout.format
    serde, input_format, output_format = STORAGE[form.name]
    parameters = {"serialization.format": "1"}
    if form.name == "TEXTFILE":
        parameters = {"serialization.format": form.delimiter, "field.delim": form.delimiter}
    return {
        "InputFormat": input_format,
        "OutputFormat": output_format,
        "SerdeInfo": {"SerializationLibrary": serde, "Parameters": parameters},
        "NumberOfBuckets": layout.buckets or -1,
        "BucketColumns": list(layout.bucketed_by),
        "Compressed": False,
        "StoredAsSubDirectories": False,
    }


def layout_of(described: Mapping[str, Any]) -> Layout:
    """Return how the files of a table of the catalog are written.

    Raises:
        QueryError: NOT_SUPPORTED for a table that Athena, or the embedded one, does not insert into.
    """
    storage, parameters = described["StorageDescriptor"], described.get("Parameters") or {}
    serde = storage.get("SerdeInfo") or {}
    # Tables of etltctl's own pipelines name no SerDe. Their files are Parquet.
    library = str(serde.get("SerializationLibrary") or STORAGE["PARQUET"][0])
    name = (
        "JSON"
        if library in JSON_SERDES
        else next((one for one, kept in STORAGE.items() if kept[0] == library), "")
    )
    if not name:
        raise QueryError(
            "NOT_SUPPORTED", f"the embedded Athena does not insert into tables of the SerDe {library}"
        )
    if storage.get("BucketColumns"):
        raise QueryError("NOT_SUPPORTED", "Inserting into bucketed tables is not supported")
    keys = tuple(column["Name"].lower() for column in described.get("PartitionKeys") or [])
    return Layout(_format(name, {**parameters, **(serde.get("Parameters") or {})}), keys)


def _format(name: str, properties: Mapping[str, str]) -> FileFormat:
    """Return the format of new files of a table with these properties."""
    codec = str(properties.get(COMPRESSION[name]) or "GZIP").upper()
    codec = CODECS[name].get(codec, CODECS[name]["GZIP"])
    if name != "TEXTFILE":
        return FileFormat(name, codec)
    for one in UNFOLLOWED:
        if properties.get(one, "0") not in ("0", ""):
            raise QueryError("NOT_SUPPORTED", f"the embedded Athena does not insert into a table with {one}")
    # Read as the SerDe reads them, so that it finds again what an insert writes.
    delimiter = properties.get("field.delim") or properties.get("serialization.format") or SEPARATORS[0]
    items = properties.get("collection.delim") or properties.get("colelction.delim") or SEPARATORS[1]
    keys = properties.get("mapkey.delim") or SEPARATORS[2]
    return FileFormat(
        name,
        codec,
        null=properties.get("serialization.null.format", NULL),
        delimiter=character(delimiter),
        deeper=f"{character(items)}{character(keys)}{SEPARATORS[3:]}",
    )
