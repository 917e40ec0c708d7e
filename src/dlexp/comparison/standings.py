"""What a comparison at equal budget found: a table, a figure and claims, paired by seed, corrected for their number."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlexp.claims import Claim, claim_above
from dlexp.comparison.tuned import Tuned
from dlexp.stats import LEVEL, Interval, mean_interval, paired_interval

Values = Mapping[str, Sequence[float]]  # name -> one value per seed


def corrected_level(comparisons: int) -> float:
    """Bonferroni: the level of each of `comparisons` intervals that hold together at 95 %."""
    return 1 - (1 - LEVEL) / max(comparisons, 1)


def differences(values: Values, proposal: str) -> dict[str, Interval]:
    """proposal - rival for each rival, paired by seed; the intervals hold together at 95 %."""
    rivals = [name for name in values if name != proposal]
    level = corrected_level(len(rivals))
    return {name: paired_interval(values[proposal], values[name], level) for name in rivals}


def standings(results: Sequence[Tuned], columns: Mapping[str, Values], ranked_by: str) -> list[dict[str, Any]]:
    """One row per contender, best first by the mean of the column `ranked_by`: its rate, and mean with ends of each
    column's interval."""
    means = {name: mean_interval(values).mean for name, values in columns[ranked_by].items()}
    rows = []
    for each in sorted(results, key=lambda result: -means[result.name]):
        row: dict[str, Any] = {"contender": each.name, "learning rate": each.rate, "at the grid's edge": each.at_edge}
        for column, values in columns.items():
            interval = mean_interval(values[each.name])
            row |= interval.columns(column, " ")
        rows.append(row)
    return rows


def claims_against(values: Values, proposal: str, margin: float, unit: str, better: str) -> list[Claim]:
    """For each rival the claim that the proposal beats it by more than `margin`; `better` says at what."""
    return [
        claim_above(
            f"beats_{name}",
            f"{proposal} has a higher {better} than {name} by more than the margin.",
            difference,
            margin,
            unit,
        )
        for name, difference in differences(values, proposal).items()
    ]


def best_rival(results: Sequence[Tuned], proposal: str) -> str:
    """The rival with the best validation score of the tuning runs: chosen without a look at the test data."""
    rivals = [each for each in results if each.name != proposal]
    return min(rivals, key=lambda each: (-each.tuning[each.rate].accuracy, each.tuning[each.rate].nll, each.name)).name
