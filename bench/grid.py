"""A grid of 288 configurations (optimizer, initialisation, rate, batch, width): side by side, and one by one."""

import itertools

import torch

from bench.compare import Comparison, in_turn
from dlexp.data import Dataset, build_dataset
from dlexp.training.recipe import Recipe, Trainer
from dlexp.training.replicas import train_replicas
from dlexp.training.single import Trained

OPTIMIZERS = ("SGD", "Adam", "RMSprop")
INITIALIZATIONS = ("default", "he", "orthogonal", "small")
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def compare() -> list[Comparison]:
    """Seconds for the whole grid on digits, 4 epochs each; both ways must give the same numbers up to rounding."""
    node = {"_target_": "dlexp.data.embedded.digits", "val_fraction": 0.3, "test_fraction": 0.2, "train_size": 400}
    data = build_dataset({**node, "test_size": None, "split_seed": 0, "mean": None, "std": None})
    recipes = [recipe(*values) for values in itertools.product(OPTIMIZERS, INITIALIZATIONS, RATES, (32, 128), (16, 64))]

    def ours() -> list[Trained]:
        return train_replicas(recipes, data)

    def plain() -> list[Trained]:
        return train_replicas(recipes, data, method="loop")

    agree(ours(), plain(), data)
    return [in_turn(f"grid of {len(recipes)}, one after another", ours, plain, target=0.5, runs=3)]


def agree(ours: list[Trained], plain: list[Trained], data: Dataset) -> None:
    """Raise where the last training losses differ by more than rounding grown over a hundred steps."""
    for one, other in zip(ours, plain, strict=True):
        if one.diverged != other.diverged:
            raise AssertionError(f"only one of both diverged: {one.recipe}")
        first, second = one.history[-1]["train_loss"], other.history[-1]["train_loss"]
        if not one.diverged and abs(first - second) > 1e-2 * max(1.0, abs(second)):
            raise AssertionError(f"{first} and {second} for {one.recipe}")


def recipe(optimizer: str, initialization: str, rate: float, batch_size: int, width: int) -> Recipe:
    """One point of the grid."""
    model = {
        "_target_": "dlexp.models.mlp.mlp",
        "widths": [width, width],
        "activation": {"_target_": "torch.nn.ReLU", "_partial_": True},
        "initialization": initialization,
        "weights": None,
    }
    return Recipe(
        model=model,
        optimizer={"_target_": f"torch.optim.{optimizer}", "lr": rate},
        scheduler={"_target_": "dlexp.training.schedulers.cosine", "min_lr": 0.0},
        loss={"_target_": "torch.nn.CrossEntropyLoss"},
        augmentation=None,
        trainer=Trainer(epochs=4, batch_size=batch_size, if_diverged="stop"),
        seed=0,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(compare()[0].line())
