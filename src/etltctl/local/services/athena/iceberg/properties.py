"""The properties of tables, as Athena's statements name them and as Iceberg keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from etltctl.local.services.athena.dialect import QueryError

# Athena's own names, which it also keeps under these names in the metadata.
OWN = frozenset([
    "optimize_rewrite_min_data_file_size_bytes", "optimize_rewrite_max_data_file_size_bytes",
    "optimize_rewrite_data_file_threshold", "optimize_rewrite_delete_file_threshold",
    "vacuum_min_snapshots_to_keep", "vacuum_max_snapshot_age_seconds", "vacuum_max_metadata_files_to_keep",
    "write_target_data_file_size_bytes", "write_data_path_enabled",
])  # fmt: skip
# Numbers that Athena works with when a table does not say otherwise.
DEFAULTS = {
    "optimize_rewrite_data_file_threshold": 5,
    "optimize_rewrite_delete_file_threshold": 2,
    "vacuum_min_snapshots_to_keep": 1,
    "vacuum_max_snapshot_age_seconds": 432_000,
    "vacuum_max_metadata_files_to_keep": 100,
    "write_target_data_file_size_bytes": 536_870_912,
}
COMPRESSIONS = ("zstd", "snappy", "gzip", "lz4", "brotli")
CODEC, TARGET_SIZE = "write.parquet.compression-codec", "write.target-file-size-bytes"


def kept(properties: Mapping[str, str], *, code: str = "INVALID_TABLE_PROPERTY") -> dict[str, str]:
    """Return the properties of a statement as Iceberg keeps them.

    Args:
        properties: The properties, without `table_type` and those of the place.
        code: Athena's error name for one that is refused.

    Raises:
        QueryError: Athena has no such property, or the embedded one does not write in this format.
    """
    result = {}
    for name, value in properties.items():
        match name:
            case "format":
                _require_parquet(value)
            case "write_compression":
                result[CODEC] = _codec(value, code)
            case "write_target_data_file_size_bytes":
                result[name] = result[TARGET_SIZE] = _number(name, value, code)
            case _ if name in OWN:
                result[name] = value if name == "write_data_path_enabled" else _number(name, value, code)
            case _:
                raise QueryError(code, f"Unsupported table property key: {name}")
    return result


def _require_parquet(value: str) -> None:
    if value.lower() in ("orc", "avro"):
        raise QueryError(
            "NOT_SUPPORTED",
            f"the embedded Athena writes tables of Iceberg as Parquet, not as {value.upper()}",
        )
    if value.lower() != "parquet":
        raise QueryError("INVALID_TABLE_PROPERTY", f"Unsupported file format: {value}")


def _codec(value: str, code: str) -> str:
    codec = {"none": "uncompressed"}.get(value.lower(), value.lower())
    if codec not in (*COMPRESSIONS, "uncompressed"):
        raise QueryError(code, f"Unsupported compression: {value}")
    return codec


def _number(name: str, value: str, code: str) -> str:
    if not value.isdigit():
        raise QueryError(code, f"{name} takes a whole number, not {value}")
    return value


def number(properties: Mapping[str, str], name: str) -> int:
    """Return the value of one of Athena's properties of a table, or its default."""
    value = properties.get(name, "")
    return int(value) if value.isdigit() else DEFAULTS[name]


def shown(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that Athena shows, under its own names."""
    codec = properties.get(CODEC, "zstd")
    own = {name: value for name, value in sorted(properties.items()) if name in OWN}
    return {"table_type": "iceberg", "format": "parquet", "write_compression": codec, **own}
