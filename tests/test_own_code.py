"""Callables of the user's own: found in their folder, checked as dlexp's, part of what identifies a net."""

import shutil
from pathlib import Path

import pytest

from dlexp import registry
from dlexp.compose import with_user_folders
from dlexp.errors import InputError
from dlexp.own_code import own_sources
from dlexp.schema import instantiate

MINE = """
from torch import nn

class Cube(nn.Module):
    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return self.scale * x**3
"""


@pytest.fixture
def folder(own_folder: Path) -> Path:
    """With an activation of the user's own."""
    (own_folder / "conf" / "activation").mkdir(parents=True)
    (own_folder / "conf" / "activation" / "cube.yaml").write_text(
        "_target_: experiments.ideas.cube.Cube\n_partial_: true\nscale: 1e-1\n"
    )
    (own_folder / "experiments" / "ideas").mkdir(parents=True)
    (own_folder / "experiments" / "ideas" / "cube.py").write_text(MINE)
    return own_folder


def test_a_callable_of_the_users_folder_is_found_and_checked(folder: Path) -> None:
    node = registry.option_node("activation", "cube", {})
    assert node["scale"] == 0.1  # as Hydra reads 1e-1
    assert float(instantiate(node)()(2)) == pytest.approx(0.8)
    assert "cube" in registry.options("activation")
    with pytest.raises(InputError, match=r"^act\.scael: there is no such key; did you mean 'scale'\?$"):
        instantiate({"_target_": "experiments.ideas.cube.Cube", "scael": 1.0}, where="act")
    with pytest.raises(InputError, match=r"^act\.scale='big': input should be a valid number"):
        instantiate({"_target_": "experiments.ideas.cube.Cube", "scale": "big"}, where="act")


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("experiments.ideas.cube.Cub", "_target_ 'experiments.ideas.cube.Cub' does not exist; did you mean 'Cube'?"),
        (
            "experiments.ideas.cubes.Cube",
            "_target_ 'experiments.ideas.cubes.Cube' does not exist: there is no experiments/ideas/cubes.py here",
        ),
        ("experiments.Cube", "_target_ 'experiments.Cube' does not exist: there is no experiments.py here"),
    ],
)
def test_what_is_not_there_is_named(folder: Path, target: str, line: str) -> None:
    with pytest.raises(InputError) as refused:
        instantiate({"_target_": target}, where="activation")
    assert str(refused.value) == f"activation: {line}"


def test_a_file_that_cannot_be_imported_is_named(folder: Path) -> None:
    path = folder / "experiments" / "broken.py"
    path.write_text("import nothing_of_that_name\n")
    with pytest.raises(InputError, match=rf"^{path}: cannot be imported: ModuleNotFoundError: No module named"):
        instantiate({"_target_": "experiments.broken.Thing"})


def test_private_names_stay_private(folder: Path) -> None:
    with pytest.raises(InputError, match=r"is not allowed; it must be one of "):
        instantiate({"_target_": "experiments.ideas.cube._Cube"})


def test_the_source_is_part_of_what_identifies_a_net(folder: Path) -> None:
    node = {"model": {"activation": {"_target_": "experiments.ideas.cube.Cube"}, "_target_": "dlexp.models.mlp.mlp"}}
    before = own_sources(node)
    assert list(before) == ["experiments.ideas.cube.Cube"]
    (folder / "experiments" / "ideas" / "cube.py").write_text(MINE.replace("x**3", "x**5"))
    assert own_sources(node) != before
    assert own_sources({"model": {"_target_": "dlexp.models.mlp.mlp"}}) == {}
    assert list(own_sources({"callbacks": [{"_target_": "experiments.ideas.cube.Cube"}]})) == list(before)


def test_a_folder_of_experiments_alone_will_do(folder: Path) -> None:
    shutil.rmtree(folder / "conf")
    assert float(instantiate({"_target_": "experiments.ideas.cube.Cube"})(2)) == 8
    assert with_user_folders(["exercise=custom_loss"]) == ["exercise=custom_loss"]  # nothing for Hydra to search
