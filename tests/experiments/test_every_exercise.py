"""No exercise without its smoke run, its three scales and a composition that holds at each of them."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from dlexp import registry
from dlexp.compose import expand_scale, register_resolvers
from dlexp.schema import build_params
from dlexp.settings import read_settings
from dlexp.training.recipe import Trainer

HERE = Path(__file__).parent
SLUGS = list(registry.exercises())


@pytest.mark.parametrize("slug", SLUGS)
def test_an_exercise_has_a_test_that_uses_its_smoke_run(slug: str) -> None:
    test = HERE / f"test_{slug}.py"
    assert test.is_file()
    assert "smoke" in test.read_text(encoding="utf-8")


@pytest.mark.parametrize("scale", ["smoke", "default", "paper"])
@pytest.mark.parametrize("slug", SLUGS)
def test_every_scale_composes_to_valid_parameters(slug: str, scale: str) -> None:
    exercise = registry.find(slug)
    assert set(exercise.scales) == {"smoke", "default", "paper"}
    register_resolvers()
    GlobalHydra.instance().clear()
    with initialize_config_module("dlexp.conf", version_base="1.3"):
        config = compose("config", overrides=expand_scale([f"exercise={slug}", f"scale={scale}"]))
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    settings = read_settings(plain)  # type: ignore[arg-type]
    assert settings.scale == scale
    assert settings.seeds == 2 if scale == "smoke" else settings.seeds >= 5
    build_params(registry.load(exercise).Params, plain["params"])
    if plain.get("trainer"):
        build_params(Trainer, plain["trainer"], "trainer")


@pytest.mark.parametrize("slug", SLUGS)
def test_statements_and_references_are_whole(slug: str) -> None:
    exercise = registry.find(slug)
    assert all(len(text) > 30 for text in exercise.statement.values())
    assert exercise.statement["pt"] != exercise.statement["en"]
    assert all(len(reference) > 20 for reference in exercise.references)
