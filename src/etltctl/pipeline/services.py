"""The services of one environment, each made when first needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from etltctl.airbyte import Airbyte
from etltctl.athena import Athena
from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.glue import Glue
from etltctl.ledger import Store, open_store
from etltctl.logs import Logs, ProgressBar
from etltctl.publishing import Lake
from etltctl.s3 import S3
from etltctl.tableau import Tableau

if TYPE_CHECKING:
    from etltctl.settings import Settings
    from etltctl.settings.services import Prices


@dataclass(frozen=True)
class Services:
    """The services of one environment, each made when first needed."""

    settings: Settings

    @cached_property
    def aws(self) -> Aws:
        """The account and region that the settings name."""
        return Aws.from_settings(self.settings)

    @cached_property
    def prices(self) -> Prices:
        """What the services charge in the region."""
        return self.settings.prices.of(self.settings.aws.region or self.aws.region_name)

    @cached_property
    def airbyte(self) -> Airbyte:
        """Airbyte, with its client id and secret resolved now and kept nowhere else."""
        return Airbyte.from_settings(self.settings, self.aws.reveal)

    @cached_property
    def glue(self) -> Glue:
        """Glue job runs."""
        return Glue(self.aws, names=self.settings.glue.names)

    @cached_property
    def athena(self) -> Athena:
        """Query executions in the workgroup of the settings."""
        return Athena(self.aws, self.settings.athena.workgroup, self.settings.athena.output_location)

    @cached_property
    def logs(self) -> Logs:
        """What Glue runs write."""
        return Logs(self.aws, self.settings.log_group_prefix)

    @cached_property
    def progress_bar(self) -> ProgressBar:
        """The progress bars of Glue runs, by which a person sees the stages of Spark."""
        return ProgressBar(self.aws, self.settings.log_group_prefix)

    @cached_property
    def s3(self) -> S3:
        """The buckets of the lake."""
        return S3(self.aws)

    @cached_property
    def lake(self) -> Lake:
        """Tables and their versions."""
        return Lake(self.settings, self.s3, Catalog(self.aws))

    @cached_property
    def store(self) -> Store:
        """Where the runs' events are kept."""
        return open_store(self.settings.state, self.aws)

    @cached_property
    def tableau(self) -> Tableau:
        """The Tableau site, with its token resolved now and kept nowhere else."""
        return Tableau.from_settings(self.settings, self.aws.reveal)
