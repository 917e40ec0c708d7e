"""Exercise 1.3 through the real command line, and its answer recomputed."""

import numpy as np
import pytest

from dlexp.data import build_dataset
from dlexp.feature_space import all_samples

REFUSED = ["exercise=feature_space_2d", "scale=smoke"]


def test_the_highlighted_points_are_those_of_the_samples(smoke) -> None:
    node = {"_target_": "dlexp.data.generators.blobs", "n_samples": 600, "n_features": 2, "n_classes": 3}
    table = all_samples(build_dataset({**node, "spread": 1.0, "seed": 0}))
    rows = {row["point"]: row for row in smoke.table("points")}
    assert len(rows) == 1 + 3 + 3
    np.testing.assert_allclose([rows["overall mean"][x] for x in ("x1", "x2")], table.x.mean(axis=0), rtol=1e-12)
    for c in range(3):
        own = np.flatnonzero(table.y == c)
        mean = table.x[own].mean(axis=0)
        np.testing.assert_allclose([rows[f"mean of class {c}"][x] for x in ("x1", "x2")], mean, rtol=1e-12)
        farthest = own[np.linalg.norm(table.x[own] - mean, axis=1).argmax()]
        row = rows[f"farthest of class {c} (row {farthest})"]
        assert [row["x1"], row["x2"]] == table.x[farthest].tolist()


def test_claims_agree_with_the_tables(smoke) -> None:
    accuracy = {row["classifier"]: row["held-out accuracy"] for row in smoke.table("classifiers")}
    largest, nearest, gaussian = accuracy.values()
    assert list(accuracy) == ["largest class", "nearest class mean", "Gaussian with each class's covariance"]
    assert largest == pytest.approx(1 / 3)  # three classes of 60 held-out samples
    assert smoke.claim("means_tell_classes_apart")["effect"] == pytest.approx(nearest - largest)
    assert smoke.claim("ellipses_add_nothing")["effect"] == pytest.approx(gaussian - nearest)
    covered = {row["stated share"]: row["covered share"] for row in smoke.table("coverage")}
    assert smoke.claim("ellipses_cover_what_they_state")["effect"] == pytest.approx(covered[0.95] - 0.95)
    assert sorted(covered.values()) == list(covered.values())
    assert smoke.claim("scatter_adds_up")["effect"] < 1e-14
    assert {"figures/feature_space.png", "figures/as_seen.png", "figures/coverage.png"} <= set(smoke.answer["figures"])


def test_blobs_are_covered_as_stated(smoke) -> None:
    for row in smoke.table("coverage"):
        assert row["covered share"] == pytest.approx(row["stated share"], abs=0.04)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["dataset.n_features=3"],
            "dataset: has 3 columns, and a plane shows 2; use exercise=feature_space_projection for more",
        ),
        (
            ["dataset=digits"],
            "dataset: has 64 columns, and a plane shows 2; use exercise=feature_space_projection for more",
        ),
        (["seeds=1"], "seeds=1: one repetition has no interval; use seeds of 2 or more"),
        (["params.coverage=1.0"], "params.coverage=1.0: input should be less than 1"),
        (
            ["dataset.n_samples=15", "params.held_out=0.7"],
            "class 0: 1 samples make no ellipse; give it 3 or more",
        ),
        (
            ["dataset.n_samples=15", "params.held_out=0.05"],
            "class 0: 5 samples cannot be split with 0.05 held out; add some",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_runs(dlexp_here, words: list[str], message: str) -> None:
    assert dlexp_here([*REFUSED, *words]) == (2, f"error: {message}\n")


def test_columns_that_follow_from_each_other_make_no_ellipse(dlexp_here, tmp_path) -> None:
    lines = [f"{i},{2 * i},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "own.csv").write_text("u,v,kind\n" + "\n".join(lines) + "\n", encoding="utf-8")
    code, said = dlexp_here([*REFUSED, "dataset=csv", "dataset.root=own.csv"])
    assert code == 2
    assert said.startswith("error: the covariance of class a is singular: some of its 2 columns are constant or follow")
