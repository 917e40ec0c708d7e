"""The same neurons shared out equally among k layers, and as a control two layers with as many parameters.

All nets are counted, timed side by side, and those of one total trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from statistics import fmean
from typing import Any

import torch
from torch import nn

from dlexp.comparison.tuned import Contender, Tuned, scores_of, tune_and_train
from dlexp.errors import DlexpError
from dlexp.lab import Lab
from dlexp.models.geometric_mlp import mlp_parameters
from dlexp.models.widening import parameter_count, sized
from dlexp.probes.efficiency import mlp_flops, training_step
from dlexp.probes.indicators import FLOPS, PARAMETERS, Costs, count, ratio, time_nets
from dlexp.schema import instantiate
from dlexp.stats import Interval, mean_interval

Model = Mapping[str, Any]  # the composed model group

EQUAL, NARROW = "same neurons, k layers", "two layers, as many parameters"


@dataclass(frozen=True)
class Shape:
    """One MLP, before it is built."""

    family: str  # EQUAL or NARROW
    neurons: int  # hidden ones of the net with k layers that it is, or that it matches in parameters
    k: int
    widths: tuple[int, ...]

    @property
    def name(self) -> str:
        """Short and unique."""
        return f"{'deep' if self.family == EQUAL else 'narrow'} {self.neurons} in {self.k}"


@dataclass(frozen=True)
class Bench:
    """All nets with what they cost, and those that were trained."""

    costs: Mapping[Shape, Costs]
    trained: Mapping[Shape, Tuned]
    accuracy: Mapping[Shape, Sequence[float]]  # on the test split, one per seed

    def of(self, family: str, neurons: int) -> list[Shape]:
        """The nets of a family, by growing k."""
        return [shape for shape in self.costs if (shape.family, shape.neurons) == (family, neurons)]

    def against_two(self, shape: Shape, indicator: str) -> Interval:
        """How many times as much of it the net takes as the one with the same neurons in two layers."""
        return ratio(self.costs[shape], self.costs[self.of(EQUAL, shape.neurons)[0]], indicator)

    def best(self, neurons: int, indicator: str) -> int:
        """The number of layers in which the same neurons take the least of an indicator."""
        return min(self.of(EQUAL, neurons), key=lambda shape: self.costs[shape].typical(indicator)).k

    def train_loss(self, shape: Shape) -> float:
        """Mean loss of the last epoch over the seeds; infinite if a net diverged."""
        return fmean(each.history[-1]["train_loss"] for each in self.trained[shape].trained)

    def mean_accuracy(self, shape: Shape) -> Interval:
        """Test accuracy over the seeds."""
        return mean_interval(self.accuracy[shape])


def shapes(lab: Lab, model: Model, totals: Sequence[int], layers: Sequence[int]) -> list[Shape]:
    """For each total the nets of k of `layers`; for each k but the first, which is 2, the control.

    `model` is the group of an MLP whose `widths` are replaced.
    """
    inputs, classes = lab.dataset.input_shape, lab.dataset.n_classes
    found = []
    for total in totals:
        found += [Shape(EQUAL, total, k, (total // k,) * k) for k in layers]
        for k in layers[1:]:
            like = {**model, "widths": [total // k] * k}
            wanted = parameter_count(like, inputs, classes)
            narrow = sized({**like, "widths": [total // 2] * 2}, wanted, inputs, classes)
            found.append(Shape(NARROW, total, k, tuple(narrow["widths"])))
    return found


def node(model: Model, shape: Shape) -> dict[str, Any]:
    """The model group of one net."""
    return {**model, "widths": list(shape.widths)}


def measure(lab: Lab, model: Model, every: Sequence[Shape], batches: Sequence[int], rounds: int) -> dict[Shape, Costs]:
    """All costs of all nets: predicting `batches` samples at once, and a training step; one total side by side.

    Peak memory while predicting is that of the last of `batches`.
    """
    data, size = lab.dataset, int(lab.config["trainer"]["batch_size"])
    x, y = data.train.inputs(slice(0, size)), data.train.y[:size]
    cycled = torch.arange(max(batches), device=data.test.y.device) % len(data.test)
    inputs = [data.test.inputs(cycled[:batch]) for batch in batches]
    costs: dict[Shape, Costs] = {}
    for total in sorted({shape.neurons for shape in every}):
        group = {shape.name: shape for shape in every if shape.neurons == total}
        nets: dict[str, nn.Module] = {}
        steps, counted = {}, {}
        for name, shape in group.items():
            with torch.random.fork_rng([]):
                torch.manual_seed(0)
                nets[name] = lab.model(node(model, shape))
            optimizer = instantiate(lab.config["optimizer"], nets[name].parameters(), where="optimizer")
            steps[name] = training_step(nets[name], optimizer, instantiate(lab.config["loss"], where="loss"), x, y)
            counted[name] = count(nets[name], steps[name], x, inputs[-1])
            check_closed_forms(lab, model, shape, counted[name])
        timed = time_nets(nets, steps, inputs, rounds)
        costs |= {shape: Costs(counted[name], timed[name]) for name, shape in group.items()}
    return costs


def check_closed_forms(lab: Lab, model: Model, shape: Shape, counted: Mapping[str, int]) -> None:
    """Raise DlexpError unless parameters and FLOPs are as the formulas say, to the last one."""
    sizes = (prod(lab.dataset.input_shape), *shape.widths, lab.dataset.n_classes)
    expected = {PARAMETERS: mlp_parameters(sizes), FLOPS: mlp_flops(sizes)}
    if model.get("batch_norm"):  # scale and shift, of which the shift stands for the bias
        expected[PARAMETERS] += sum(shape.widths)
    for name, value in expected.items():
        if counted[name] != value:
            raise DlexpError(f"{shape.name}: {counted[name]} {name}, but the formula says {value}")


def train(
    lab: Lab, model: Model, those: Sequence[Shape], rates: Sequence[float], tuning_repetitions: int
) -> tuple[dict[Shape, Tuned], dict[Shape, list[float]]]:
    """Every net at the learning rate that is best for it, once per seed; and its test accuracies."""
    contenders = [Contender(shape.name, {"model": node(model, shape)}) for shape in those]
    tuned = dict(zip(those, tune_and_train(lab, contenders, rates, tuning_repetitions), strict=True))
    test = lab.dataset.test
    return tuned, {
        shape: [score.accuracy for score in scores_of(lab, each.trained, test)] for shape, each in tuned.items()
    }
