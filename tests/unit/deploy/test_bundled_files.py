"""Odd files among those that a deployment uploads: each is an error that names the file and what to do."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.bundle import DOCKERFILE, NEEDED, bundle_of, copied_into_image
from etltctl.infrastructure.uploads import uploads_of
from etltctl.settings import load_settings

SETTINGS = """
[glue.jobs.small]
script = "jobs/small.py"
writes = ["gold.small"]
[env.aws]
project = "lake"
[env.aws.contracts]
folder = "contracts"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (*NEEDED, "jobs/small.py", "contracts/gold.good.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "contracts/gold.good.toml").write_text('[columns]\nid = "bigint"\n')
    (tmp_path / "etltctl.toml").write_text(SETTINGS)
    return tmp_path


def refusal(checkout: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        uploads_of(load_settings(config=checkout / "etltctl.toml", env="aws", environ={}))
    assert caught.value.hint
    return caught.value


def test_intact_files_are_bundled(checkout: Path) -> None:
    assert bundle_of(load_settings(config=checkout / "etltctl.toml", env="aws", environ={}))


def test_a_contract_that_is_a_dangling_link_is_named(checkout: Path) -> None:
    (checkout / "contracts/gold.odd.toml").symlink_to(checkout / "nowhere.toml")
    assert (
        "gold.odd.toml cannot be read: it is a link to a file that does not exist"
        in refusal(checkout).message
    )


def test_a_contract_that_is_a_folder_is_named(checkout: Path) -> None:
    (checkout / "contracts/gold.odd.toml").mkdir()
    assert "gold.odd.toml cannot be read" in refusal(checkout).message


@pytest.mark.parametrize("content", [b"columns = [", b"\xff", b'version = "1"\n'])
def test_a_file_that_is_not_a_contract_is_named(checkout: Path, content: bytes) -> None:
    (checkout / "contracts/gold.odd.toml").write_bytes(content)
    assert "gold.odd.toml cannot be read" in refusal(checkout).message


def test_the_file_of_a_query_is_bundled_or_the_deployment_is_refused(checkout: Path) -> None:
    query = '[sql.calm]\nfile = "{}"\nwrites = "gold.calm"\n'
    (checkout / "calm.sql").write_text("select 1 as one")
    (checkout / "etltctl.toml").write_text(query.format("calm.sql") + SETTINGS)
    refused = refusal(checkout)
    assert f"calm.sql of sql.calm, and only files in {checkout / 'sql'} go there" in refused.message
    assert 'sql.calm.file = "sql/calm.sql"' in str(refused.hint)
    (checkout / "sql").mkdir()
    (checkout / "calm.sql").rename(checkout / "sql" / "calm.sql")
    (checkout / "etltctl.toml").write_text(query.format("./sql/calm.sql") + SETTINGS)
    packed = bundle_of(load_settings(config=checkout / "etltctl.toml", env="aws", environ={}))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert "sql/calm.sql" in archive.getnames()


def test_a_dockerfile_that_is_not_utf8_is_named(checkout: Path) -> None:
    (checkout / DOCKERFILE).write_bytes(b"# caf\xe9\n")
    assert f"{DOCKERFILE} cannot be read: it is not UTF-8 at byte 5" in refusal(checkout).message


@pytest.mark.parametrize(
    ("line", "sources"),
    [
        ('COPY ["a b", "c", "/to/"]', ["a b", "c"]),
        ('COPY --chown=airflow:0 ["a b", "/to"]', ["a b"]),
        ('COPY ["a b" /to', ['["a', 'b"']),
        ("copy --link --chown=1 \\\n  ./src/ dags\t/to/", ["src", "dags"]),
        ("COPY --from=build /wheels /wheels", []),
        ("COPY <<EOF /etc/motd", []),
        ("COPY . /to", ["."]),
        ("RUN true\n# COPY x /to", []),
    ],
)
def test_a_copy_line_is_read_as_docker_reads_it(line: str, sources: list[str]) -> None:
    assert copied_into_image(f"FROM scratch\n{line}\n") == sources


def test_a_file_of_the_json_form_that_is_missing_is_named(checkout: Path) -> None:
    (checkout / DOCKERFILE).write_text('COPY ["a b", "etltctl.toml", "/to/"]\nCOPY . /to\n')
    assert "needs a b, and" in refusal(checkout).message
