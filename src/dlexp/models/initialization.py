"""How the weights of a net's layers start. The rules are those of torch.nn.init, applied to every layer alike."""

from typing import Literal

from torch import nn

Initialization = Literal["default", "he", "glorot", "lecun", "orthogonal", "small"]

SMALL = 0.01  # standard deviation of "small": far below what keeps the variance through the layers


def initialize(net: nn.Module, rule: Initialization) -> None:
    """Draw the weights of all linear and convolutional layers anew, from torch's global random state.

    he: normal, variance 2 / fan-in (He et al. 2015, Eq. 10); glorot: uniform, variance 2 / (fan-in + fan-out)
    (Glorot and Bengio 2010, Eq. 16); lecun: normal, variance 1 / fan-in; orthogonal: Saxe et al. 2014, gain 1;
    small: normal, standard deviation 0.01. Biases start at 0. "default" leaves what torch drew.
    """
    if rule == "default":
        return
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            if rule == "he":
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            elif rule == "glorot":
                nn.init.xavier_uniform_(module.weight)
            elif rule == "lecun":
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            elif rule == "orthogonal":
                nn.init.orthogonal_(module.weight)
            else:
                nn.init.normal_(module.weight, std=SMALL)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
