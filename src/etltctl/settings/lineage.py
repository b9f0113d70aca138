"""Settings of lineage: the receiver of a run's OpenLineage events, and the names in them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from etltctl.settings.lineage_variables import url_problem
from etltctl.settings.section import Secret, Section, Text


def _plain_file(text: str) -> str:
    if "://" in text:
        raise ValueError(f"must be a file on this machine, because events are appended to it, got {text!r}")
    return text


def _receiver(text: str) -> str:
    if text and (problem := url_problem(text)):
        raise ValueError(problem)
    return text


def _path(text: str) -> str:
    if "?" in text:
        raise ValueError("must not have a query in it: name the key of the receiver in `api_key`")
    return text


class Lineage(Section):
    """The receiver of OpenLineage events of every run and step. Without `file`, `url` or a variable nothing is sent.

    The variables of OpenLineage's own client count as well: `OPENLINEAGE_URL` in place of `url`, with
    `OPENLINEAGE_ENDPOINT` and `OPENLINEAGE_API_KEY`; `OPENLINEAGE_CONFIG`; `OPENLINEAGE_DISABLED` turns all of it off.
    """

    file: Annotated[str, AfterValidator(_plain_file)] = Field(
        default="",
        description="a file to which each event is appended as one line of JSON, relative to the settings file",
    )
    url: Annotated[str, AfterValidator(_receiver)] = Field(
        default="", description="the address of a receiver such as Marquez, without user or password"
    )
    endpoint: Annotated[Text, AfterValidator(_path)] = Field(
        default="api/v1/lineage", description="the path below `url` to which events are sent"
    )
    api_key: Secret = Field(default="", description="secret: the key that is sent to `url` as a bearer token")
    namespace: str = Field(
        default="",
        description="the namespace of the jobs, also `OPENLINEAGE_NAMESPACE`; `etltctl.PROJECT.ENV` unless set",
    )
    parent: str = Field(
        default="",
        description=(
            "the OpenLineage run that started this one, as `NAMESPACE/JOB/RUN`, also `OPENLINEAGE_PARENT_ID`; the "
            "Airflow operator sets it"
        ),
    )
    root: str = Field(
        default="",
        description=(
            "the OpenLineage run at the top, also `OPENLINEAGE_ROOT_PARENT_ID`; that of `parent` unless set"
        ),
    )
