"""The workers of a Glue job run: their types, and the DPU for which Glue bills each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class WorkerType(StrEnum):
    """The types of workers that a Spark job of Glue may have. R types have twice the memory of G types."""

    G_1X = "G.1X"
    G_2X = "G.2X"
    G_4X = "G.4X"
    G_8X = "G.8X"
    R_1X = "R.1X"
    R_2X = "R.2X"
    R_4X = "R.4X"
    R_8X = "R.8X"


# G.025X is for streaming jobs alone; an account may have them, and their runs are billed too.
DPU_A_WORKER = {"G.025X": 0.25, **{kind.value: float(kind.value[2:-1]) for kind in WorkerType}}
FEWEST = 2  # a driver and an executor


@dataclass(frozen=True)
class WorkerSize:
    """The workers of one job run.

    Attributes:
        type: The type of each.
        number: How many there are, the driver included.
    """

    type: str
    number: int

    def __str__(self) -> str:
        """Return the workers as a message names them, such as `2 x G.1X`."""
        return f"{self.number} x {self.type}"

    @property
    def dpus(self) -> float:
        """What Glue bills for a second of all workers, in DPU seconds."""
        return self.number * DPU_A_WORKER.get(self.type, 1.0)

    @property
    def larger(self) -> WorkerSize | None:
        """The same number of workers of the next larger type; None if there is none."""
        kinds = [kind for kind in WorkerType if kind[0] == self.type[:1]]
        later = [kind for kind in kinds if DPU_A_WORKER[kind] > DPU_A_WORKER.get(self.type, 1.0)]
        return WorkerSize(later[0].value, self.number) if later else None

    def overridden(self, options: Mapping[str, Any]) -> WorkerSize:
        """Return the workers with what the options of a run say of them.

        Args:
            options: The options as the ledger has them.
        """
        kind, number = options.get("worker_type"), options.get("workers")
        return WorkerSize(
            kind if isinstance(kind, str) and kind in DPU_A_WORKER else self.type,
            number if isinstance(number, int) and number >= FEWEST else self.number,
        )
