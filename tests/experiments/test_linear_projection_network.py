"""Exercise 2.2 through the real command line: every model is a layer, and claims against their tables."""

from pathlib import Path
from typing import Any

import pytest

MODELS = [
    "PCA",
    "PCA, whitened",
    "scaler + PCA",
    "OLS",
    "ridge",
    "LDA, projection",
    "LDA, decision",
    "PLS, projection",
    "PLS, prediction",
    "logistic regression",
    "scaler + logistic",
]


def test_every_model_is_one_layer(smoke: Any) -> None:
    rows = {row["model"]: row for row in smoke.table("agreement")}
    assert list(rows) == MODELS
    assert [row["outputs"] for row in rows.values()] == [2, 2, 2, 4, 1, 3, 4, 2, 4, 4, 4]  # 4 classes, 2 components
    for row in rows.values():
        assert row["float64: largest difference"] < 1e-9
        assert 1e-9 < row["float32: largest relative"] < 1e-4  # rounded, so not equal; but close
    for name in ("one_layer_is_exact", "float32_keeps_four_digits"):
        assert smoke.claim(name)["verdict"] == "supported"
    largest = max(row["float64: largest difference"] for row in rows.values())
    assert smoke.claim("one_layer_is_exact")["effect"] <= largest


def test_times_are_in_columns_of_seconds_only(smoke: Any) -> None:
    rows = smoke.table("times")
    assert [row["model"] for row in rows] == MODELS
    assert all("seconds" in column for column in rows[0] if column != "model")
    assert all(value > 0 for row in rows for column, value in row.items() if column != "model")
    assert "seconds" in smoke.claim("folding_saves_time")["unit"]


def test_folding_the_mean_costs_digits_that_centring_keeps(smoke: Any) -> None:
    rows = smoke.table("centring")
    assert [row["mean / standard deviation"] for row in rows] == [0, 10, 100, 1000, 10_000]
    folded, centred = ([row[f"{way}: relative error"] for row in rows] for way in ("folded", "centred first"))
    assert folded[0] == centred[0]  # nothing is moved
    assert folded[-1] > 100 * folded[0]
    assert folded[-1] > centred[-1]


def test_the_subspace_is_learned_and_the_axes_only_with_decay(smoke: Any) -> None:
    rows = {(row["weight decay"], row["compared with PCA"]): row for row in smoke.table("learned")}
    angle = {key: row["largest angle (degrees)"] for key, row in rows.items()}
    assert {decay for decay, _ in rows} == {0.0, 0.003}
    assert angle[0.0, "span of the decoder"] == smoke.claim("subspace_is_learned")["effect"] < 0.1
    assert angle[0.0, "axes: columns of the decoder"] == smoke.claim("axes_are_not_learned")["effect"] > 5
    assert angle[0.0, "axes: its left singular vectors"] > 5  # the control: decay, not the decomposition, finds them
    assert angle[0.003, "axes: its left singular vectors"] == smoke.claim("decay_recovers_the_axes")["effect"] < 1
    assert angle[0.0, "span of the encoder"] > 1  # undetermined where the data do not vary
    assert angle[0.003, "span of the encoder"] < 0.1


def test_the_code_that_the_answer_shows_works(smoke: Any) -> None:
    import torch
    from sklearn.datasets import make_classification
    from sklearn.decomposition import PCA

    code = smoke.text.split("```python\n")[1].split("```")[0]
    x, _ = make_classification(100, 20, random_state=0)
    pca = PCA(2).fit(x)
    scope: dict[str, Any] = {"torch": torch, "pca": pca}
    exec(code, scope)
    projected = scope["layer"](torch.from_numpy(x)).detach().numpy()
    assert abs(projected - pca.transform(x)).max() < 1e-12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("params.n_features=20",),
            "error: params.n_features=20: is less than n_informative + n_redundant = 30; raise it",
        ),
        (
            ("params.n_informative=2", "params.n_redundant=2"),
            "error: params.n_classes=4: 2 informative features have 4 corners for two clusters of each class; raise "
            "n_informative",
        ),
        (("params.codes=40",), "error: params.codes=40: must be less than learned_features=40"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    dlexp_cli: Any, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    done = dlexp_cli(tmp_path, "run", "exercise=linear_projection_network", "scale=smoke", "threads=1", *words)
    assert (done.returncode, done.stderr.strip()) == (2, message)
