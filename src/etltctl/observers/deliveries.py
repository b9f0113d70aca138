"""Deliveries that run next to each other, so that one slow receiver takes no time from the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread

from etltctl.errors import EtltctlError, UnreachableError

# Less than the time that the end of a run waits for all observers together.
LONGEST_DELIVERY_S = 7.0


@dataclass
class Delivery:
    """One delivery under way.

    Attributes:
        name: The receiver.
        deadline: Until when it is waited for, on the monotonic clock.
    """

    name: str
    deadline: float
    error: EtltctlError | None = None
    _thread: Thread | None = field(default=None, repr=False)

    @classmethod
    def start(cls, name: str, deliver: Callable[[], object], seconds: float = LONGEST_DELIVERY_S) -> Delivery:
        """Start a delivery on a separate thread, which keeps no process alive.

        Args:
            name: The receiver.
            deliver: Delivers; its error is kept.
            seconds: How long the delivery may take.
        """
        delivery = cls(name, time.monotonic() + seconds)

        def attempt() -> None:
            try:
                deliver()
            except EtltctlError as error:
                delivery.error = error
            except Exception as error:  # noqa: BLE001 - an observer cannot fail a run
                # Its words are left out: they may quote the address of the receiver, which is a secret.
                delivery.error = EtltctlError(f"unexpected {type(error).__name__}")

        delivery._thread = Thread(target=attempt, name=f"delivery to {name}", daemon=True)
        delivery._thread.start()
        return delivery

    def wait(self) -> EtltctlError | None:
        """Wait until the delivery has ended or its time is over.

        Returns:
            Its error; None if it succeeded.
        """
        assert self._thread is not None
        self._thread.join(max(self.deadline - time.monotonic(), 0.0))
        if self._thread.is_alive():
            return UnreachableError(f"{self.name} gave no answer in time; it may have arrived all the same")
        return self.error


def require_delivered(deliveries: list[Delivery]) -> None:
    """Wait for all deliveries.

    Args:
        deliveries: The deliveries.

    Raises:
        EtltctlError: Some failed; each is named.
    """
    errors = [(delivery.name, error) for delivery in deliveries if (error := delivery.wait()) is not None]
    if errors:
        texts = (
            error.message if name in error.message else f"{name}: {error.message}" for name, error in errors
        )
        raise EtltctlError("; ".join(texts))
