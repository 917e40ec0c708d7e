"""Claims with verdicts: a measured effect, its interval, the rule that decides, and what it decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dlexp.stats import LEVEL, Interval, Side

Verdict = Literal["supported", "refuted", "inconclusive"]
UNDECIDED = "the interval holds values on both sides of the margin; more seeds (`seeds=...`) or test samples narrow it."


@dataclass(frozen=True)
class Claim:
    """One tested statement; `verdict` is computed by `claim_above`, `claim_below` or `claim_within`, never by hand."""

    name: str
    statement: str
    effect: float
    low: float | None
    high: float | None
    unit: str
    rule: str
    verdict: Verdict


def claim_above(name: str, statement: str, effect: Interval, margin: float, unit: str) -> Claim:
    """The claim that `effect` exceeds `margin`, the smallest size that would matter in practice."""
    verdict = _decide(effect.side_of(margin), "above")
    return _claim(name, statement, effect, unit, f"above {margin:g}", verdict)


def claim_below(name: str, statement: str, effect: Interval, margin: float, unit: str) -> Claim:
    """The claim that `effect` stays under `margin`, the smallest size that would matter in practice."""
    verdict = _decide(effect.side_of(margin), "below")
    return _claim(name, statement, effect, unit, f"below {margin:g}", verdict)


def claim_within(name: str, statement: str, effect: Interval, margin: float, unit: str) -> Claim:
    """The claim that `effect` is immaterial: smaller than `margin` (> 0) in either direction (an equivalence test)."""
    above, below = _decide(effect.side_of(-margin), "above"), _decide(effect.side_of(margin), "below")
    outside = "refuted" in (above, below)
    verdict: Verdict = "refuted" if outside else "supported" if above == below == "supported" else "inconclusive"
    return _claim(name, statement, effect, unit, f"within {-margin:g} to {margin:g}", verdict)


def readings(claims: Sequence[Claim], refuted: Mapping[str, str]) -> list[str]:
    """A line of Markdown for each of `claims` that is not supported: its verdict, and what may explain it.

    `refuted` holds the explanation of a refuted claim by name; an inconclusive one is explained by its interval.
    """
    return [
        f"*`{claim.name}`* is {claim.verdict}: {refuted[claim.name] if claim.verdict == 'refuted' else UNDECIDED}"
        for claim in claims
        if claim.verdict != "supported"
    ]


def _decide(side: Side, wanted: Literal["above", "below"]) -> Verdict:
    return "inconclusive" if side == "undecided" else "supported" if side == wanted else "refuted"


def _claim(name: str, statement: str, effect: Interval, unit: str, side: str, verdict: Verdict) -> Claim:
    rule = (
        f"supported if the whole {LEVEL:.0%} interval lies {side} {unit}, "
        f"refuted if the whole of it lies {'outside' if side.startswith('within') else 'on the other side'}, "
        "else inconclusive"
    )
    return Claim(name, statement, effect.mean, effect.low, effect.high, unit, rule, verdict)
