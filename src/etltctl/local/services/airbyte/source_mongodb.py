"""Airbyte's source-mongodb-v2 in schema-enforced mode: collections as streams of flat records, whole or what is new.

For what is new Airbyte's connector follows the change stream of a replica set. This one reads by a cursor field, which
every MongoDB has and which sees new documents only, not changed or deleted ones.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pymongo
from bson import Int64, ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.errors import (
    AutoReconnect,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from etltctl.local.services.airbyte.mongodb_cursor import CursorRead
from etltctl.local.services.airbyte.mongodb_values import array_fields, field_kinds, to_column_value
from etltctl.local.services.airbyte.records import (
    Checkpoint,
    FailureKind,
    Kind,
    Pause,
    Record,
    States,
    Stream,
    SyncError,
    describe,
    without_passwords,
)

# The first is short because a wrong address is the usual cause, the second long because a batch may be large.
SERVER_TIMEOUT_S = 5
SOCKET_TIMEOUT_S = 120
# The connector's default `discover_sample_size`.
SAMPLE_SIZE = 10_000
FETCH_ROWS = 5_000
OWN_COLLECTIONS = ("system.", "replset.", "oplog.")  # MongoDB's; the connector leaves them out, too
BAD_CREDENTIALS, FORBIDDEN = 18, 13  # MongoDB's error codes
NO_ANSWER = f"no answer within {SERVER_TIMEOUT_S} s"
REASONS = (  # getaddrinfo's errors have negative numbers on Linux and these words on macOS
    (r"\[Errno -\d+\]|nodename nor servname|getaddrinfo", "the name does not resolve"),
    (r"Connection refused", "connection refused: nothing listens on this port"),
    (
        r"SSL|TLS|CERTIFICATE|certificate",
        "the TLS handshake failed: check tls and the certificate options in the address",
    ),
    (r"unreachable|No route to host", "there is no route to this host"),
)
CDC_COLUMNS = {
    "_ab_cdc_updated_at": Kind.STRING,
    "_ab_cdc_deleted_at": Kind.STRING,
    "_ab_cdc_cursor": Kind.INTEGER,
}
ID_TYPES: tuple[type, ...] = (ObjectId, str, int, Int64)


class MongoSource:
    """Some collections of one database. `uri` may hold a password: it never appears in a message."""

    def __init__(
        self,
        uri: str,
        database: str,
        collections: Sequence[str],
        pause: Pause,
        clock: Callable[[], float] = time.time,
        *,
        states: States = MappingProxyType({}),
        cursors: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Connect to the server.

        Args:
            uri: The address.
            database: The database.
            collections: The collections.
            pause: Ends the sync if it is cancelled.
            clock: The time in seconds since 1970.
            states: The states of the collections that are read incrementally.
            cursors: The cursor field of each of these; `_id` for one that is left out.
        """
        self._states = states
        self._cursors = cursors
        self._name = database
        self._collections = collections
        self._pause = pause
        self._clock = clock
        self._arrays: dict[str, set[str]] = {}
        self._client = _connect(uri)
        # MongoDB's dates reach further than Python's, and its texts need not be UTF-8. Neither may end a sync.
        options: CodecOptions[dict[str, Any]] = CodecOptions(
            datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
        )
        self._database = self._client.get_database(database, options)

    def streams(self) -> Sequence[Stream]:
        """Return one stream per collection, its columns found in a sample of documents.

        Raises SyncError if the server cannot be used or a collection does not exist.
        """
        with _explained(self._client):
            self._check_collections()
            return [self._discover(collection) for collection in self._collections]

    def discover(self) -> Sequence[Stream]:
        """Return a stream for each collection of the database, as `streams` does for those of the sync.

        Raises SyncError if the server cannot be used. A user who may not list collections gets those of the sync.
        """
        with _explained(self._client):
            try:
                present = self._database.list_collection_names()
            except OperationFailure as error:
                if error.code != FORBIDDEN:
                    raise
                present = list(self._collections)
            names = sorted(name for name in present if not name.startswith(OWN_COLLECTIONS))
            return [self._discover(name) for name in names]

    def read(self, stream: Stream) -> Iterator[Record | Checkpoint]:
        """Yield the stream's documents: all in the order of `_id`, or what is new in the order of its cursor.

        Raises:
            SyncError: The `_id`s or the cursor's values are not all of one usable type, or the state is not usable.
        """
        arrays = self._arrays.get(stream.name, set())
        # Of a document only the first level has columns, so none of them has inner fields.
        fields = {
            name: kind
            for name, kind in stream.columns.items()
            if name not in CDC_COLUMNS and isinstance(kind, Kind)
        }
        emitted = int(self._clock())
        updated_at = f"{datetime.fromtimestamp(emitted, UTC):%Y-%m-%dT%H:%M:%SZ}"
        count = -1
        for document in self._documents(stream.name):
            if isinstance(document, Checkpoint):
                yield document
                continue
            count += 1
            record = {
                name: to_column_value(document.get(name), kind, name in arrays)
                for name, kind in fields.items()
            }
            # Seconds times 10^8 plus a counter, as in the connector: rows of a later sync are always greater.
            yield {**record, "_ab_cdc_updated_at": updated_at, "_ab_cdc_cursor": emitted * 10**8 + count}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _documents(self, collection: str) -> Iterator[Mapping[str, Any] | Checkpoint]:
        id_type: type | None = None
        with _explained(self._client):
            for count, document in enumerate(self._read(collection)):
                if count % FETCH_ROWS == 0:
                    self._pause(0)
                if not isinstance(document, Checkpoint):
                    id_type = self._checked_id_type(collection, document["_id"], id_type)
                yield document

    def _read(self, collection: str) -> Iterator[Mapping[str, Any] | Checkpoint]:
        documents = self._database[collection]
        if collection not in self._states:
            yield from documents.find(batch_size=FETCH_ROWS).sort("_id", pymongo.ASCENDING)
            return
        cursor = self._cursors.get(collection) or "_id"
        yield from CursorRead(documents, cursor, self._states[collection]).read(FETCH_ROWS)

    def _checked_id_type(self, collection: str, value: Any, before: type | None) -> type:
        """Airbyte resumes by comparing `_id`s, so they must be comparable: of one type, and of these."""
        id_type = next((each for each in ID_TYPES if isinstance(value, each)), None)
        if id_type is None or isinstance(value, bool):
            raise _config_error(
                f"{self._name}.{collection}: an _id of type {type(value).__name__} cannot be synced; "
                "ObjectId, string, int and long can"
            )
        if before not in (None, id_type):
            raise _config_error(f"{self._name}.{collection}: the _id values are of several types")
        return id_type

    def _discover(self, collection: str) -> Stream:
        sample = list(self._database[collection].aggregate([{"$sample": {"size": SAMPLE_SIZE}}]))
        self._arrays[collection] = array_fields(sample)
        fields = {"_id": Kind.STRING, **field_kinds(sample), **CDC_COLUMNS}
        return Stream(collection, fields, namespace=self._name)

    def _check_collections(self) -> None:
        """Refuse a missing collection: it reads as empty in MongoDB, and is more likely a misspelt name."""
        try:
            present = self._database.list_collection_names()
        except OperationFailure as error:
            # A user may be allowed to read a collection and not to list them. Then the read itself fails or not.
            if error.code == FORBIDDEN:
                return
            raise
        missing = [name for name in self._collections if name not in present]
        if missing:
            known = ", ".join(sorted(present)) or "none at all: is the name of the database right?"
            raise _config_error(
                f"the database {self._name} has no collection {', '.join(missing)}; it has: {known}"
            )


