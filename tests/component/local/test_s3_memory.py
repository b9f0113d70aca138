"""Objects pass through the server in pieces: its memory does not grow with them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.served import Served, serve

MEGABYTE = 1 << 20
SIZE = 96 * MEGABYTE
ROOM = 32 * MEGABYTE  # a third of one object


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server alone: the memory of another one may have been larger before."""
    with serve(tmp_path_factory.mktemp("memory")) as served:
        served.request("POST", "stack", {"buckets": ["lake"]})
        yield served


def most_memory(server: Served) -> int:
    """Return the most memory that the server's process had since this was asked last, in bytes."""
    process = Path(f"/proc/{server.process.pid}")
    (line,) = [one for one in (process / "status").read_text().splitlines() if one.startswith("VmHWM")]
    (process / "clear_refs").write_text("5")
    return int(line.split()[1]) * 1024


def put(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="big", Body=io.BytesIO(bytes(SIZE)))


def get(s3: Any) -> None:
    body = s3.get_object(Bucket="lake", Key="big")["Body"]
    assert sum(len(piece) for piece in body.iter_chunks(MEGABYTE)) == SIZE


def copy(s3: Any) -> None:
    s3.copy_object(Bucket="lake", Key="copy", CopySource="lake/big")


def copy_in_parts(s3: Any) -> None:
    names = {"Bucket": "lake", "Key": "joined"}
    names["UploadId"] = s3.create_multipart_upload(**names, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part_copy(**names, PartNumber=number, CopySource="lake/big")["CopyPartResult"][
                "ETag"
            ],
        }
        for number in (1, 2)
    ]
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    assert s3.head_object(Bucket="lake", Key="joined")["ContentLength"] == 2 * SIZE


def test_the_server_holds_no_object_whole(server: Served) -> None:
    s3 = server.client("s3")
    s3.put_object(Bucket="lake", Key="small", Body=b"x")
    s3.copy_object(Bucket="lake", Key="small again", CopySource="lake/small")
    most_memory(server)
    before = most_memory(server)
    ways: list[Callable[[Any], None]] = [put, get, copy, copy_in_parts]
    for way in ways:
        way(s3)
        assert most_memory(server) - before < ROOM, way.__name__
