"""Exercise 5.2 through the real command line, and its claims against what the tables say."""

from collections.abc import Callable
from typing import Any

import pytest

SETTINGS = ["as composed", "constant rate", "wrong labels"]
REGULARISERS = ["weight decay", "augmentation"]


def test_every_period_setting_and_control_is_there(smoke: Any) -> None:
    rows = smoke.table("when_regularised")
    until, since, window = "on until epoch t", "on from epoch t", "on for 1 epochs from t"
    expected = [(until, t, t) for t in (0, 2, 3)] + [(since, t, 3 - t) for t in (0, 2, 3)]
    expected += [(window, t, 1) for t in (0, 1, 2)]
    for kind in REGULARISERS:
        assert [(r["when"], r["t"], r["epochs on"]) for r in rows if r["regulariser"] == kind] == expected
    contrasts = smoke.table("early_against_late")
    assert [(row["regulariser"], row["setting"]) for row in contrasts] == [
        (kind, at) for kind in REGULARISERS for at in SETTINGS
    ]
    spoilt = smoke.table("deficits")
    in_main, constant = [(0, 2), (0, 1), (1, 2)], [(0, 1), (1, 2)]
    assert [(row["deficit"], row["setting"], row["from"], row["until"]) for row in spoilt] == [
        (kind, at, *window)
        for kind in ("blur", "pause")
        for at, windows in zip(SETTINGS, (in_main, constant), strict=False)
        for window in windows
    ]
    watched = [f"{kind}, {end}" for kind in REGULARISERS for end in ("always", "early", "late")]
    assert [row["training"] for row in smoke.table("fisher")] == [*watched, "never", "blur, early", "pause, early"]


def test_ends_of_the_curves_are_always_and_never(smoke: Any) -> None:
    rows = smoke.table("when_regularised")
    never = next(row["test accuracy"] for row in rows if row["epochs on"] == 0)
    for row in rows:
        assert row["gain over never"] == pytest.approx(row["test accuracy"] - never)
        if row["epochs on"] == 0:
            assert (row["test accuracy"], row["low"], row["high"]) == (never, 0, 0)
    for kind in REGULARISERS:
        assert len({row["test accuracy"] for row in rows if row["regulariser"] == kind and row["epochs on"] == 3}) == 1


def test_claims_agree_with_the_tables(smoke: Any) -> None:
    effect = {claim["name"]: claim["effect"] for claim in smoke.answer["claims"]}
    for row in smoke.table("early_against_late"):
        kind = row["regulariser"].replace(" ", "_")
        end = {"as composed": "", "constant rate": "_at_constant_rate", "wrong labels": "_with_wrong_labels"}
        name = f"early_{kind}_beats_late{end[row['setting']]}"
        assert effect[name] == pytest.approx(row["early"] - row["late"], abs=1e-12)
        if row["setting"] == "as composed":
            assert effect[f"{kind}_helps"] == pytest.approx(row["always"] - row["never"], abs=1e-12)
            assert effect[f"early_{kind}_is_enough"] == pytest.approx(row["always"] - row["early"], abs=1e-12)
            assert effect[f"late_{kind}_changes_nothing"] == pytest.approx(row["late"] - row["never"], abs=1e-12)
    spoilt = {
        (row["deficit"], row["setting"], row["from"], row["until"]): row["test accuracy"]
        for row in smoke.table("deficits")
    }
    for at, end in (("as composed", ""), ("constant rate", "_at_constant_rate")):
        harm = spoilt["blur", at, 1, 2] - spoilt["blur", at, 0, 1]
        assert effect[f"early_blur_harms_more{end}"] == pytest.approx(harm, abs=1e-12)
    beyond = spoilt["pause", "as composed", 0, 2] - spoilt["blur", "as composed", 0, 2]
    assert effect["blur_harms_beyond_lost_epochs"] == pytest.approx(beyond, abs=1e-12)


def test_windows_have_the_same_dose_at_constant_rate_and_not_with_the_schedule(smoke: Any) -> None:
    for row in smoke.table("early_against_late"):
        early, late = row["early: share of rates"], row["late: share of rates"]
        if row["setting"] == "constant rate":
            assert early == pytest.approx(1 / 3)
            assert late == pytest.approx(1 / 3)
        else:
            assert early > 4 * late


def test_fisher_traces_are_the_same_until_something_differs(smoke: Any) -> None:
    rows = {row["training"]: row for row in smoke.table("fisher")}
    assert len({row["at the start"] for row in rows.values()}) == 1
    for kind in REGULARISERS:
        assert rows[f"{kind}, late"]["after the first window"] == rows["never"]["after the first window"]
        assert rows[f"{kind}, always"]["after the first window"] == rows[f"{kind}, early"]["after the first window"]
        assert rows[f"{kind}, late"]["at the end"] != rows["never"]["at the end"]
    assert rows["pause, early"]["after the first window"] == rows["pause, early"]["at the start"]  # nothing was learnt


def test_the_discussion_reads_every_verdict(smoke: Any) -> None:
    discussion = smoke.text.split("## Discussion")[1]
    for claim in smoke.answer["claims"]:
        assert (f"*`{claim['name']}`*" in discussion) == (claim["verdict"] != "supported")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["optimizer.weight_decay=0.01"],
            "error: optimizer.weight_decay: must be there and 0, for the epochs without regularisation; set the "
            "strength by params.weight_decay\n",
        ),
        (
            ["dataset=wine", "augmentation=affine"],
            "error: dataset: augmentation and blur are for images; say dataset=digits, mnist, cifar10, ...\n",
        ),
    ],
)
def test_what_would_spoil_the_comparison_is_refused(
    dlexp_here: Callable[[list[str]], tuple[int, str]], words: list[str], message: str
) -> None:
    assert dlexp_here(["exercise=critical_periods", "scale=smoke", "dataset.train_size=50", *words]) == (2, message)
