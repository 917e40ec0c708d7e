"""The settings that every run has, whatever its exercise."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from dlexp.errors import InputError

SEED_STRIDE = 1000  # repetitions of one base seed lie below the next base seed: sweeps over `seed` never overlap


@dataclass(frozen=True)
class Store:
    """Where trained nets are kept, and how much of them."""

    dir: str | None
    max_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Settings:
    """The root keys of the configuration (see conf/config.yaml for what they mean)."""

    seed: Annotated[int, Field(ge=0, le=999_999)]
    seeds: Annotated[int, Field(ge=1, le=SEED_STRIDE)]
    scale: Literal["smoke", "default", "paper"]
    device: str
    threads: Annotated[int, Field(ge=1)] | None

    @property
    def repetitions(self) -> list[int]:
        """The seed of each repetition."""
        return [self.seed * SEED_STRIDE + r for r in range(self.seeds)]


def choose_device(name: str) -> str:
    """The torch device behind `device=NAME`.

    Raises:
        InputError: there is no such device on this machine.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0]
        raise InputError(f"device={name}: not available here ({reason}); use device=auto or device=cpu") from error
    return name
