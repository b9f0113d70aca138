"""Collections whose names cannot be folders: the files lie where the settings read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymongo
import pytest

from etltctl.errors import ConfigurationError
from etltctl.local.services.airbyte.mongodb import MongoProcess
from etltctl.settings import Settings, load_settings
from support.airbyte_server import Server, connection


def settings(folder: Path, *collections: str) -> Settings:
    (folder / "etltctl.toml").write_text(
        '[lake]\nbronze = "s3://bronze"\n[sources.shop]\nkind = "mongodb"\nuri = "env:SHOP"\n'
        f'database = "store"\ncollections = [{", ".join(map(repr, collections))}]\n'
    )
    return load_settings(directory=folder, environ={}, env="local")


def test_a_sync_writes_where_the_settings_read(server: Server, process: MongoProcess, tmp_path: Path) -> None:
    names = ["order items", "Orders", "a-b"]
    with pymongo.MongoClient[dict[str, Any]](process.uri()) as client:
        client.drop_database("store")
        for name in names:
            client["store"][name].insert_one({"_id": 1})
    source = {"kind": "mongodb", "uri": process.uri(), "database": "store", "collections": names}
    server.configure(connection("shop", **source))
    assert server.sync("shop")["rowsSynced"] == 3
    assert settings(tmp_path, *names).stream_locations("shop") == {
        f"shop_{table}": f"s3://bronze/{Path(file).parent}/"
        for table, file in zip(["Orders", "a-b", "order_items"], server.files(), strict=True)
    }


@pytest.mark.parametrize(
    ("names", "place"),
    [(("order items", "order_items"), "table"), (("Order Items", "Order_Items"), "folder")],
)
def test_two_collections_of_one_place_are_refused(tmp_path: Path, names: tuple[str, str], place: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        settings(tmp_path, *names)
    says = f"has two collections that become one bronze {place}: {names[0]} and {names[1]}"
    assert says in "\n".join(raised.value.problems)
