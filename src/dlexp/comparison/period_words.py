"""What the verdicts about critical periods mean, in words that depend on the verdicts alone."""

from collections import defaultdict
from collections.abc import Mapping

from dlexp.stats import Interval

SAID = {  # by the verdict of early against late
    "supported": "There is a critical period: the first epochs are worth more than the last, by the margin or more.",
    "refuted": "There is no early critical period of a size that matters.",
    "inconclusive": "Whether the first epochs are worth more than the last by the margin is left open by these seeds.",
}
READINGS = {  # by the end of the claim's name, for claims that are not supported; the first that fits
    "_helps": "whether being on at all is worth the margin is not settled by these seeds, or it is not worth it; there "
    "is then little to divide among the epochs.",
    "_is_enough": "later epochs may add something of their own that the early ones do not replace.",
    "_changes_nothing": "late regularisation has an effect, or these seeds cannot tell that it has none.",
    "_beats_late_at_constant_rate": "the smaller dose of a late window may explain a contrast with the schedule.",
    "_beats_late_with_wrong_labels": "wrong labels are fitted late, so that late regularisation can still prevent some "
    "of it, and early regularisation that has ended cannot: what only *always* gains is of this kind.",
    "_beats_late": "its interval is not wholly above the margin; where it lies with respect to 0 is said above.",
    "_harms_more_at_constant_rate": "the net does not recover worse from the early deficit than from the later one, or "
    "these seeds cannot tell: no critical period of this sense is seen.",
    "_harms_more": "after the later deficit fewer epochs are left to recover in, at lower rates where the schedule "
    "falls: this works against an early critical period; the constant rate removes the second reason.",
    "_harms_beyond_lost_epochs": "as much, or nearly, is lost by not learning at all: it need not be damage.",
    "_peaks_early": "the trace is at its highest late in the training.",
    "_rises_first": "whether the trace first rises depends on how large the initial logits are: where these are "
    "large, it starts at its highest.",
}


def position(interval: Interval) -> str:
    """Where an interval lies with respect to 0, as the end of a sentence."""
    if interval.low is None or interval.high is None:
        return "is not known from one seed"
    return "lies above 0" if interval.low > 0 else "lies below 0" if interval.high < 0 else "holds 0"


def shown(difference: Interval) -> str:
    """A difference of accuracies with its interval, in thousandths."""
    if difference.low is None or difference.high is None:
        return f"{difference.mean:+.3f}"
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def readings(verdicts: Mapping[str, str]) -> list[str]:
    """A line for the claims, name -> verdict, that are not supported and read alike."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, verdict in verdicts.items():
        if verdict != "supported":
            alike[next(end for end in READINGS if name.endswith(end)), verdict].append(f"*`{name}`*")
    return [f"{', '.join(names)}: {verdict}; {READINGS[end]}" for (end, verdict), names in alike.items()]
