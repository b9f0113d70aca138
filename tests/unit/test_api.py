"""`import etltctl`: a small typed surface that loads nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import etltctl
from etltctl import errors


def test_every_public_name_exists() -> None:
    assert [name for name in etltctl.__all__ if not hasattr(etltctl, name)] == []
    assert set(etltctl.__all__) <= set(dir(etltctl))


def test_every_error_is_public() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.EtltctlError)
    }
    assert classes <= set(etltctl.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="run_pipelin"):
        etltctl.run_pipelin  # noqa: B018


def test_importing_loads_one_module_of_etltctl_and_no_sdk() -> None:
    code = (
        "import sys, etltctl; watched = {'etltctl', 'typing_extensions', 'boto3', 'httpx', 'pydantic'}; "
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in watched))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['etltctl']"


def test_using_the_functions_names_loads_no_sdk() -> None:
    code = (
        "import sys, etltctl; [getattr(etltctl, n) for n in etltctl.__all__ if n != 'Settings']; "
        "print([n for n in ('boto3', 'botocore', 'httpx', 'pydantic', 'pyarrow', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_pytest_plugin_loads_nothing_until_a_test_asks() -> None:
    code = (
        "import sys, pytest, etltctl.testing.plugin; "
        "print(sorted(name for name in sys.modules if name.startswith('etltctl')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['etltctl', 'etltctl.testing', 'etltctl.testing.plugin']"
