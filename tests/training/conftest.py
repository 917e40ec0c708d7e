"""A small dataset and a recipe that fit each other, and ways to change them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from dlexp.data import Dataset, Split
from dlexp.training.recipe import Recipe, Trainer

RELU = {"_target_": "torch.nn.ReLU", "_partial_": True}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_split(n: int, shape: tuple[int, ...], seed: int) -> Split:
    """Three classes of noisy inputs in [0, 1] that a net can learn."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 3, (n,), generator=generator)
    x = torch.rand(n, *shape, generator=generator) * 0.5 + y.reshape(-1, *(1 for _ in shape)) * 0.25
    return Split(x, y)


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    def make(n: int = 50, shape: tuple[int, ...] = (6,)) -> Dataset:
        train, val, test = (make_split(size, shape, seed) for seed, size in enumerate((n, 12, 20)))
        mean, std = torch.full(shape[:1], 0.5), torch.full(shape[:1], 0.25)
        return Dataset("small", train, val, test, ("a", "b", "c"), mean, std, f"small-{n}-{shape}")

    return make


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset()


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    def make(
        seed: int = 0,
        *,
        model: dict[str, Any] | None = None,
        lr: float = 0.05,
        optimizer: dict[str, Any] | None = None,
        scheduler: dict[str, Any] | None = None,
        augmentation: dict[str, Any] | None = None,
        **trainer: Any,
    ) -> Recipe:
        mlp = {"_target_": "dlexp.models.mlp.mlp", "widths": [8], "activation": RELU, "weights": None}
        return Recipe(
            model={**mlp, **(model or {})},
            optimizer=optimizer or {"_target_": "torch.optim.SGD", "lr": lr, "momentum": 0.9},
            scheduler=scheduler or {"_target_": "dlexp.training.schedulers.cosine", "min_lr": 0.0},
            loss={"_target_": "torch.nn.CrossEntropyLoss"},
            augmentation=augmentation,
            trainer=Trainer(**{"epochs": 3, "batch_size": 16, **trainer}),
            seed=seed,
        )

    return make


@pytest.fixture
def same_bits() -> Callable[[torch.nn.Module, torch.nn.Module], bool]:
    def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
        a, b = one.state_dict(), other.state_dict()
        return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)

    return same
