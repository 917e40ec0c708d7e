import ast
import dataclasses
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn

from dlexp import store as store_module
from dlexp.store import Store
from dlexp.training.recipe import Recipe, Trainer
from dlexp.training.single import Trained

RECIPE = Recipe(
    model={"_target_": "dlexp.models.mlp.mlp", "widths": [8], "weights": None},
    optimizer={"_target_": "torch.optim.SGD", "lr": 0.1},
    scheduler={"_target_": "dlexp.training.schedulers.cosine", "min_lr": 0.0},
    loss={"_target_": "torch.nn.CrossEntropyLoss"},
    augmentation=None,
    trainer=Trainer(),
    seed=0,
)


def build(recipe: Recipe) -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def make_trained(seed: int = 0) -> Trained:
    torch.manual_seed(seed)
    net = build(RECIPE)
    net(torch.randn(8, 3))  # other statistics than a new net's
    snapshots = {epoch: {name: value + epoch for name, value in net.state_dict().items()} for epoch in (0, 3)}
    history = [{"epoch": 1.0, "train_loss": 0.1 + 0.2}]
    return Trained(net.eval(), history, dataclasses.replace(RECIPE, seed=seed), snapshots)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", max_bytes=10**9)


def age(store: Store, key: str, seconds: float) -> None:
    """Let the net of `key` be last used `seconds` ago."""
    now = store.path(key).stat().st_mtime
    os.utime(store.path(key), (now - seconds, now - seconds))


def test_what_is_put_comes_back_to_the_bit(store: Store) -> None:
    trained = make_trained(seed=3)
    store.put("k", trained)
    random_state = torch.get_rng_state()
    found = store.get("k", build)
    assert torch.get_rng_state().equal(random_state)
    assert found is not None
    assert not found.net.training
    assert found.history == trained.history
    assert found.recipe == trained.recipe
    pairs = [(found.net.state_dict(), trained.net.state_dict())]
    pairs += [(found.snapshots[epoch], trained.snapshots[epoch]) for epoch in (0, 3)]
    assert found.snapshots.keys() == trained.snapshots.keys()
    for one, other in pairs:
        assert one.keys() == other.keys()
        assert all(one[name].equal(other[name]) and one[name].dtype == other[name].dtype for name in one)


def test_what_was_never_put_is_absent(store: Store) -> None:
    assert store.get("k", build) is None
    assert store.entries() == []


@pytest.mark.parametrize("damage", ["empty", "torn header", "torn weights", "one bit", "not safetensors"])
def test_a_damaged_file_counts_as_absent_and_is_removed(damage: str, store: Store, caplog) -> None:
    store.put("k", make_trained())
    path = store.path("k")
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "torn header": whole[:100],
            "torn weights": whole[:-1],
            "one bit": whole[:-1] + bytes([whole[-1] ^ 1]),
            "not safetensors": b"x" * 1000,
        }[damage]
    )
    with caplog.at_level(logging.WARNING):
        assert store.get("k", build) is None
    assert "a kept net is damaged and will be trained again" in caplog.text
    assert not path.exists()


