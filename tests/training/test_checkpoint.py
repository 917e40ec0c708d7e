from pathlib import Path
from typing import Any

import pytest
import torch

from dlexp.data import Dataset
from dlexp.errors import InputError
from dlexp.training.callbacks import Callback, Evaluate, Training
from dlexp.training.checkpoint import replacing
from dlexp.training.single import train_one

OPTIMIZERS: list[dict[str, Any]] = [
    {"_target_": "torch.optim.SGD", "lr": 0.05, "momentum": 0.9, "nesterov": True},
    {"_target_": "torch.optim.Adam", "lr": 0.01},
    {"_target_": "torch.optim.AdamW", "lr": 0.01},
]
SCHEDULERS: list[dict[str, Any]] = [
    {"_target_": "dlexp.training.schedulers.one_cycle", "warmup": 0.3, "start_factor": 0.1, "end_factor": 0.01},
    {"_target_": "dlexp.training.schedulers.step", "milestones": [0.4, 0.6], "factor": 0.1},
    {"_target_": "dlexp.training.schedulers.warmup_cosine", "warmup": 0.3, "end_factor": 0.0},
    {
        "_target_": "dlexp.training.schedulers.plateau",
        "factor": 0.5,
        "patience": 0,
        "threshold": 0.2,
        "min_lr": 0.0,
    },
]


class PowerCut(Callback):
    """Ends everything in the middle of an epoch, some steps after the last checkpoint."""

    def __init__(self, after_steps: int) -> None:
        self.after_steps = after_steps

    def on_step_end(self, training: Training) -> None:
        if training.step == self.after_steps:
            raise KeyboardInterrupt


def interrupted(recipe, dataset: Dataset, path: Path, after_steps: int):
    """Trained with a power cut, then resumed in a program that knows nothing but the checkpoint."""
    with pytest.raises(KeyboardInterrupt):
        train_one(recipe, dataset, callbacks=[Evaluate(), PowerCut(after_steps)], checkpoint=path)
    torch.manual_seed(12345)  # another process has other random numbers
    return train_one(recipe, dataset, callbacks=[Evaluate(), Callback()], checkpoint=path)


@pytest.mark.parametrize("after_steps", [2, 5, 11, 19])  # of 4 steps in each of 5 epochs
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda node: node["_target_"].rpartition(".")[2])
@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda node: node["_target_"].rpartition(".")[2])
def test_resumed_equals_uninterrupted_bit_for_bit(
    optimizer, scheduler, after_steps, dataset: Dataset, make_recipe, same_bits, tmp_path: Path
) -> None:
    recipe = make_recipe(
        seed=7,
        model={"dropout": 0.3, "batch_norm": True},
        optimizer=optimizer,
        scheduler=scheduler,
        epochs=5,
        checkpoint_every=1,
        snapshot_epochs=[0, 1, 4],
    )
    whole = train_one(recipe, dataset, callbacks=[Evaluate()])
    resumed = interrupted(recipe, dataset, tmp_path / "last.pt", after_steps)
    assert same_bits(resumed.net, whole.net)
    assert resumed.history == whole.history
    for epoch in (0, 1, 4):
        one, other = resumed.snapshots[epoch], whole.snapshots[epoch]
        assert all(one[name].equal(other[name]) for name in other)


def test_augmentation_resumes_bit_for_bit(make_dataset, make_recipe, same_bits, tmp_path: Path) -> None:
    crop = {"_target_": "dlexp.data.augment.flip_crop", "_partial_": True, "padding": 1, "flip": 0.5}
    recipe = make_recipe(augmentation=crop, epochs=4, checkpoint_every=2)
    data = make_dataset(shape=(1, 6, 6))
    resumed = interrupted(recipe, data, tmp_path / "last.pt", after_steps=14)
    assert same_bits(resumed.net, train_one(recipe, data).net)


def test_a_finished_training_is_not_trained_again(dataset: Dataset, make_recipe, same_bits, tmp_path: Path) -> None:
    recipe, path = make_recipe(checkpoint_every=2), tmp_path / "last.pt"
    first = train_one(recipe, dataset, checkpoint=path, callbacks=[Callback()])
    again = train_one(recipe, dataset, checkpoint=path, callbacks=[PowerCut(after_steps=1)])
    assert same_bits(first.net, again.net)
    assert first.history == again.history


def test_no_checkpoint_is_kept_unless_asked_for(dataset: Dataset, make_recipe, tmp_path: Path) -> None:
    train_one(make_recipe(checkpoint_every=0), dataset, checkpoint=tmp_path / "last.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"lr": 0.06}, "optimizer.lr: 0.05 there, 0.06 here"),
        ({"seed": 1}, "seed: 0 there, 1 here"),
        ({"epochs": 4}, "trainer.epochs: 3 there, 4 here"),
        ({"model": {"widths": [9]}}, "model.widths: [8] there, [9] here"),
    ],
)
def test_a_checkpoint_of_another_recipe_is_refused(change, difference, dataset, make_recipe, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    train_one(make_recipe(checkpoint_every=1), dataset, checkpoint=path)
    with pytest.raises(InputError) as caught:
        train_one(make_recipe(checkpoint_every=1, **change), dataset, checkpoint=path)
    assert str(caught.value) == (
        f"checkpoint={path}: it belongs to another training ({difference}); delete it or choose another path"
    )


def test_a_checkpoint_of_other_data_is_refused(make_dataset, make_recipe, tmp_path: Path) -> None:
    train_one(make_recipe(checkpoint_every=1), make_dataset(n=50), checkpoint=tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"another training \(dataset: small-50-\(6,\) there, small-51-\(6,\) here\)"):
        train_one(make_recipe(checkpoint_every=1), make_dataset(n=51), checkpoint=tmp_path / "last.pt")


@pytest.mark.parametrize("keep", [0, 10, 2000])
def test_a_torn_checkpoint_is_refused_clearly(keep: int, dataset: Dataset, make_recipe, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    train_one(make_recipe(checkpoint_every=1), dataset, checkpoint=path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError) as caught:
        train_one(make_recipe(checkpoint_every=1), dataset, checkpoint=path)
    assert str(caught.value) == (
        f"checkpoint={path}: torn or not a checkpoint of dlexp; delete it to train from the start"
    )


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(b"whole")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"ha")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_half()
    assert path.read_bytes() == b"whole"
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_a_resume_with_other_callbacks_is_refused(dataset: Dataset, make_recipe, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    train_one(make_recipe(checkpoint_every=1), dataset, checkpoint=path, callbacks=[Evaluate()])
    with pytest.raises(InputError, match="it was written with 2 callbacks, and now there are 1; give the same ones"):
        train_one(make_recipe(checkpoint_every=1), dataset, checkpoint=path)
