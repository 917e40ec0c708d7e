"""Exercise 1.6 through the real command line, and its claims against what the tables say."""

from pathlib import Path
from typing import Any

import pytest

GIVEN, RARE = "as given", "rare classes"
FREE = ["k_center", "facility_location", "herding", "k_medoids", "leverage", "diverse"]
AWARE = [
    "class_k_center",
    "class_facility_location",
    "class_herding",
    "class_k_medoids",
    "fair_diverse",
    "fair_spread",
]


def test_both_modes_and_all_methods_are_compared_apart(smoke: Any) -> None:
    for word, names in (("label_free", ["random", *FREE]), ("label_aware", ["class_random", *AWARE])):
        rows = smoke.table(f"{word}_summary")
        assert [(row["condition"], row["selector"]) for row in rows] == [(c, n) for c in (GIVEN, RARE) for n in names]
    modes = {row["selector"]: row["mode"] for row in smoke.table("selectors")}
    assert {name for name, mode in modes.items() if mode == "label-free"} == {"random", *FREE}
    every = smoke.table("every_number")
    assert len(every) == 2 * 14 * 2 * 2  # conditions, selectors, k, classifiers
    assert {row["k"] for row in every if row["condition"] == GIVEN} == {29, 72}  # 2 % and 5 % of 1438, rounded up
    assert {row["classifier"] for row in every} == {"1-NN", "SVM (RBF)"}


def test_gains_are_differences_of_the_accuracies_in_the_tables(smoke: Any) -> None:
    every = {
        (row["condition"], row["selector"], row["k"], row["classifier"]): row for row in smoke.table("every_number")
    }
    for (condition, name, k, classifier), row in every.items():
        baseline = "class_random" if name in AWARE else "random"
        if name in FREE + AWARE:
            difference = row["accuracy"] - every[condition, baseline, k, classifier]["accuracy"]
            assert row["gain"] == pytest.approx(difference)
    for word, names, baseline in (("label_free", FREE, "random"), ("label_aware", AWARE, "class_random")):
        summary = {(row["condition"], row["selector"]): row for row in smoke.table(f"{word}_summary")}
        for name in names:
            gains = [row["gain"] for key, row in every.items() if key[:2] == (GIVEN, name)]
            assert summary[GIVEN, name]["gain"] == pytest.approx(sum(gains) / len(gains))
            claim = smoke.claim(f"{name}_beats_{baseline}")
            assert claim["effect"] == pytest.approx(summary[GIVEN, name]["gain"])
            assert (claim["low"], claim["high"]) == (summary[GIVEN, name]["low"], summary[GIVEN, name]["high"])


def test_claims_on_rare_classes_agree_with_the_tables(smoke: Any) -> None:
    def mean(row: dict[str, Any]) -> float:
        return float(row["at 2 %"] + row["at 5 %"]) / 2

    found = {row["selector"]: mean(row) for row in smoke.table("rare_classes_found")}
    assert all(found[name] == 1 for name in ["class_random", *AWARE])  # quotas reach every class
    claim = smoke.claim("covering_finds_rare_classes")
    assert claim["effect"] == pytest.approx(found["k_center"] - found["random"])
    right = {
        row["selector"]: mean(row)
        for word in ("label_free", "label_aware")
        for row in smoke.table(f"{word}_summary")
        if row["condition"] == RARE
    }
    effect = smoke.claim("labels_matter_where_classes_are_rare")["effect"]
    assert effect == pytest.approx(right["class_random"] - right["random"])
    assert smoke.claim("quotas_help_diversity")["effect"] == pytest.approx(right["fair_diverse"] - right["diverse"])


def test_selectors_reach_what_they_optimise(smoke: Any) -> None:
    rows = {row["selector"]: row for row in smoke.table("coverage_and_diversity")}
    assert len(rows) == 14
    label_free = {name: rows[name] for name in ("random", *FREE)}
    assert min(label_free, key=lambda name: label_free[name]["radius"]) == "k_center"
    assert max(rows, key=lambda name: rows[name]["mean pairwise"]) == "diverse"
    assert rows["fair_diverse"]["mean pairwise"] > rows["class_random"]["mean pairwise"]
    assert rows["fair_spread"]["mean nearest"] == max(rows[name]["mean nearest"] for name in AWARE)
    assert rows["fair_diverse"]["from middle"] > rows["class_random"]["from middle"]  # the rim


def test_time_and_memory_are_measured_and_stay_out_of_the_answer(smoke: Any) -> None:
    rows = smoke.table("time_and_memory")
    timed = {row["selector"] for row in rows}
    assert timed == {"random", *FREE, "fair_diverse", "fair_spread"}
    assert {row["rows"] for row in rows} == {200, 1000}
    assert all(0 < row["peak MB, measured with the seconds"] < 2000 for row in rows)
    assert "within the 2000 MB that we allow" in smoke.text
    clocked = {name for name in smoke.answer["metrics"] if name.endswith("_seconds")}
    assert clocked == {f"{name}_seconds" for name in timed}
    assert not [name for name in smoke.answer["metrics"] if "mb" in name.lower().split("_")]


def test_ones_own_selector_is_compared_like_the_others(dlexp_cli: Any, tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.py").write_text(
        "def farthest(x, k, rng):\n    return (x**2).sum(axis=1).argsort()[-k:]\n"
    )
    words = ("params.own=[experiments.mine.farthest]", "params.label_free=[]", "params.label_aware=[]")
    words = (*words, "params.rare_classes=0", "params.sizes=[200]", "params.time_k=10", "hydra.run.dir=out")
    done = dlexp_cli(tmp_path, "run", "exercise=coreset_selection", "scale=smoke", "threads=1", *words)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "answer.md").read_text(encoding="utf-8")
    assert "`farthest_beats_random`" in text
    assert "label-aware selection" not in text.lower()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "params.label_free=[k_centre]",
            "error: params.label_free: selector 'k_centre': there is none of that name; did you mean 'k_center'?",
        ),
        (
            "params.fractions=[0.005,0.05]",
            "error: params.fractions=[0.005, 0.05]: 0.5 % of 1438 samples (as given) are 8, fewer than the 10 classes;"
            " raise the first",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(dlexp_cli: Any, tmp_path: Path, word: str, message: str) -> None:
    done = dlexp_cli(tmp_path, "run", "exercise=coreset_selection", "scale=smoke", word)
    assert (done.returncode, done.stderr.strip()) == (2, message)