def _connect(uri: str) -> pymongo.MongoClient[dict[str, Any]]:
    try:
        return pymongo.MongoClient(
            uri,
            serverSelectionTimeoutMS=SERVER_TIMEOUT_S * 1000,
            # The driver asks a server how it is as well, and one that sorts a million documents may be silent.
            connectTimeoutMS=SOCKET_TIMEOUT_S * 1000,
            socketTimeoutMS=SOCKET_TIMEOUT_S * 1000,
        )
    except (PyMongoError, ValueError) as error:
        if name := re.search(
            r"_mongodb\._tcp\.([\w.-]+)", str(error)
        ):  # a mongodb+srv:// address is looked up here
            raise _config_error(
                f"MongoDB at {name[1].rstrip('.')} cannot be reached: the name does not resolve"
            ) from error
        # Without the driver's own words: they may quote the address and with it the password.
        raise _config_error(
            "the MongoDB address is not usable: it must look like mongodb://HOST:27017/, with a port up to 65535, and "
            "/ % @ : in its user and password percent-encoded"
        ) from error


@contextmanager
def _explained(client: pymongo.MongoClient[dict[str, Any]]) -> Iterator[None]:
    """Turn the driver's errors into the words and the failure kind of a sync."""
    servers = client.topology_description.server_descriptions()
    address = "MongoDB at " + ", ".join(sorted(f"{host}:{port}" for host, port in servers))
    try:
        yield
    except ServerSelectionTimeoutError as error:
        raise SyncError(f"{address} cannot be reached: {_why(client)}", FailureKind.TRANSIENT) from error
    except OperationFailure as error:
        if error.code == BAD_CREDENTIALS:
            raise _config_error(f"{address} refused the user name and password") from error
        reason = (error.details or {}).get("errmsg", "no reason given")
        raise _config_error(f"{address} refused to read: {reason}") from error
    except AutoReconnect as error:
        raise SyncError(f"the connection to {address} was lost", FailureKind.TRANSIENT) from error
    except PyMongoError as error:
        raise SyncError(f"{address}: {without_passwords(describe(error))}", FailureKind.SYSTEM) from error


def _why(client: pymongo.MongoClient[dict[str, Any]]) -> str:
    """Say why no server could be used; with several reasons, which server has which.

    The driver gives the cause as text only. Its text is not passed on: these words hold no part of the address.
    """
    servers = client.topology_description.server_descriptions().items()
    reasons = {f"{host}:{port}": _reason(str(server.error or "")) for (host, port), server in servers}
    if len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return ", ".join(f"{reason} ({place})" for place, reason in sorted(reasons.items()))


def _reason(text: str) -> str:
    return next((words for pattern, words in REASONS if re.search(pattern, text)), NO_ANSWER)


def _config_error(message: str) -> SyncError:
    return SyncError(message, FailureKind.CONFIG)
