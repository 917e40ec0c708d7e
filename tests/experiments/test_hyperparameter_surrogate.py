"""Exercise 3.6: its claims against its tables."""

from statistics import fmean

import pytest


def test_every_strategy_and_surrogate_is_in_the_tables(smoke) -> None:
    exploration = {row["strategy"]: row for row in smoke.table("exploration")}
    assert set(exploration) == {"random", "grid", "sobol", "tpe"}
    assert {row["trainings"] for name, row in exploration.items() if name != "grid"} == {8}
    assert exploration["grid"]["trainings"] <= 8
    surrogates = [row["surrogate"] for row in smoke.table("unseen_configurations")]
    assert surrogates[0] == "mean"
    assert {"ridge", "random forest", "Gaussian process", "XGBoost"} <= set(surrogates)
    axes = {row["axis"] for row in smoke.table("unseen_values")}
    assert axes == {"optimizer", "initialization", "lr", "batch_size", "width"}
    assert len({row["held-out value"] for row in smoke.table("unseen_values") if row["axis"] == "lr"}) == 3


def test_unseen_values_are_judged_by_all_measures_against_the_mean(smoke) -> None:
    rows = smoke.table("unseen_values")
    assert {"R2", "Spearman", "top-1 regret"} <= set(rows[0])
    assert all(row["R2"] == 0 and row["Spearman"] == 0 for row in rows if row["surrogate"] == "mean")
    assert all(row["top-1 regret"] >= 0 for row in rows)
    of_optimizers = [row["R2"] for row in rows if (row["axis"], row["surrogate"]) == ("optimizer", "random forest")]
    assert smoke.claim("unseen_optimizers_are_predictable")["effect"] == pytest.approx(fmean(of_optimizers))


def test_claims_are_those_of_the_tables(smoke) -> None:
    exploration = {row["strategy"]: row for row in smoke.table("exploration")}
    for name in ("grid", "sobol", "tpe"):
        claim = smoke.claim(f"{name}_beats_random_search")
        gain = exploration[name]["test accuracy"] - exploration["random"]["test accuracy"]
        assert claim["effect"] == pytest.approx(gain)
        assert (claim["low"], claim["high"]) == (exploration[name]["gain low"], exploration[name]["gain high"])
    quality = {row["surrogate"]: row for row in smoke.table("unseen_configurations")}
    assert quality["mean"]["R2"] == 0.0
    claim = smoke.claim("interactions_matter")
    assert claim["effect"] == pytest.approx(quality["random forest"]["R2"] - quality["ridge"]["R2"])
    assert smoke.claim("the_predicted_best_is_good")["effect"] == quality["random forest"]["top-1 regret"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["params.optimizers=[sgd]"], "params: the axis optimizer has 1 value(s); give it at least two"),
        (["params.optimizers=[sgd,adm]"], "optimizer=adm: there is no such optimizer; did you mean 'adam'?"),
        (["params.rate_low=2"], "params.rate_low=2: must be below rate_high=1"),
        (["params.widths=[64,16]"], "params.widths=[64, 16]: must ascend"),
        (
            ["dataset.val_fraction=0"],
            "dataset.val_fraction=0: a search chooses on validation samples; keep some, e.g. 0.3",
        ),
        (["model=cnn"], "model: this exercise varies the widths and initialisation of model=mlp"),
    ],
)
def test_what_is_no_space_is_refused(dlexp_here, words: list[str], line: str) -> None:
    assert dlexp_here(["exercise=hyperparameter_surrogate", "scale=smoke", *words]) == (2, f"error: {line}\n")
