"""The settings that every run has, whatever its exercise."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import Field

from dlexp.errors import InputError, nearest
from dlexp.schema import build_params

SEED_STRIDE = 1000  # repetitions of one base seed lie below the next base seed: sweeps over `seed` never overlap
DEVICES = ("cpu", "cuda", "mps")


@dataclass(frozen=True)
class Store:
    """Where trained nets are kept, and how much of them."""

    dir: str | None
    max_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Tracking:
    """Where runs are recorded."""

    uri: str
    artifacts: str | None
    parent_run: str | None


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


def read_settings(config: Mapping[str, Any]) -> Settings:
    """The settings of a composed configuration, once all that every run has in it was checked.

    Raises:
        InputError: a key is unknown or missing, or a value has the wrong type or is out of range.
    """
    build_params(Tracking, config.get("tracking", {}), "tracking")
    build_params(Store, config.get("store", {}), "store")
    names = {field.name for field in fields(Settings)}
    return build_params(Settings, {key: value for key, value in config.items() if key in names}, where="")


def choose_device(name: str) -> str:
    """The torch device behind `device=NAME`: auto, cpu, cuda, cuda:N or mps.

    Raises:
        InputError: there is no such device on this machine.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if name.partition(":")[0] not in DEVICES:
        raise InputError(f"device={name}: there is no such device; {nearest(name, ('auto', *DEVICES))}")
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0]
        raise InputError(f"device={name}: not available here ({reason}); use device=auto or device=cpu") from error
    return name
