"""Drawings hold what they are given."""

import numpy as np
import torch
from torch import nn

from dlexp.data import Split
from dlexp.models.mlp import mlp
from dlexp.probes.layer_measures import Splits
from dlexp.probes.representations import Samples
from dlexp.probes.separability_drawings import draw_by_layer, draw_rivals, draw_views, in_plane, views_of_layers
from dlexp.stats import Interval
from dlexp.tabular.projections import project


def test_one_panel_per_measure_with_its_line_and_mark() -> None:
    series = {"trained": [Interval(at, at - 0.1, at + 0.1, 5) for at in (0.1, 0.2, 0.3)]}
    made = draw_by_layer(["a", "b", "c"], {"probe": series, "rank": {"trained": series["trained"][:2]}}, 1.5, "here")
    probe, rank = (axes for axes in made.axes if axes.get_visible())
    assert list(probe.lines[0].get_ydata()) == [0.1, 0.2, 0.3]
    assert list(rank.lines[0].get_xdata()) == [0, 1]
    assert list(probe.lines[1].get_xdata()) == [1.5, 1.5]
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["trained", "here"]


def test_a_map_is_fitted_on_training_samples_and_shows_test_samples() -> None:
    random = np.random.default_rng(0)
    train = Samples(random.standard_normal((40, 5)), np.arange(40) % 2)
    test = Samples(random.standard_normal((12, 5)), np.arange(12) % 2)
    fitted = project("pca", train.x, train.y, 0)
    assert fitted.transform is not None
    np.testing.assert_array_equal(in_plane("pca", train, test, 0), fitted.transform(test.x))
    np.testing.assert_array_equal(in_plane("mds", train, test, 0), project("mds", test.x, test.y, 0).points)


def test_what_needs_no_map_is_shown_as_it_is() -> None:
    y = np.arange(4) % 2
    flat = Samples(np.arange(8.0).reshape(4, 2), y)
    np.testing.assert_array_equal(in_plane("pca", flat, flat, 0), flat.x)
    line = Samples(np.arange(4.0)[:, None], y)
    np.testing.assert_array_equal(in_plane("pca", line, line, 0), [[0, 0], [1, 0], [2, 0], [3, 0]])
    dead = Samples(np.ones((4, 5)), y)
    np.testing.assert_array_equal(in_plane("lda", dead, dead, 0), np.zeros((4, 2)))


def test_views_are_spread_over_the_depth_and_drawn_by_class() -> None:
    torch.manual_seed(0)
    net = mlp((4,), 2, widths=[6, 6, 6, 6, 6], activation=nn.Tanh)
    split = Split(torch.rand(10, 4), torch.arange(10) % 2)
    views = views_of_layers(net, Splits(split, split, split), "pca", seed=0, most=3)
    assert list(views) == ["input", "layer3", "fc"] or list(views) == ["input", "layer2", "fc"]
    made = draw_views({"trained": views, "again": views}, split.y.numpy(), ["zero", "one"])
    assert len(made.axes) == 6
    drawn = made.axes[0].collections[1].get_offsets()
    np.testing.assert_allclose(np.asarray(drawn), views["input"][1::2])
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["class zero", "class one"]


def test_rivals_stand_side_by_side_with_their_intervals() -> None:
    one = {"svm": [Interval(0.5, 0.4, 0.6, 3), Interval(0.7, 0.65, 0.75, 3)]}
    made = draw_rivals(["all", "last"], {"own": one, "new": one}, "accuracy")
    first, second = made.axes
    assert (first.get_title(), second.get_title()) == ("own", "new")
    assert [tick.get_text() for tick in second.get_xticklabels()] == ["all", "last"]
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["svm"]
    assert [float(bar.lines[0].get_ydata()[0]) for bar in first.containers] == [0.5, 0.7]  # type: ignore[attr-defined]
