"""Hive tables: their types, and their description in the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etltctl.local.services.athena.dialect import QueryError, Type
from etltctl.local.services.athena.file_formats import FileFormat
from etltctl.local.services.athena.written_files import Layout

HIVE = "org.apache.hadoop.hive"
# By format: the input format, the output format, the SerDe.
STORAGE = {
    "PARQUET": (
        f"{HIVE}.ql.io.parquet.MapredParquetInputFormat",
        f"{HIVE}.ql.io.parquet.MapredParquetOutputFormat",
        f"{HIVE}.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "JSON": (
        "org.apache.hadoop.mapred.TextInputFormat",
        f"{HIVE}.ql.io.HiveIgnoreKeyTextOutputFormat",
        "org.apache.hive.hcatalog.data.JsonSerDe",
    ),
    "TEXTFILE": (
        "org.apache.hadoop.mapred.TextInputFormat",
        f"{HIVE}.ql.io.HiveIgnoreKeyTextOutputFormat",
        f"{HIVE}.serde2.lazy.LazySimpleSerDe",
    ),
}
JSON_SERDES = ("org.apache.hive.hcatalog.data.JsonSerDe", "org.openx.data.jsonserde.JsonSerDe")
# The table's parameter that keeps the compression for later inserts, by format.
COMPRESSION = {"PARQUET": "parquet.compression", "JSON": "compression", "TEXTFILE": "compression"}
TO_HIVE = {"varchar": "string", "integer": "int", "real": "float", "varbinary": "binary"}
PLAIN = ("boolean", "tinyint", "smallint", "bigint", "double", "date", *TO_HIVE)


def hive_type(kind: Type) -> str:
    """Return the Hive type that keeps a type of Trino.

    Raises:
        QueryError: NOT_SUPPORTED if Hive has no such type.
    """
    if kind.is_("decimal"):
        return f"decimal({kind.precision},{kind.scale})"
    if kind.is_text and kind.parameters:
        return f"{kind.name}({kind.number})"
    if kind.is_("timestamp"):
        return "timestamp"
    if kind.is_("array", "map"):
        return f"{kind.name}<{','.join(map(hive_type, kind.inners))}>"
    if kind.is_("row"):
        if not kind.fields or not all(kind.fields):
            raise QueryError(
                "NOT_SUPPORTED",
                f"Anonymous row type is not supported in Hive. Please give each field a name: {kind}",
            )
        named = zip(kind.field_names, kind.inners, strict=True)
        return f"struct<{','.join(f'{name}:{hive_type(inner)}' for name, inner in named)}>"
    if kind.name not in PLAIN:
        raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {kind}")
    return TO_HIVE.get(kind.name, kind.name)


def kept_type(kind: Type) -> Type:
    """Return the type that a column of a Hive table has: a timestamp has milliseconds there."""
    if kind.is_("timestamp"):
        return Type("timestamp", (3,))
    parameters = tuple(kept_type(one) if isinstance(one, Type) else one for one in kind.parameters)
    return Type(kind.name, parameters, kind.fields)


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


def _storage(layout: Layout) -> dict[str, Any]:
    form = layout.format
    input_format, output_format, serde = STORAGE[form.name]
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
    library = str(serde.get("SerializationLibrary") or STORAGE["PARQUET"][2])
    name = (
        "JSON"
        if library in JSON_SERDES
        else next((one for one, kept in STORAGE.items() if kept[2] == library), "")
    )
    if not name:
        raise QueryError(
            "NOT_SUPPORTED", f"the embedded Athena does not insert into tables of the SerDe {library}"
        )
    if storage.get("BucketColumns"):
        raise QueryError("NOT_SUPPORTED", "Inserting into bucketed tables is not supported")
    texts = {**parameters, **(serde.get("Parameters") or {})}
    codec = str(texts.get("parquet.compression") or texts.get("compression") or "").lower()
    known = ("gzip", "snappy", "zstd", "none") if name == "PARQUET" else ("gzip", "zstd", "none")
    delimiter = str(texts.get("field.delim") or texts.get("serialization.format") or "\x01")
    keys = tuple(column["Name"].lower() for column in described.get("PartitionKeys") or [])
    # Text without a note of its compression is written plain, as the files that are there most likely are.
    plain = "gzip" if name == "PARQUET" else "none"
    return Layout(
        FileFormat(
            name, codec if codec in known else plain, None, delimiter if len(delimiter) == 1 else "\x01"
        ),
        keys,
    )
