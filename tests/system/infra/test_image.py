"""The Airflow image can be built: from the checkout, and from the bundle that the machine unpacks."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.uploads import uploads_of
from etltctl.settings import load_settings
from support.image import copied, unpacked, wheel_names

PROJECT = Path(__file__).parents[3]
BUILD = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
BUILD_CONTEXT = (
    "LICENSE", "README.md", "connectors", "dags", "deploy", "etltctl.toml", "glue_jobs", "pyproject.toml",
    "requirements", "src",
)  # fmt: skip
CONTRACT = 'table = "gold.small"\n[columns]\n"n" = "bigint"\n'


def expected_names() -> set[str]:
    """Return the files of an installed etltctl, as they are in the checkout."""
    places = {"src/etltctl": "etltctl", **BUILD["targets"]["wheel"]["force-include"]}
    names = set()
    for source, target in places.items():
        place = PROJECT / source
        files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
        names |= {
            f"{target}/{path.relative_to(place).as_posix()}".removesuffix("/.")
            for path in files
            if "__pycache__" not in path.parts
        }
    return names


def bundle(config: Path, **flags: object) -> bytes:
    """Return the bundle that a deployment of these settings uploads."""
    settings = load_settings(config=config, env="aws", environ={}, flags=flags)
    uploads = uploads_of(settings)
    return uploads.files[f"{settings.lake.scripts}/{uploads.bundle_key}"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout of the project with a committed contract."""
    folder = tmp_path / "checkout"
    for name in BUILD_CONTEXT:
        source, target = PROJECT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


def built_from_the_checkout(folder: Path) -> Path:
    return PROJECT


def built_from_the_bundle(folder: Path) -> Path:
    return unpacked(bundle(PROJECT / "etltctl.toml"), folder / "bundle")


@pytest.mark.parametrize("context", [built_from_the_checkout, built_from_the_bundle])
def test_the_files_that_the_image_copies_build_the_whole_package(
    context: Callable[[Path], Path], tmp_path: Path
) -> None:
    """The image installs the project from the copied files alone, so they must be all that the build needs."""
    root = copied(context(tmp_path), tmp_path / "image")
    names = wheel_names(root / "opt" / "etltctl", tmp_path / "wheel")
    assert {name for name in names if name.startswith("etltctl/")} == expected_names()
    assert {
        "etltctl/_project/connectors/source-f1/manifest.yaml",
        "etltctl/_project/deploy/aws/cloud-config.yaml",
    } <= names


@pytest.mark.parametrize("flags", [{}, {"contracts.folder": "agreements"}])
def test_the_contracts_reach_the_image_wherever_the_settings_keep_them(
    checkout: Path, tmp_path: Path, flags: dict[str, object]
) -> None:
    folder = checkout / str(flags.get("contracts.folder", "contracts"))
    folder.mkdir()
    (folder / "gold.small.toml").write_text(CONTRACT)
    root = copied(unpacked(bundle(checkout / "etltctl.toml", **flags), tmp_path / "b"), tmp_path / "image")
    assert (root / "opt" / "contracts" / "gold.small.toml").read_text() == CONTRACT
    named = "ETLTCTL__CONTRACTS__FOLDER=/opt/contracts"
    assert named in (checkout / "deploy" / "airflow" / "Dockerfile").read_text()


def test_a_checkout_without_contracts_is_deployed(checkout: Path, tmp_path: Path) -> None:
    root = copied(unpacked(bundle(checkout / "etltctl.toml"), tmp_path / "b"), tmp_path / "image")
    assert (root / "opt" / "etltctl" / "pyproject.toml").is_file()
    assert not list(root.glob("opt/contracts/*"))


def test_a_settings_file_with_another_name_reaches_the_image(checkout: Path, tmp_path: Path) -> None:
    other = checkout / "other.toml"
    other.write_text((checkout / "etltctl.toml").read_text() + "# other\n")
    root = copied(unpacked(bundle(other), tmp_path / "b"), tmp_path / "image")
    assert (root / "opt" / "etltctl" / "etltctl.toml").read_text() == other.read_text()


@pytest.mark.parametrize("name", ["connectors", "pyproject.toml"])
def test_a_bundle_from_which_no_image_can_be_built_is_refused(checkout: Path, name: str) -> None:
    place = checkout / name
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(ConfigurationError, match=rf"the Airflow machine needs {name}, and"):
        bundle(checkout / "etltctl.toml")
