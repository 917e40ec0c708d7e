"""What determines a trained net besides the data: plain, picklable, comparable values."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from dlexp.schema import build_params


@dataclass(frozen=True)
class Trainer:
    """How the loop runs. Units and ranges stand with each field and in `conf/trainer/default.yaml`."""

    epochs: Annotated[int, Field(ge=0)] = 10
    """Passes over the training split."""
    batch_size: Annotated[int, Field(ge=1)] = 128
    """Samples per optimisation step."""
    eval_batch_size: Annotated[int, Field(ge=1)] = 512
    """Samples per forward pass when only predicting."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the forward pass; auto is bf16 autocast on a GPU that has it, else fp32."""
    channels_last: Literal["auto"] | bool = "auto"
    """NHWC memory for images; auto is true on a GPU."""
    compile: bool = False
    """Whether the forward pass goes through torch.compile (slow first step)."""
    grad_clip: Annotated[float, Field(gt=0)] | None = None
    """Largest L2 norm of the whole gradient; None does not clip."""
    if_diverged: Literal["fail", "stop"] = "fail"
    """When the loss is no longer finite: fail the run, or stop this net and go on with the others."""
    checkpoint_every: Annotated[int, Field(ge=0)] = 0
    """Epochs between checkpoints; 0 keeps none."""
    snapshot_epochs: list[Annotated[int, Field(ge=0)]] = field(default_factory=list)
    """Epochs after which the weights are kept; 0 is the initialisation."""

    def __post_init__(self) -> None:
        late = [epoch for epoch in self.snapshot_epochs if epoch > self.epochs]
        if late:
            raise ValueError(f"snapshot_epochs={late} lie beyond the last epoch ({self.epochs})")

    def keeping_start(self) -> "Trainer":
        """The same, and the initial weights are kept (`Trained.snapshots[0]`)."""
        return dataclasses.replace(self, snapshot_epochs=sorted({0, *self.snapshot_epochs}))


@dataclass(frozen=True)
class Recipe:
    """The composed config groups of one training, and its seed.

    `model`, `optimizer`, `scheduler`, `loss` and `augmentation` are config nodes: mappings with a `_target_`. So is
    each of the `callbacks`, which change this training (a freeze, a deficit until some epoch) or measure it; what they
    add to the history is kept with the net.
    """

    model: dict[str, Any]
    optimizer: dict[str, Any]
    scheduler: dict[str, Any]
    loss: dict[str, Any]
    augmentation: dict[str, Any] | None
    trainer: Trainer
    seed: int
    callbacks: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Nested dicts, lists and scalars only: equal recipes give equal dicts, whatever their containers."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        values["trainer"] = dataclasses.asdict(self.trainer)
        return {key: plain(value) for key, value in values.items()}

    def identity(self) -> dict[str, Any]:
        """What decides the trained net: `to_dict` without how often a checkpoint is written."""
        values = self.to_dict()
        del values["trainer"]["checkpoint_every"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """The recipe that `to_dict` wrote."""
        return cls(**{**values, "trainer": build_params(Trainer, values["trainer"], "trainer")})


def plain(value: Any) -> Any:
    """`value` with every mapping a dict with text keys and every sequence a list."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple) or type(value).__name__ == "ListConfig":
        return [plain(item) for item in value]
    return value


def canonical_json(value: Any) -> str:
    """One text per value: keys sorted, no spaces. Raises TypeError for what JSON has no form for."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"))
