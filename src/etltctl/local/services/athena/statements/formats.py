"""How a table's files are kept: the formats of STORED AS, and the delimiters of ROW FORMAT DELIMITED."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.statements.reader import Reader

# A table without a ROW FORMAT is read by this SerDe, with Control-A between its fields.
LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
HIVE = "org.apache.hadoop.hive.ql.io"
TEXT = ("org.apache.hadoop.mapred.TextInputFormat", f"{HIVE}.HiveIgnoreKeyTextOutputFormat")
# The name after STORED AS: the SerDe, the input format and the output format.
FORMATS = {
    "TEXTFILE": (LAZY_SIMPLE, *TEXT),
    "PARQUET": (
        f"{HIVE}.parquet.serde.ParquetHiveSerDe",
        f"{HIVE}.parquet.MapredParquetInputFormat",
        f"{HIVE}.parquet.MapredParquetOutputFormat",
    ),
    "ORC": (f"{HIVE}.orc.OrcSerde", f"{HIVE}.orc.OrcInputFormat", f"{HIVE}.orc.OrcOutputFormat"),
    "AVRO": (
        "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
        f"{HIVE}.avro.AvroContainerInputFormat",
        f"{HIVE}.avro.AvroContainerOutputFormat",
    ),
    "RCFILE": (
        "org.apache.hadoop.hive.serde2.columnar.LazyBinaryColumnarSerDe",
        f"{HIVE}.RCFileInputFormat",
        f"{HIVE}.RCFileOutputFormat",
    ),
    "SEQUENCEFILE": (
        LAZY_SIMPLE,
        "org.apache.hadoop.mapred.SequenceFileInputFormat",
        f"{HIVE}.HiveSequenceFileOutputFormat",
    ),
}  # fmt: skip
# The words of ROW FORMAT DELIMITED, and the property of the SerDe that keeps each. Hive misspells one.
DELIMITERS = (
    (("FIELDS", "TERMINATED", "BY"), "field.delim"),
    (("ESCAPED", "BY"), "escape.delim"),
    (("COLLECTION", "ITEMS", "TERMINATED", "BY"), "colelction.delim"),
    (("MAP", "KEYS", "TERMINATED", "BY"), "mapkey.delim"),
    (("LINES", "TERMINATED", "BY"), "line.delim"),
    (("NULL", "DEFINED", "AS"), "serialization.null.format"),
)


@dataclass
class Format:
    """The clauses ROW FORMAT, WITH SERDEPROPERTIES and STORED AS of one statement."""

    serde: str = ""
    stored: tuple[str, str, str] = FORMATS["TEXTFILE"]
    properties: dict[str, str] = field(default_factory=dict)

    def read(self, reader: Reader) -> bool:
        """Read one of the clauses, and return whether there was one."""
        if reader.accept("ROW", "FORMAT", "SERDE"):
            self.serde = reader.text()
        elif reader.accept("ROW", "FORMAT", "DELIMITED"):
            self._read_delimiters(reader)
        elif reader.accept("WITH", "SERDEPROPERTIES"):
            self.properties |= reader.properties()
        elif reader.accept("STORED", "AS"):
            self._read_stored(reader)
        elif reader.accept("STORED", "BY"):
            raise QueryError("NOT_SUPPORTED", "the embedded Athena does not support STORED BY")
        else:
            return False
        return True

    def _read_delimiters(self, reader: Reader) -> None:
        self.serde = LAZY_SIMPLE
        for words, name in DELIMITERS:
            if reader.accept(*words):
                self.properties[name] = reader.text()
        # Hive writes the delimiter twice, and reads it from either place.
        if "field.delim" in self.properties:
            self.properties["serialization.format"] = self.properties["field.delim"]

    def _read_stored(self, reader: Reader) -> None:
        if reader.accept("INPUTFORMAT"):
            reads = reader.text()
            reader.expect("OUTPUTFORMAT")
            self.stored = (LAZY_SIMPLE, reads, reader.text())
        elif reader.next.word in FORMATS:
            self.stored = FORMATS[reader.take().word]
        else:
            raise QueryError(
                "FAILED",
                f"SemanticException Unrecognized file format in STORED AS clause: '{reader.next.text}'",
            )

    def described(self) -> dict[str, Any]:
        """Return the part of the catalog's StorageDescriptor that says how the files are kept."""
        # ROW FORMAT SERDE wins over the SerDe of STORED AS, whichever stands first.
        serde, reads, writes = self.stored
        return {
            "InputFormat": reads,
            "OutputFormat": writes,
            "Compressed": False,
            "NumberOfBuckets": -1,
            "SerdeInfo": {
                "SerializationLibrary": self.serde or serde,
                "Parameters": {"serialization.format": "1", **self.properties},
            },
            "BucketColumns": [],
            "SortColumns": [],
            "Parameters": {},
            "StoredAsSubDirectories": False,
        }
