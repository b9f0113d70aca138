"""The files that a deployment uploads, and how large a template may be."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.template import blueprint
from etltctl.infrastructure.uploads import uploads_of
from etltctl.settings import load_settings


def uploads(folder: Path) -> Any:
    flags = {"glue.jobs": {name: {"script": f"glue_jobs/{name}.py"} for name in ("one", "two")}}
    return uploads_of(load_settings(config=folder / "etltctl.toml", env="aws", environ={}, flags=flags))


def test_changed_content_changes_the_key_of_only_the_jobs_that_use_it(folder: Path) -> None:
    before = uploads(folder)
    assert uploads(folder) == before
    (folder / "glue_jobs" / "unused.py").write_text("# changed\n")
    assert uploads(folder).hashes == before.hashes
    (folder / "glue_jobs" / "one.py").write_text("# changed\n")
    after = uploads(folder)
    assert after.hashes["one"] != before.hashes["one"]
    assert after.hashes["two"] == before.hashes["two"]
    (folder / "glue_jobs" / "shared.py").write_text("# changed\n")
    assert uploads(folder).hashes["two"] != before.hashes["two"]


def test_modules_are_uploaded_in_one_archive_next_to_the_script_and_its_data(folder: Path) -> None:
    names = [place.rpartition("/")[2] for place in uploads(folder).files if "/glue_jobs/one/" in place]
    assert names == ["one.py", "modules.zip", "shared_config.json"]


def test_the_bundle_holds_the_project_and_no_secrets(folder: Path) -> None:
    (folder / "deploy" / "airflow" / "airflow.env").write_text("SECRET=1\n")
    (folder / "src").mkdir()
    (folder / "src" / "module.py").write_text("")
    uploaded = uploads(folder)
    packed = uploaded.files[f"s3://pi-m3-scripts/{uploaded.bundle_key}"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
        names = set(archive.getnames())
    assert {"deploy/airflow/compose.yaml", "etltctl.toml", "src/module.py", "glue_jobs/one.py"} <= names
    assert "deploy/airflow/airflow.env" not in names


def test_a_file_that_the_machine_needs_is_named_when_it_is_missing(folder: Path) -> None:
    (folder / "deploy" / "airflow" / "compose.yaml").unlink()
    with pytest.raises(ConfigurationError, match=r"needs deploy/airflow/compose\.yaml"):
        uploads(folder)


def test_settings_that_make_a_template_too_large_are_refused_with_its_size(folder: Path) -> None:
    jobs = {f"job_{number:02}": {"script": "glue_jobs/one.py"} for number in range(40)}
    many = load_settings(
        config=folder / "etltctl.toml",
        env="aws",
        environ={},
        flags={"glue.jobs": jobs, "glue.job_prefix": "x-"},
    )
    drawn = blueprint(many)
    with pytest.raises(
        ConfigurationError, match=r"has \d\d,\d{3} bytes, and CloudFormation takes 51,200 of a new"
    ):
        drawn.require_room(has_bucket=False)
    drawn.require_room(has_bucket=True)
    assert not drawn.fits_a_call


def test_names_that_make_a_policy_too_long_are_refused_before_iam_does(folder: Path) -> None:
    flags = {"project": "w" * 60}
    long = load_settings(config=folder / "etltctl.toml", env="aws", environ={}, flags=flags)
    with pytest.raises(
        ConfigurationError, match=r"role w+-deployer has 1\d,\d{3} characters, and IAM takes 10,240"
    ):
        blueprint(long).require_room(has_bucket=True)
