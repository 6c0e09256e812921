"""What all parts of one simulator share."""

import hashlib
import threading
from dataclasses import dataclass, field

from django_dana.simulator.engine.behaviour import Behaviour
from django_dana.simulator.engine.clock import Clock


@dataclass(slots=True)
class Shared:
    """Clock, behaviour, seed, address and the one lock that guards all state.

    Attributes:
        seed: decides every generated number and the chance of every fault.
        base_url: scheme, host and port at which buyers and shops reach the simulator, without a trailing slash.
    """

    clock: Clock
    behaviour: Behaviour
    seed: int
    base_url: str
    lock: threading.RLock = field(default_factory=threading.RLock)

    def number(self, *parts: str, digits: int) -> str:
        """Return a number that looks random but is the same for the same seed and parts."""
        text = "\x00".join((str(self.seed), *parts))
        return str(int(hashlib.sha256(text.encode()).hexdigest(), 16))[-digits:]
