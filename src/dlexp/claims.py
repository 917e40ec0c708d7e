"""Claims with verdicts: a measured effect, its interval, the rule that decides, and what it decides."""

from dataclasses import dataclass
from typing import Literal

from dlexp.stats import LEVEL, Interval

Verdict = Literal["supported", "refuted", "inconclusive"]


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
    verdict = _decide(effect.low, effect.high, margin)
    return _claim(name, statement, effect, unit, f"above {margin:g}", verdict)


def claim_below(name: str, statement: str, effect: Interval, margin: float, unit: str) -> Claim:
    """The claim that `effect` stays under `margin`, the smallest size that would matter in practice."""
    low, high = (None if end is None else -end for end in (effect.high, effect.low))
    verdict = _decide(low, high, -margin)
    return _claim(name, statement, effect, unit, f"below {margin:g}", verdict)


def claim_within(name: str, statement: str, effect: Interval, margin: float, unit: str) -> Claim:
    """The claim that `effect` is immaterial: smaller than `margin` (> 0) in either direction (an equivalence test)."""
    above = _decide(effect.low, effect.high, -margin)
    low, high = (None if end is None else -end for end in (effect.high, effect.low))
    below = _decide(low, high, -margin)
    outside = "refuted" in (above, below)
    verdict: Verdict = "refuted" if outside else "supported" if above == below == "supported" else "inconclusive"
    return _claim(name, statement, effect, unit, f"within {-margin:g} to {margin:g}", verdict)


def _decide(low: float | None, high: float | None, margin: float) -> Verdict:
    if low is not None and low > margin:
        return "supported"
    if high is not None and high < margin:
        return "refuted"
    return "inconclusive"


def _claim(name: str, statement: str, effect: Interval, unit: str, side: str, verdict: Verdict) -> Claim:
    rule = (
        f"supported if the whole {LEVEL:.0%} interval lies {side} {unit}, "
        f"refuted if the whole of it lies {'outside' if side.startswith('within') else 'on the other side'}, "
        "else inconclusive"
    )
    return Claim(name, statement, effect.mean, effect.low, effect.high, unit, rule, verdict)
