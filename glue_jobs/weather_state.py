"""What bronze_to_silver keeps for its next run, which reads only new files: what was read, and from which files."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote

from pyspark.sql.types import StructType

from changes import FullRunNeeded
from lake import GENERATION
from weather_documents import SCHEMALESS
from weather_shapes import FLAT

COUNTS = ("rows_in", "rejected", "temperatures", "hot", "measured", "placed")


@dataclass(frozen=True)
class DocumentCounts:
    """What was counted of documents: the `COUNTS`, and what decides whether the next run may read only new files.

    Attributes:
        counts: Numbers of documents.
        suspects: The city keys of places that have rejected documents.
        generation: The generation of the documents; None if the files have no such column, or no rows.
        first_future: The least time that was rejected as future, in seconds since 1970.
    """

    counts: Mapping[str, int]
    suspects: tuple[str, ...]
    generation: int | None
    first_future: float | None

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "DocumentCounts":
        """Return the sums of rows of `weather_counts.document_counts`."""
        groups = list(rows)
        generations = [row["generation"] for row in groups if row["generation"] is not None]
        futures = [row["first_future"] for row in groups if row["first_future"] is not None]
        return cls(
            counts={name: sum(row[name] for row in groups) for name in COUNTS},
            suspects=tuple(sorted({place for row in groups for place in row["suspects"].split()})),
            generation=max(generations, default=None),
            first_future=min(futures, default=None),
        )

    def plus(self, new: "DocumentCounts") -> "DocumentCounts":
        """Return the counts of these documents and of new ones of the same generation."""
        futures = [each for each in (self.first_future, new.first_future) if each is not None]
        return DocumentCounts(
            counts={name: self.counts[name] + new.counts[name] for name in COUNTS},
            suspects=tuple(sorted({*self.suspects, *new.suspects})),
            generation=self.generation,
            first_future=min(futures, default=None),
        )


@dataclass(frozen=True)
class SilverState:
    """The state of silver.weather_observation after a run.

    Attributes:
        schema: The columns of all files that were read, as Spark's JSON.
        documents: The counts of all documents.
        latest_dt: The latest time that the run accepted, in seconds since 1970.
        partitions: The partitions of the table, each as `place/year`.
        companions: For the name of a file, the names of others that hold documents of rows it gave the last one for.
    """

    schema: Mapping[str, Any]
    documents: DocumentCounts
    latest_dt: int
    partitions: tuple[str, ...]
    companions: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "SilverState":
        """Return the state from its JSON."""
        return cls(**{**content, "documents": DocumentCounts(**content["documents"])})

    def as_json(self) -> dict[str, Any]:
        """Return what `of` reads."""
        return asdict(self)

    @property
    def places(self) -> set[str]:
        """The city keys of the table."""
        return {partition.partition("/")[0] for partition in self.partitions}

    def check_times(self, latest: int) -> None:
        """Check that the documents which were rejected as future still are.

        Raises:
            FullRunNeeded: A rejected document is accepted now, or an accepted one no more.
        """
        future = self.documents.first_future
        if future is not None and future <= latest:
            raise FullRunNeeded(
                "a document that was rejected because its time lay in the future is accepted now"
            )
        if latest < self.latest_dt:
            raise FullRunNeeded("the clock is behind that of the earlier run")

    def check_generation(self, new: int | None) -> None:
        """Check that the new files do not replace the old ones.

        Raises:
            FullRunNeeded: Their generation is higher.
        """
        old = self.documents.generation
        if new is not None and (old is None or new > old):
            raise FullRunNeeded(f"the new files are of generation {new}, the old ones of {old}")

    def schema_with(self, new: StructType) -> StructType:
        """Return the columns of the old files and the new ones.

        Raises:
            FullRunNeeded: With the new columns, old documents would be read in another way.
        """
        old = StructType.fromJson(dict(self.schema))
        known = {field.name: field.dataType for field in old.fields}
        folded = {name.casefold() for name in known}
        for field in new.fields:
            if field.name in known and field.dataType != known[field.name]:
                kinds = f"{known[field.name].simpleString()}, in the new ones {field.dataType.simpleString()}"
                raise FullRunNeeded(f"{field.name} is in the old files {kinds}")
            if field.name not in known and field.name.casefold() in folded:
                raise FullRunNeeded(f"{field.name} is in the old files in other upper and lower case")
        added = [field for field in new.fields if field.name not in known]
        whole = StructType([*old.fields, *added])
        if _shape_of(old) != _shape_of(whole):
            raise FullRunNeeded("the new files have documents of another shape")
        return whole


def _shape_of(schema: StructType) -> tuple[bool, ...]:
    """Return by which columns it is decided how all documents of a stream are read."""
    names = set(schema.names)
    return SCHEMALESS in names, bool(names & set(FLAT)), GENERATION in names


def companions_of(text: str) -> dict[str, tuple[str, ...]]:
    """Return the companions from their text: a line has the name of a file, and those of the others."""
    others: dict[str, set[str]] = {}
    for line in text.splitlines():
        name, *files = line.split("/")
        others.setdefault(name, set()).update(files)
    return {name: tuple(sorted(files)) for name, files in others.items()}


def joined(old: Mapping[str, Iterable[str]], new: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return the companions of both. One too many costs time, never rows."""
    return {name: tuple(sorted({*old.get(name, ()), *new.get(name, ())})) for name in {*old, *new}}


def locations_of(names: Iterable[str], files: Iterable[str]) -> list[str]:
    """Return the files of a stream by their names, as parts of URLs.

    Raises:
        FullRunNeeded: A name is that of no file, or of two.
    """
    by_name: dict[str, list[str]] = {}
    for file in files:
        by_name.setdefault(file.rpartition("/")[2], []).append(file)
    located = {name: by_name.get(unquote(name), []) for name in names}
    doubtful = sorted(name for name, places in located.items() if len(places) != 1)
    if doubtful:
        raise FullRunNeeded(
            f"{doubtful[0]}, which holds documents of a row, is not one of the stream's files"
        )
    return sorted(place for places in located.values() for place in places)
