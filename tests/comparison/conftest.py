"""A bench made by hand: a small dataset, a small net, and nothing recorded."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dlexp.answer import Answer
from dlexp.data import Dataset, Split
from dlexp.lab import Lab
from dlexp.settings import Settings

CONSTANT = {"_target_": "dlexp.training.schedulers.constant"}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_split(n: int, seed: int) -> Split:
    """Three classes of noisy inputs that a net can learn."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 3, (n,), generator=generator)
    return Split(torch.rand(n, 6, generator=generator) * 0.5 + y[:, None] * 0.25, y)


@pytest.fixture
def make_lab(tmp_path: Path) -> Callable[..., Lab]:
    def make(seeds: int = 3, validation: bool = True, **trainer: Any) -> Lab:
        relu = {"_target_": "torch.nn.ReLU", "_partial_": True}
        config = {
            "model": {"_target_": "dlexp.models.mlp.mlp", "widths": [8], "activation": relu, "weights": None},
            "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9},
            "scheduler": CONSTANT,
            "loss": {"_target_": "torch.nn.CrossEntropyLoss"},
            "augmentation": None,
            "trainer": {"epochs": 3, "batch_size": 16, **trainer},
            "store": {"dir": None, "max_gb": 1.0},
        }
        splits = make_split(48, 0), make_split(30, 1) if validation else None, make_split(30, 2)
        data = Dataset("small", *splits, ("a", "b", "c"), torch.full((6,), 0.5), torch.full((6,), 0.25), "small")
        settings = Settings(seed=0, seeds=seeds, scale="smoke", device="cpu", threads=1)
        answer = Answer("none", "none", "smoke", settings.repetitions, tmp_path)
        return Lab(settings, config, "cpu", answer, data)

    return make
