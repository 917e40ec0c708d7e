"""Exercise 1.2 through the real command line, and its answers recomputed."""

import numpy as np
import pytest

from dlexp.data import build_dataset
from dlexp.feature_space import all_samples

REFUSED = ["exercise=class_statistics", "scale=smoke"]


def test_the_items_are_those_of_the_samples(smoke) -> None:
    node = {"_target_": "dlexp.data.generators.blobs", "n_samples": 600, "n_features": 2, "n_classes": 3}
    table = all_samples(build_dataset({**node, "spread": 1.0, "seed": 0}))
    means = smoke.table("means")
    assert [row["class"] for row in means] == ["all (i)", "0", "1", "2"]
    parts = [table.x, *(table.x[table.y == c] for c in range(3))]
    for row, part in zip(means, parts, strict=True):
        assert row["samples"] == len(part)
        np.testing.assert_allclose([row["x1"], row["x2"]], part.mean(axis=0), rtol=1e-12)
    rows = smoke.table("farthest")
    assert [row["metric"] for row in rows] == ["euclidean"] * 3 + ["mahalanobis"] * 3 + ["cosine"] * 3
    for row in rows[:3]:
        own = np.flatnonzero(table.y == int(row["class"]))
        distance = np.linalg.norm(table.x[own] - table.x[own].mean(axis=0), axis=1)
        assert row["row"] == own[distance.argmax()]
        assert row["distance"] == pytest.approx(distance.max())
        assert [row["x1"], row["x2"]] == table.x[row["row"]].tolist()


def test_identities_hold_and_claims_agree_with_the_tables(smoke) -> None:
    for name in ("identity_of_means", "vectorised_equals_loop"):
        assert 0 <= smoke.claim(name)["effect"] < 1e-13
    assert smoke.claim("same_farthest_samples")["effect"] == 0
    assert smoke.claim("mahalanobis_ignores_units")["effect"] == 0
    moved = {row["stretched by"]: row for row in smoke.table("units") if row["what"].startswith("Euclidean:")}
    assert moved[1.0]["share of classes"] == 0
    assert smoke.claim("euclidean_depends_on_units")["effect"] == pytest.approx(moved[10.0]["share of classes"])
    laws = smoke.table("laws")
    assert [row["samples of the class"] for row in laws] == [4, 8, 16, 32, 64, 128]  # 256 are more than 200 in a class
    assert [row["on paper"] for row in laws] == pytest.approx([row["samples of the class"] ** -0.5 for row in laws])
    growth = laws[-1]["farthest sample"] - laws[0]["farthest sample"]
    assert smoke.claim("farthest_moves_outwards")["effect"] == pytest.approx(growth)
    exponent = smoke.answer["metrics"]["error_exponent"]
    assert smoke.claim("error_shrinks_like_inverse_root")["effect"] == pytest.approx(exponent + 0.5)
    assert "Sizes [256, 512] are left out" in smoke.text


def test_the_cost_table_holds_both_ways(smoke) -> None:
    rows = smoke.table("cost")
    assert [row["n"] for row in rows] == [300, 3000]
    assert all(row["ratio of seconds"] > 1 for row in rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["params.sizes=[8,4]"], "params.sizes=[8, 4]: must increase from one to the next"),
        (
            ["params.stretches=[2.0,4.0]"],
            "params.stretches=[2.0, 4.0]: must begin with 1, the classes as round as they are",
        ),
        (["params.other_metrics=[cosine,cosine]"], "params.other_metrics=['cosine', 'cosine']: names a metric twice"),
        (["seeds=1"], "seeds=1: one repetition has no interval; use seeds of 2 or more"),
        (
            ["params.sizes=[100,300]"],
            "params.sizes=[100, 300]: the smallest class has 200 samples; give two sizes within",
        ),
        (
            ["dataset=digits"],
            "params.other_metrics=['mahalanobis', 'cosine']: the covariance of class 0 is singular: some of its 64 "
            "columns are constant or follow from the others, or there are too few samples; remove columns, or use "
            "another metric than mahalanobis",
        ),
        (
            ["dataset.n_classes=1000"],
            "dataset.test_fraction=0.2: cannot hold out 120 of 600 samples and keep one of each class; choose another"
            " fraction",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_runs(dlexp_here, words: list[str], message: str) -> None:
    assert dlexp_here([*REFUSED, *words]) == (2, f"error: {message}\n")


def test_a_class_lost_in_a_table_of_ones_own_is_named(dlexp_here, tmp_path) -> None:
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2 * 2  # labels 0 and 2
    np.savez(tmp_path / "own.npz", x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    code, said = dlexp_here([*REFUSED, "dataset=npz", "dataset.root=own.npz"])
    assert code == 2
    assert "class 1" in said
