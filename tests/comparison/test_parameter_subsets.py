"""Which nets are trained, that they start alike, and that each is counted as what it is."""

import pytest

from dlexp.comparison.parameter_subsets import OTHER_START, name_of, names_along, shapes, train_subsets
from dlexp.errors import DlexpError
from dlexp.training.subsets import SUBSETS

MODEL = {"depth": 8, "width": 1}


def test_shapes_differ_from_the_base_in_one_key() -> None:
    found = shapes(MODEL, {"depth": [14, 8, 14], "width": [4, 2]})
    assert found == [{}, {"depth": 14}, {"width": 2}, {"width": 4}]
    assert shapes({}, {}) == [{}]
    assert name_of("random", {}) == "random"
    assert name_of("random", {"width": 2}) == "random, width 2"
    assert names_along(MODEL, "depth", [20, 14], "all") == {8: "all", 14: "all, depth 14", 20: "all, depth 20"}


def test_every_subset_is_trained_from_the_same_weights(make_lab) -> None:
    lab = make_lab(seeds=2, epochs=2)
    lab.config["model"] |= {"batch_norm": True}
    study = train_subsets(lab, "uniform", {}, ["batchnorm"], [0.1], 1)
    assert study.base == [*SUBSETS, OTHER_START] == list(study.tuned)
    assert {name: study.learning(name) for name in study.base} == {
        "all": 6 * 8 + 8 + 16 + 8 * 3 + 3 - 8,  # no bias before the normalisation
        "batchnorm": 16,
        "output": 27,
        "batchnorm+output": 43,
        "random": 16,
        "none": 0,
        OTHER_START: 16,
    }
    for name in study.base:
        for index, trained in enumerate(study.tuned[name].trained):
            start = trained.snapshots[0]
            for key, value in study.tuned["all"].trained[index].snapshots[0].items():
                assert value.equal(start[key]) == (name != OTHER_START or not key.endswith("bn.weight")), key
            assert study.moved[name][index].frozen_changed == 0
    assert study.gain("all", "none").mean == pytest.approx(
        sum(study.accuracy["all"]) / 2 - sum(study.accuracy["none"]) / 2
    )


def test_a_net_that_diverged_at_its_best_rate_stops_the_run(make_lab) -> None:
    lab = make_lab(seeds=1, epochs=1)
    lab.config["model"] |= {"batch_norm": True}
    with pytest.raises(DlexpError, match=r"^all: a net diverged at its best rate, 1e\+38; add lower ones"):
        train_subsets(lab, "ones", {}, ["batchnorm"], [1e38], 1)
