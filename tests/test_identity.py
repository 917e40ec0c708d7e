"""What a run is called, what identifies it, and what MLflow's table shows of it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dlexp import registry
from dlexp.identity import NOT_IDENTITY, flat_params, identity, run_name
from dlexp.settings import SEED_STRIDE, Settings

values = st.recursive(st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5)


@given(st.dictionaries(st.text(min_size=1), values), st.sampled_from(NOT_IDENTITY), values)
def test_identity_ignores_where_and_sees_what(config: dict[str, Any], place: str, value: Any) -> None:
    assert identity({**config, place: value}) == identity(config)
    assert identity({**config, "seed": 1}) != identity({**config, "seed": 2})
    assert identity(dict(reversed(config.items()))) == identity(config)


def test_flat_params_are_dotted_and_leave_out_what_never_differs() -> None:
    config = {"exercise": {"title": "T"}, "tracking": {"uri": "x"}, "model": {"depth": 8, "a": {"b": None}}, "seed": 0}
    assert flat_params(config) == {"model.depth": "8", "model.a.b": "None", "seed": "0"}


def test_a_run_is_called_by_what_the_user_changed() -> None:
    exercise = registry.find("resnet_layer_deletion")
    settings = Settings(seed=0, seeds=2, scale="smoke", device="cpu", threads=None)
    expanded = [*exercise.scales["smoke"], "exercise=resnet_layer_deletion", "scale=smoke", "model.depth=8", "seed=3"]
    assert run_name(exercise, settings, expanded) == "smoke model.depth=8 seed=3"
    assert run_name(exercise, settings, [*expanded, "tracking.parent_run=abc"]) == "smoke model.depth=8 seed=3"


@given(st.lists(st.integers(0, 999_999), min_size=2, max_size=5, unique=True), st.integers(1, SEED_STRIDE))
def test_repetitions_of_different_seeds_never_overlap(seeds: list[int], repeats: int) -> None:
    drawn = [Settings(seed, repeats, "default", "cpu", None).repetitions for seed in seeds]
    flat = [seed for each in drawn for seed in each]
    assert len(set(flat)) == len(flat) == repeats * len(seeds)
