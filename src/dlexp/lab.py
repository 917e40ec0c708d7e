"""What an experiment is handed: device, data, training, recording."""

import copy
import logging
import platform
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeVar

from dlexp.answer import Answer
from dlexp.errors import InputError
from dlexp.processes import available_cores
from dlexp.progress import progress
from dlexp.schema import build_params
from dlexp.settings import Settings, Store
from dlexp.tracking import RunRecord

if TYPE_CHECKING:
    from torch import nn

    from dlexp.data import Dataset
    from dlexp.training.recipe import Recipe
    from dlexp.training.replicas import Trained

log = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class Lab:
    """The bench of one run. Everything random starts from `seeds`; everything recorded goes through here."""

    settings: Settings
    config: dict[str, Any]  # the whole resolved configuration
    device: str
    answer: Answer
    data: "Dataset | None"  # None: the exercise uses no `dataset` group
    choices: Mapping[str, str] = field(default_factory=dict)  # the name of the chosen option of each group
    record: RunRecord | None = None  # None: nothing is tracked (tests, notebooks)
    _options: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict, init=False, repr=False)

    @property
    def seeds(self) -> list[int]:
        """One seed per repetition."""
        return self.settings.repetitions

    @property
    def dataset(self) -> "Dataset":
        """The composed data, on the device."""
        if self.data is None:
            raise InputError("dataset: this exercise needs one; say dataset=...")
        return self.data

    def recipe(self, seed: int, *, model: Mapping[str, Any] | None = None, **changes: Any) -> "Recipe":
        """The configured training with `seed`; `model` replaces the configured one, `changes` other parts."""
        from dlexp.training.recipe import Recipe, Trainer

        parts: dict[str, Any] = {
            "model": dict(model or self._group("model")),
            "optimizer": self._group("optimizer"),
            "scheduler": self._group("scheduler"),
            "loss": self._group("loss"),
            "augmentation": self.config.get("augmentation"),
            "trainer": build_params(Trainer, self._group("trainer"), "trainer"),
        }
        return Recipe(**{**parts, **changes}, seed=seed)

    def model(self, node: Mapping[str, Any] | None = None) -> "nn.Module":
        """The configured model (or the one of `node`), untrained or with its `weights`, ready to evaluate."""
        from dlexp.models import build_model

        data = self.dataset
        net = build_model(node or self._group("model"), data.input_shape, data.n_classes, data.mean, data.std)
        return net.to(self.device).eval()

    def option(self, group: str, name: str) -> dict[str, Any]:
        """The config node of any option of a group, chosen or not: `conf/GROUP/NAME.yaml`, the user's own included.

        Raises:
            InputError: there is none of that name.
        """
        from dlexp.registry import option_node

        if (group, name) not in self._options:  # thousands of recipes may ask for the same few
            self._options[group, name] = option_node(group, name, self.config)
        return copy.deepcopy(self._options[group, name])

    def data_with(self, **changes: Any) -> "Dataset":
        """The configured dataset with some of its keys changed (another `seed`, `n_samples`, ...), on the device.

        Raises:
            InputError: the dataset has no such key, or it refuses the value.
        """
        from dlexp.data import build_dataset
        from dlexp.schema import refuse_unknown

        node = self._group("dataset")
        refuse_unknown(changes, node, "dataset")
        return build_dataset({**node, **changes}).to(self.device)

    def check(self) -> None:
        """Refuse, before anything is recorded, groups whose settings do not fit each other or the data."""
        from dlexp.schema import instantiate

        net = self.model()
        if not self.config.get("trainer"):
            return
        recipe = self.recipe(seed=0)
        if recipe.trainer.checkpoint_every and self._store() is None:
            every = f"trainer.checkpoint_every={recipe.trainer.checkpoint_every}"
            raise InputError(f"{every}: checkpoints are kept in the store, and store.dir=null; set store.dir")
        optimizer = instantiate(recipe.optimizer, net.parameters(), where="optimizer")
        instantiate(recipe.scheduler, optimizer, 1, where="scheduler")
        instantiate(recipe.loss, where="loss")
        if recipe.augmentation:
            instantiate(recipe.augmentation, where="augmentation")

    def train(
        self,
        recipes: Mapping[str, "Recipe"],
        label: str = "training",
        data: "Dataset | Mapping[str, Dataset] | None" = None,
        curves: bool = True,
    ) -> dict[str, "Trained"]:
        """A trained net for each named recipe: from the store where it is known, else trained side by side.

        `data` is another dataset than the composed one, or one for each name.

        Names are KIND/SEED ("residual/0", ...): with `curves` MLflow gets those of each kind, averaged over its seeds;
        the run's log has all of them.
        """
        from dlexp.training.kept import train_kept
        from dlexp.training.replicas import train_replicas

        names, todo, store = list(recipes), list(recipes.values()), self._store()
        datasets = [data[name] if isinstance(data, Mapping) else data or self.dataset for name in names]
        left = [recipe.trainer.epochs for recipe in todo]  # epochs not yet shown as done, per recipe
        with progress(f"{label}, epochs", sum(left)) as shown:

            def on_epoch(index: int) -> None:
                left[index] -= 1
                shown.advance()

            def on_done(index: int, trained: "Trained") -> None:
                for row in trained.history:
                    log.info("%s %s", names[index], " ".join(f"{key}={value:.5g}" for key, value in row.items()))
                shown.advance(left[index])

            if store is None:
                trained = train_replicas(todo, datasets, device=self.device, on_done=on_done, on_epoch=on_epoch)
            else:
                trained = train_kept(store, todo, datasets, self.device, on_done, on_epoch)
        results = dict(zip(names, trained, strict=True))
        if curves:
            self._record_curves(results)
        return results

    def map(self, function: Callable[[Item], Result], items: Sequence[Item], label: str) -> list[Result]:
        """`function` of each item (a net, say), side by side where that pays; they must not share what they change."""
        from dlexp.parallel import map_side_by_side

        log.info("%s: %d", label, len(items))
        with progress(label, len(items)) as shown:
            return map_side_by_side(function, items, self.device, shown.advance)

    def evidence(self) -> dict[str, str]:
        """The header of the answer: data, n, seeds, hardware, versions."""
        import torch

        from dlexp import __version__

        device = torch.cuda.get_device_name(self.device) if self.device.startswith("cuda") else self.device
        return {
            **self._data_evidence(),
            "seeds": f"{len(self.seeds)} ({', '.join(map(str, self.seeds))})",
            "scale": self.settings.scale,
            "device": f"{device}, {torch.get_num_threads()} threads of {available_cores()} cores, {platform.machine()}",
            "versions": f"dlexp {__version__}, torch {torch.__version__}, torchvision {version('torchvision')}, "
            f"Python {platform.python_version()}",
        }

    def _data_evidence(self) -> dict[str, str]:
        if self.data is None:
            return {}
        splits = [("train", self.data.train), ("val", self.data.val), ("test", self.data.test)]
        sizes = ", ".join(f"{len(split)} {name}" for name, split in splits if split is not None)
        return {"data": f"{self.data.name}, {sizes}", "data fingerprint": self.data.fingerprint[:16]}

    def _group(self, name: str) -> dict[str, Any]:
        node = self.config.get(name)
        if not node:
            raise InputError(f"{name}: this exercise needs one; say {name}=...")
        return dict(node)

    def _store(self) -> Any:
        from dlexp.store import Store as NetStore

        settings = build_params(Store, self.config["store"], "store")
        if settings.dir is None:
            return None
        return NetStore(Path(settings.dir).expanduser().absolute(), int(settings.max_gb * 1e9))

    def _record_curves(self, results: Mapping[str, "Trained"]) -> None:
        if self.record is None:
            return
        curves: dict[tuple[int, str], list[float]] = defaultdict(list)
        for name, trained in results.items():
            for row in trained.history:
                for key, value in row.items():
                    curves[int(row["epoch"]), f"{name.rpartition('/')[0]}/{key}"].append(value)
        for (epoch, key), values in curves.items():
            if not key.endswith("/epoch"):
                self.record.metrics({key: fmean(values)}, step=epoch)
