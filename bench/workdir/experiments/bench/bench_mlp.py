"""Train one MLP per seed and report its test accuracy."""

from dataclasses import dataclass

from dlexp.claims import claim_above
from dlexp.lab import Lab
from dlexp.stats import mean_interval
from dlexp.training.evaluate import accuracy


@dataclass(frozen=True)
class Params:
    """Nothing to choose."""


def run(lab: Lab, params: Params) -> None:
    """Train, measure, claim."""
    trained = lab.train({f"mlp/{seed}": lab.recipe(seed) for seed in lab.seeds})
    interval = mean_interval([accuracy(each.net, lab.dataset.test, 512) for each in trained.values()])
    lab.answer.metric("accuracy", interval.mean)
    lab.answer.claim(claim_above("learns", "The net learns the digits.", interval, 0.9, "accuracy"))
