"""What is new in a MongoDB collection by a cursor field: nothing is lost, and what cannot be read in order is named.

The state is the greatest value that was read, and how many documents lay before it. Documents are read from that value
on, with those that have it, because more of them may have arrived. If more documents lie before it than before, some
arrived late, and the collection is read from its beginning. Of `_id`, which no two documents share, those after the
value are enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import DatetimeMS, ObjectId, json_util
from pymongo.collection import Collection

from etltctl.local.services.airbyte.records import Checkpoint, FailureKind, SyncError
from etltctl.local.services.airbyte.states import unusable_state

Document = Mapping[str, Any]
ID = "_id"
CHECKPOINT_ROWS = 5_000
ORDERED = "numbers, texts, dates and ObjectIds can be compared"


@dataclass(frozen=True)
class CursorState:
    """Where the last sync ended.

    Attributes:
        field: The cursor field.
        value: The greatest value that was read.
        passed: How many documents lay before the place from which the next sync reads.
        collection: The id that MongoDB gave the collection; another one means that it was dropped and made again.
    """

    field: str
    value: Any
    passed: int
    collection: str

    @classmethod
    def parse(cls, state: Mapping[str, Any]) -> CursorState:
        """Return the state; raise ValueError, TypeError or KeyError if it is none of this source."""
        value = json_util.loads(state["cursor"])
        return cls(str(state["cursor_field"]), value, int(state["passed"]), str(state["collection"]))

    def as_state(self) -> dict[str, Any]:
        """Return it as plain data; the value keeps its type, as MongoDB's canonical JSON."""
        value = json_util.dumps(self.value, json_options=json_util.CANONICAL_JSON_OPTIONS)
        return {
            "cursor_field": self.field,
            "cursor": value,
            "passed": self.passed,
            "collection": self.collection,
        }


class CursorRead:
    """One incremental read of a collection."""

    def __init__(self, collection: Collection[dict[str, Any]], field: str, state: Mapping[str, Any]) -> None:
        """Take the state of the last sync apart.

        Args:
            collection: The collection.
            field: The cursor field.
            state: What the last sync left; empty before the first.

        Raises:
            SyncError: The state is not one of this source, or of another cursor field.
        """
        self._collection = collection
        self._field = field
        self._place = collection.full_name
        try:
            self._before = CursorState.parse(state) if state else None
        except (ValueError, TypeError, KeyError) as error:
            trouble = f"its state cannot be read ({type(error).__name__}: {error})"
            raise unusable_state(f"{self._place}: {trouble}") from error
        if self._before and self._before.field != field:
            trouble = f"its state is of the cursor {self._before.field}, not of {field}"
            raise unusable_state(f"{self._place}: {trouble}")

    def read(self, batch_size: int) -> Iterator[Document | Checkpoint]:
        """Yield what is new in the order of the cursor, with checkpoints among it.

        Args:
            batch_size: How many documents the server sends at a time.

        Raises:
            SyncError: A document has no value of the cursor, or the values cannot be compared with each other.
        """
        identity = self._identity()
        kind = self._check_ends()
        before, passed = self._resume(identity)
        last, equal = before.value if before else None, 0
        query = self._from(before.value) if before else {}
        # Sorted by the cursor alone: with a second field no index on the cursor could give the order.
        cursor = self._collection.find(query, batch_size=batch_size).sort(self._field, 1).allow_disk_use(True)
        for count, document in enumerate(cursor, 1):
            value = document.get(self._field)
            if kind_of(value) != kind:
                raise self._mixed(document, kind)
            if value != last:
                last, passed, equal = value, passed + equal, 0
            equal += 1
            yield document
            if count % CHECKPOINT_ROWS == 0:
                yield self._checkpoint(last, passed, equal, identity)
        if last is not None:
            yield self._checkpoint(last, passed, equal, identity)

    def _resume(self, identity: str) -> tuple[CursorState | None, int]:
        """Return the state to resume from and the documents before it; no state if all must be read again."""
        before = self._before
        if before is None or before.collection != identity:
            return None, 0
        passed = self._collection.count_documents(self._until(before.value))
        # Fewer is fine: documents were deleted. More have come behind the cursor, where no later sync would see them.
        return (None, 0) if passed > before.passed else (before, passed)

    def _checkpoint(self, value: Any, passed: int, equal: int, identity: str) -> Checkpoint:
        # Of `_id` the next sync begins after the value, so the document that has it lies before the place as well.
        passed += equal if self._field == ID else 0
        return Checkpoint(CursorState(self._field, value, passed, identity).as_state())

    def _from(self, value: Any) -> dict[str, Any]:
        return {self._field: {"$gt" if self._field == ID else "$gte": value}}

    def _until(self, value: Any) -> dict[str, Any]:
        return {self._field: {"$lte" if self._field == ID else "$lt": value}}

    def _identity(self) -> str:
        """Return the collection's id; empty for a user who may not list collections."""
        from pymongo.errors import OperationFailure

        try:
            options = self._collection.database.list_collections(filter={"name": self._collection.name})
            return str(next(iter(options), {}).get("info", {}).get("uuid", ""))
        except OperationFailure:
            return ""

    def _check_ends(self) -> str:
        """Return the kind of all values, by the first and the last document in the order of the cursor.

        MongoDB sorts missing values first and then by type, so that the two ends show every mixture. A comparison
        finds values of one type only: of a mixture some documents would never be read.
        """
        first, last = (self._collection.find_one(sort=[(self._field, order)]) for order in (1, -1))
        if first is None or last is None:
            return kind_of(self._before.value) if self._before else ""
        if first.get(self._field) is None:
            count = self._collection.count_documents({self._field: None})
            raise self._trouble(
                f"documents without a value in the cursor field {self._field}: {count:,}, such as the one with _id "
                f"{first[ID]!r}. Give them one, or choose a cursor that all have, such as {ID}"
            )
        kind = kind_of(first[self._field])
        if not kind:
            raise self._trouble(
                f"the cursor field {self._field} of the document with _id {first[ID]!r} holds "
                f"{type(first[self._field]).__name__} {first[self._field]!r}; only {ORDERED}"
            )
        if kind_of(last.get(self._field)) != kind:
            raise self._mixed(last, kind)
        if self._before and kind_of(self._before.value) != kind:
            was = kind_of(self._before.value)
            trouble = f"the cursor field {self._field} held {was} and holds {kind} now"
            raise unusable_state(f"{self._place}: {trouble}")
        return kind

    def _mixed(self, document: Document, kind: str) -> SyncError:
        value = document.get(self._field)
        return self._trouble(
            f"the cursor field {self._field} holds {kind}, and {type(value).__name__} in the document with _id "
            f"{document[ID]!r}; the values must be of one type"
        )

    def _trouble(self, text: str) -> SyncError:
        return SyncError(f"{self._place}: {text}", FailureKind.CONFIG)


def kind_of(value: Any) -> str:
    """Return the type of a value among which MongoDB compares; empty for one that cannot be a cursor."""
    # A boolean is an int to Python. NaN is a number that compares with none.
    if isinstance(value, bool) or value != value:
        return ""
    for types, kind in (
        ((int, float), "numbers"), (str, "texts"), ((datetime, DatetimeMS), "dates"), (ObjectId, "ObjectIds"),
    ):  # fmt: skip
        if isinstance(value, types):
            return kind
    return ""
