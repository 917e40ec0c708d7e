from pathlib import Path

import pytest
import yaml

from dlexp.errors import InputError
from dlexp.schema import build_params
from dlexp.training.recipe import Recipe, Trainer, canonical_json

CONF = Path(__file__).parents[2] / "conf"


def test_the_yaml_and_the_dataclass_have_the_same_defaults() -> None:
    assert build_params(Trainer, yaml.safe_load((CONF / "trainer/default.yaml").read_text())) == Trainer()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": -1}, "trainer.epochs=-1: input should be greater than or equal to 0"),
        ({"batch_size": 0}, "trainer.batch_size=0: input should be greater than or equal to 1"),
        ({"batch_size": "8"}, "trainer.batch_size='8': input should be a valid integer"),
        ({"precision": "fp8"}, "trainer.precision='fp8': input should be 'auto', 'fp32' or 'bf16'"),
        ({"grad_clip": 0.0}, "trainer.grad_clip=0.0: input should be greater than 0"),
        ({"epoch": 3}, "trainer.epoch: there is no such key; did you mean 'epochs'?"),
        ({"epochs": 2, "snapshot_epochs": [1, 3]}, "trainer: snapshot_epochs=[3] lie beyond the last epoch (2)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        build_params(Trainer, values, "trainer")
    assert str(caught.value) == message


def test_a_recipe_survives_its_dict(make_recipe) -> None:
    recipe = make_recipe(seed=4, snapshot_epochs=[0, 2], grad_clip=1.0)
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_containers_and_key_order_do_not_matter(make_recipe) -> None:
    one = make_recipe(optimizer={"_target_": "torch.optim.Adam", "lr": 0.1, "betas": [0.9, 0.99]})
    other = make_recipe(optimizer={"betas": (0.9, 0.99), "lr": 0.1, "_target_": "torch.optim.Adam"})
    assert canonical_json(one.to_dict()) == canonical_json(other.to_dict())
