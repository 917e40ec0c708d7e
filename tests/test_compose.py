"""Argument order and scales, as pure functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp import registry
from dlexp.compose import expand_scale, split_arguments
from dlexp.errors import InputError, nearest
from dlexp.explain import flatten, nearest_key

SLUG = "resnet_layer_deletion"


def test_flags_go_first_with_their_values() -> None:
    words = ["exercise=a", "-m", "seed=0,1", "--cfg", "job", "x=-1"]
    assert split_arguments(words) == (["-m", "--cfg", "job"], ["exercise=a", "seed=0,1", "x=-1"])
    with pytest.raises(InputError, match=r"^--mutlirun: there is no such option; did you mean '--multirun'\?$"):
        split_arguments(["--mutlirun", "exercise=a"])


def test_a_scale_is_its_overrides_before_the_users() -> None:
    given_words = [f"exercise={SLUG}", "scale=smoke", "seed=3"]
    assert expand_scale(given_words) == [*registry.find(SLUG).scales["smoke"], *given_words]


def test_what_the_user_sets_wins() -> None:
    words = expand_scale([f"exercise={SLUG}", "scale=smoke", "++model.depth=20"])
    assert [word for word in words if "model.depth" in word] == ["++model.depth=20"]
    # another model: the scale's settings inside the old one make no sense any more
    words = expand_scale([f"exercise={SLUG}", "scale=smoke", "model=torchvision"])
    assert [word for word in words if word.startswith("model")] == ["model=torchvision"]
    assert "trainer.epochs=2" in words


numbers = st.tuples(st.sampled_from(["model.depth", "trainer.epochs", "seed", "params.margin"]), st.integers(0, 9))
choices = st.sampled_from([("dataset", "wine"), ("model", "mlp"), ("model", "cnn")])
own = st.lists(numbers | choices, max_size=6)


@given(own, st.sampled_from(["smoke", "default", "paper"]))
def test_expanding_keeps_the_users_words_and_is_done_once(pairs: list[tuple[str, int | str]], scale: str) -> None:
    words = [f"exercise={SLUG}", f"scale={scale}", *(f"{key}={value}" for key, value in pairs)]
    expanded = expand_scale(words)
    assert [word for word in expanded if word in words] == words
    assert expand_scale(expanded) == expanded
    set_by_user = {key for key, _ in pairs}
    added = [word.partition("=")[0] for word in expanded if word not in words]
    assert not set_by_user & set(added)


@pytest.mark.parametrize("words", [["exercise=a,b", "scale=smoke"], [f"exercise={SLUG}", "scale=smoke,paper"]])
def test_a_swept_exercise_or_scale_is_left_to_each_job(words: list[str]) -> None:
    assert expand_scale(words) == words


def test_no_exercise() -> None:
    with pytest.raises(InputError, match=r"^no exercise named: say exercise=SLUG; `dlexp list` shows them$"):
        expand_scale(["model.depth=8"])


def test_flatten() -> None:
    assert flatten({"a": {"b": 1, "c": {}}, "d": None}) == ["a", "a.b", "a.c", "d"]


def test_hints() -> None:
    assert nearest_key("optimiser.lr", ["optimizer", "optimizer.lr", "seed"]) == "did you mean 'optimizer.lr'?"
    assert nearest_key("lr", ["optimizer.lr", "seed"]) == "did you mean 'optimizer.lr'?"
    assert nearest("xyz", ["b", "a"]) == "choose from: a, b"
    assert nearest("xyz", [str(n) for n in range(20)]).endswith(", ... (20 in all)")
    assert nearest("x", []) == "there is nothing to choose from"
