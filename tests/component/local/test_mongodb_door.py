"""The embedded MongoDB lets in only the process that started it."""

from __future__ import annotations

from pathlib import Path

import pymongo
import pytest
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from etltctl.local.services.airbyte.mongodb import MongoProcess


def test_without_its_password_nothing_is_read_or_written(tmp_path: Path) -> None:
    process = MongoProcess(tmp_path / "data")
    try:
        uri = process.uri()
        parsed = parse_uri(uri)
        (host, port), password = parsed["nodelist"][0], str(parsed["password"])
        with pymongo.MongoClient(uri) as owner:
            owner["weather"]["observations"].insert_one({"_id": 1})
        for credentials in ("", "etltctl:wrong@", f"other:{password}@"):
            with pymongo.MongoClient(f"mongodb://{credentials}{host}:{port}/?authSource=admin") as stranger:
                with pytest.raises(OperationFailure):
                    stranger["weather"]["observations"].find_one()
                with pytest.raises(OperationFailure):
                    stranger["weather"]["observations"].delete_many({})
        with pymongo.MongoClient(uri) as owner:
            assert owner["weather"]["observations"].count_documents({}) == 1
        assert password not in Path(f"/proc/{process.pid()}/cmdline").read_text()
        assert password not in Path(f"/proc/{process.pid()}/environ").read_text()
    finally:
        process.stop()


def test_a_password_ends_with_its_server(tmp_path: Path) -> None:
    first = MongoProcess(tmp_path / "data")
    password = parse_uri(first.uri())["password"]
    first.stop()
    second = MongoProcess(tmp_path / "data")
    try:
        (host, port), *_ = parse_uri(second.uri())["nodelist"]
        old = f"mongodb://etltctl:{password}@{host}:{port}/?authSource=admin"
        with pymongo.MongoClient(old) as client, pytest.raises(OperationFailure):
            client.list_database_names()
    finally:
        second.stop()