def test_a_write_that_fails_leaves_nothing(store: Store, monkeypatch) -> None:
    def full_disk(tensors: Any, path: Path, metadata: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("dlexp.training.trained_file.save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        store.put("k", make_trained())
    assert list(store.root.iterdir()) == []


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    size = len_of_one(tmp_path)
    store = Store(tmp_path / "store", max_bytes=3 * size)
    for position, key in enumerate("abc"):
        store.put(key, make_trained())
        age(store, key, seconds=100 - position)
    assert store.get("a", build) is not None  # now the last used
    store.put("d", make_trained())
    assert [entry.key for entry in store.entries()] in (["d", "a", "c"], ["a", "d", "c"])


def test_what_was_just_written_stays_even_if_it_is_too_large_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", max_bytes=1)
    store.put("a", make_trained())
    store.put("b", make_trained())
    assert [entry.key for entry in store.entries()] == ["b"]


def len_of_one(folder: Path) -> int:
    store = Store(folder / "one", max_bytes=10**9)
    store.put("x", make_trained())
    return store.entries()[0].bytes


def test_leftovers_of_killed_writers_are_removed_when_old(store: Store) -> None:
    store.put("a", make_trained())
    old, fresh = store.root / ".a.safetensors.1.tmp", store.root / ".a.safetensors.2.tmp"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    Store(store.root, store.max_bytes).put("b", make_trained())  # another run
    assert (old.exists(), fresh.exists()) == (False, True)


def test_entries_tell_what_is_kept_and_clear_removes_it(store: Store) -> None:
    store.put("a", make_trained(seed=4))
    (entry,) = store.entries()
    assert entry.bytes == store.path("a").stat().st_size
    assert entry.description == "mlp widths=[8]; 1 epochs, seed 4, train_loss 0.3"
    assert store.clear() == entry.bytes
    assert store.get("a", build) is None


def test_the_header_is_readable_by_any_safetensors_program(store: Store) -> None:
    store.put("a", make_trained())
    with safe_open(store.path("a"), framework="pt") as file:
        assert set(file.metadata()) == {"recipe", "history", "sha256"}
        assert "snapshot/3/0.weight" in file.keys()  # noqa: SIM118


changes = st.one_of(
    *(
        st.sampled_from([{name: {**getattr(RECIPE, name), "extra": value}} for value in (0, 1, "a", None)])
        for name in ("model", "optimizer", "scheduler", "loss")
    ),
    st.just({"augmentation": {"_target_": "dlexp.data.augment.flip_crop"}}),
    st.builds(lambda seed: {"seed": seed}, st.integers(1, 2**40)),
    st.sampled_from(
        [
            {"trainer": dataclasses.replace(RECIPE.trainer, **change)}
            for change in (
                {"epochs": 11},
                {"batch_size": 127},
                {"eval_batch_size": 511},
                {"precision": "bf16"},
                {"channels_last": True},
                {"compile": True},
                {"grad_clip": 1.0},
                {"snapshot_epochs": [0]},
            )
        ]
    ),
)


@given(changes)
def test_every_field_of_the_recipe_that_changes_the_net_changes_the_key(change: dict[str, Any]) -> None:
    store = Store(Path("unused"), 0)
    changed = dataclasses.replace(RECIPE, **change)
    assert store.key(changed, "data") != store.key(RECIPE, "data")
    assert store.key(changed, "data") == store.key(Recipe.from_dict(changed.to_dict()), "data")


def test_data_arithmetic_code_torch_and_weights_change_the_key(store: Store, tmp_path: Path, monkeypatch) -> None:
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"one")
    loaded = dataclasses.replace(RECIPE, model={**RECIPE.model, "weights": str(weights)})
    keys = [
        store.key(RECIPE, "data"),
        store.key(RECIPE, "other data"),
        store.key(RECIPE, "data", "cpu 2"),
        store.key(loaded, "data"),
    ]
    weights.write_bytes(b"two")
    keys.append(store.key(loaded, "data"))
    monkeypatch.setattr(torch, "__version__", "0.0.0")
    keys.append(store.key(RECIPE, "data"))
    monkeypatch.undo()
    monkeypatch.setattr(store_module, "code_version", lambda: "other code")
    keys.append(store.key(RECIPE, "data"))
    assert len(set(keys)) == len(keys)


def test_the_code_version_follows_every_source_file_of_the_training_path(tmp_path: Path, monkeypatch) -> None:
    version: Callable[[], str] = store_module.code_version.__wrapped__
    monkeypatch.setattr(store_module, "__file__", str(tmp_path / "store.py"))
    files = [tmp_path / (part if part.endswith(".py") else f"{part}/a.py") for part in store_module.CODE]
    other = tmp_path / "probes" / "a.py"
    for file in (*files, other):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x = 1")
    versions = [version()]
    for file in files:
        file.write_text("x = 2")
        versions.append(version())
    assert len(set(versions)) == len(files) + 1
    other.write_text("x = 2")  # probes do not train
    assert version() == versions[-1]


def test_the_training_path_imports_nothing_else_that_could_change_a_result() -> None:
    here = Path(store_module.__file__).parent
    parts = [here / part for part in store_module.CODE]
    sources = [file for part in parts for file in (part.rglob("*.py") if part.is_dir() else [part])]
    imported = {
        node.module
        for file in sources
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dlexp.")
    }
    packages = tuple(f"dlexp.{part.removesuffix('.py').replace('/', '.')}" for part in store_module.CODE)
    others = {name for name in imported if not any(f"{name}.".startswith(f"{package}.") for package in packages)}
    # How settings are checked and processes run: no number comes from there.
    assert others <= {f"dlexp.{name}" for name in ("errors", "parallel", "processes", "schema", "store")}


def test_two_processes_that_want_the_same_net_train_it_once(store: Store, tmp_path: Path) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from torch import nn
        from dlexp.store import Store
        from dlexp.training.recipe import Recipe, Trainer
        from dlexp.training.single import Trained

        root, folder, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
        def train():
            with (folder / "trainings").open("a") as file:
                file.write(name + "\\n")
            while len(list(folder.glob("*.ready"))) < 2:  # the other one is at the lock, or about to be
                time.sleep(0.01)
            time.sleep(0.2)
            return Trained(nn.Linear(2, 2), [], Recipe({}, {}, {}, {}, None, Trainer(), 0))
        (folder / f"{name}.ready").touch()
        net = Store(root, 10**9).get_or_train("k", lambda recipe: nn.Linear(2, 2), train).net
        print(net.weight.tolist())
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(store.root), str(tmp_path)]
    both = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("one", "two")]
    printed = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert len((tmp_path / "trainings").read_text().splitlines()) == 1
    assert printed[0] == printed[1] != ""
