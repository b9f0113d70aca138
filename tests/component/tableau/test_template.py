"""A data source saved by Desktop is re-pointed to another table, and nothing else in it changes."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import UsageError
from etltctl.extracting import repoint_template
from etltctl.settings import Settings, load_settings

SAVED = """<?xml version='1.0' encoding='utf-8' ?>
<datasource formatted-name='federated.1' inline='true' version='18.1' xmlns:user='http://www.tableausoftware.com/xml/user'>
  <!-- saved once -->
  <connection class='federated'>
    <named-connections>
      <named-connection caption='athena.us-east-1.amazonaws.com' name='athena.1'>
        <connection class='athena' dbname='AwsDataCatalog' port='443' schema='old_gold'
          server='athena.us-east-1.amazonaws.com'
          s3-staging-dir='s3://old-results/' workgroup='primary' username='AKIA' user:note='kept' />
      </named-connection>
    </named-connections>
    <relation connection='athena.1' name='old_table' table='[old_gold].[old_table]' type='table' />
    <metadata-records>
      <metadata-record class='column'><parent-name>[old_table]</parent-name></metadata-record>
    </metadata-records>
  </connection>
  <column caption='Old table' name='[n]' role='measure' />
</datasource>
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    flags: dict[str, Any] = {"aws.region": "eu-west-1"}
    return load_settings(flags=flags, env="local", environ={}, directory=tmp_path)


def saved(folder: Path, text: str = SAVED) -> Path:
    file = folder / "saved.tds"
    file.write_text(text)
    return file


def test_every_reference_to_a_place_is_changed_and_reported(settings: Settings, tmp_path: Path) -> None:
    target, changes = repoint_template(saved(tmp_path), "gold.weather_daily", settings)
    assert target == tmp_path / "weather_daily.tds"
    assert changes == [
        "connection server: athena.us-east-1.amazonaws.com → athena.eu-west-1.amazonaws.com",
        "connection schema: old_gold → pi_m3_gold",
        "connection s3-staging-dir: s3://old-results/ → s3://pi-m3-athena-results/",
        "connection workgroup: primary → pi-m3",
        "relation table: [old_gold].[old_table] → [pi_m3_gold].[weather_daily]",
        "relation name: old_table → weather_daily",
    ]
    text = target.read_text()
    assert "[weather_daily]</parent-name>" in text
    for kept in ('username="AKIA"', 'user:note="kept"', 'caption="Old table"', "saved once", 'port="443"'):
        assert kept in text


def test_an_attribute_that_desktop_did_not_write_is_not_invented(settings: Settings, tmp_path: Path) -> None:
    text = SAVED.replace("s3-staging-dir='s3://old-results/' workgroup='primary'", "")
    target, _ = repoint_template(saved(tmp_path, text), "gold.weather_daily", settings)
    assert "pi-m3-athena-results" not in target.read_text()
    assert "workgroup" not in target.read_text()


def test_an_archive_keeps_everything_except_the_data_source(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "saved.tdsx"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("saved.tds", SAVED)
        archive.writestr("Data/picture.png", b"\x00\x01")
    target, changes = repoint_template(file, "gold.weather_daily", settings, tmp_path / "new.tdsx")
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["saved.tds", "Data/picture.png"]
        assert archive.read("Data/picture.png") == b"\x00\x01"
        assert b"[pi_m3_gold].[weather_daily]" in archive.read("saved.tds")
    assert len(changes) == 6


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "saved.tds",
            SAVED.replace("class='athena'", "class='postgres'"),
            "0 Athena connections and 1 tables",
        ),
        ("saved.tds", SAVED.replace("type='table'", "type='text'"), "1 Athena connections and 0 tables"),
        ("saved.tds", "not xml", "cannot be read"),
        ("saved.tdsx", "not a zip", "cannot be read"),
        ("saved.twb", SAVED, "is not a data source"),
    ],
)
def test_a_file_that_is_not_a_live_athena_data_source_is_refused(
    settings: Settings, tmp_path: Path, name: str, content: str, says: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(UsageError, match=says):
        repoint_template(file, "gold.weather_daily", settings)
    assert list(tmp_path.iterdir()) == [file]


def test_an_invalid_table_and_a_missing_file_are_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'weather' is not a table"):
        repoint_template(saved(tmp_path), "weather", settings)
    with pytest.raises(UsageError, match=r"gone\.tds does not exist"):
        repoint_template(tmp_path / "gone.tds", "gold.weather_daily", settings)
