"""One panel per activation, with the curves that it should hold."""

import numpy as np
from torch import nn

from dlexp.probes.activation_drawings import draw_functions, draw_signals
from dlexp.probes.signal_propagation import Propagation


def test_functions_and_their_derivatives_are_drawn() -> None:
    made = draw_functions({"tanh": nn.Tanh(), "relu": nn.ReLU(), "elu": nn.ELU(), "identity": nn.Identity()})
    panels = [axes for axes in made.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["tanh", "relu", "elu", "identity"]
    value, slope = (np.asarray(line.get_ydata()) for line in panels[0].get_lines())
    x = np.asarray(panels[0].get_lines()[0].get_xdata())
    assert np.allclose(value, np.tanh(x))
    assert np.allclose(slope, 1 - np.tanh(x) ** 2)
    assert np.allclose(np.asarray(panels[3].get_lines()[1].get_ydata()), 1)


def test_signals_have_theory_and_marks_for_each_version() -> None:
    theory = Propagation(np.array([1.0, 0.5]), np.array([0.1, 1.0]))
    nets = [
        Propagation(np.array([1.0, 0.2]), np.array([0.2, 1.0])),
        Propagation(np.array([3.0, 0.4]), np.array([0.4, 1])),
    ]
    made = draw_signals({"one": [(theory, nets)], "two": [(theory, nets), (theory, nets[:1])]})
    one, two = made.axes
    assert [axes.get_title() for axes in (one, two)] == ["one", "two"]
    drawn = [line.get_ydata() for line in one.get_lines() if len(line.get_ydata())]
    assert [list(map(float, each)) for each in drawn] == [
        [1.0, 0.5],
        [2.0, 0.30000000000000004],
        [0.1, 1.0],
        [0.30000000000000004, 1.0],
    ]
    assert len([line for line in two.get_lines() if len(line.get_ydata())]) == 8
    assert one.get_yscale() == "log"
