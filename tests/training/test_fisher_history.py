"""The Fisher trace in a training's history."""

import dataclasses

import pytest

from dlexp.data import Dataset
from dlexp.probes.fisher import fisher_trace
from dlexp.training.single import train_one

FISHER = {"_target_": "dlexp.training.fisher_history.FisherTrace", "samples": 1000}
BLIND = {"_target_": "dlexp.training.deficits.Deficit", "start": 0, "stop": 4, "kind": "noise"}


def test_is_that_of_the_snapshots_on_true_inputs_also_during_a_deficit(make_dataset, make_recipe, same_bits) -> None:
    dataset = make_dataset(shape=(1, 4, 4))
    recipe = make_recipe(epochs=4, snapshot_epochs=[0, 1, 2, 3, 4], model={"batch_norm": True})
    watched = train_one(dataclasses.replace(recipe, callbacks=[BLIND, FISHER]), dataset)
    rows = watched.history
    found = [rows[0]["fisher_trace_at_start"], *(row["fisher_trace"] for row in rows)]
    for epoch, trace in enumerate(found):
        net = watched.net
        net.load_state_dict(watched.snapshots[epoch])
        assert trace == pytest.approx(fisher_trace(net, dataset.train.inputs()), rel=1e-6)
    blind = train_one(dataclasses.replace(recipe, callbacks=[BLIND]), dataset)
    watched.net.load_state_dict(watched.snapshots[4])
    assert same_bits(blind.net, watched.net)  # watching changes nothing


def test_every_so_many_epochs_and_at_the_end_on_as_many_samples(dataset: Dataset, make_recipe) -> None:
    node = {**FISHER, "samples": 2, "every": 2}
    trained = train_one(dataclasses.replace(make_recipe(epochs=5), callbacks=[node]), dataset)
    assert ["fisher_trace" in row for row in trained.history] == [False, True, False, True, True]
    ends = dataset.train.inputs()[[0, -1]]  # evenly spaced
    assert trained.history[-1]["fisher_trace"] == pytest.approx(fisher_trace(trained.net, ends), rel=1e-6)
