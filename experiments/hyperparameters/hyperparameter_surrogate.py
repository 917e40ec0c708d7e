r"""3.6 How to explore a space of hyper-parameters, and can the performance at untried values be predicted?

Question. The space has the axes optimizer, initialisation, learning rate, batch size and width. Which configurations
should one train when only a few can be? And seen as a feature space, does X = encoded configurations predict
Y = measured performance, for configurations, and for values of an axis, that were never trained?

Idea. (1) Grid, random, Sobol and TPE search spend the same number of trainings; what counts is the test accuracy of the
configuration that each would hand over. (2) A full grid is trained, and regressors (ridge, random forest, Gaussian
process, XGBoost) are fitted on part of it and judged on the rest: random configurations, then all configurations with
one value of an axis. The control is the mean predictor, which looks at no feature.

Expected. Methods that know what came before gain little over random search when the budget is small and half the space
is good. A surrogate that can express that the right learning rate depends on the optimizer predicts well; a linear one
does not. An unseen learning rate lies between seen ones and can be predicted; an unseen optimizer is a category without
a column, and cannot.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dlexp.claims import claim_above, claim_below
from dlexp.comparison.standings import corrected_level
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.models.initialization import Initialization
from dlexp.plots import curves, figure, legend, name_ticks, points
from dlexp.search.exploration import Measured, explore
from dlexp.search.space import Categorical, Configuration, LogUniform, Ordinal, Space
from dlexp.search.strategies import STRATEGIES
from dlexp.search.surrogates import Quality, held_out_quality, random_folds, surrogates, value_folds
from dlexp.stats import Interval, mean_interval, paired_interval, spearman
from dlexp.training.evaluate import accuracy
from dlexp.training.recipe import Recipe

# Practical margins, stated before looking.
SEARCH_GAIN = 0.01  # test accuracy that a strategy must gain over random search: one point
GOOD_R2 = 0.5  # share of the variance that a useful surrogate explains on configurations it has not seen
BETTER_R2 = 0.1  # share of the variance that modelling interactions must add to the linear surrogate
SMALL_REGRET = 0.02  # accuracy that may be lost by trusting the surrogate's first choice
PREDICTED_BY = "random forest"  # the surrogate that the claims are about, chosen before looking
LINEAR = "ridge"
CONTROL = "mean"


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    optimizers: list[str]  # names of conf/optimizer, at least two
    initializations: list[Initialization]  # how the weights start, at least two of the model's rules
    rate_low: Annotated[float, Field(gt=0)]  # smallest learning rate
    rate_high: Annotated[float, Field(gt=0)]  # largest learning rate
    rate_levels: Annotated[int, Field(ge=3, le=50)]  # learning rates of the full grid, evenly on a logarithmic scale
    batch_sizes: list[Annotated[int, Field(ge=1)]]  # samples per step, ascending, at least two
    widths: list[Annotated[int, Field(ge=1)]]  # units of each of the two hidden layers, ascending, at least two
    budget: Annotated[int, Field(ge=8, le=10_000)]  # trainings that each search strategy may spend
    round: Annotated[int, Field(ge=1)]  # trainings between two looks of a strategy that learns
    folds: Annotated[int, Field(ge=2, le=50)]  # parts of the grid for the prediction of unseen configurations
    trees: Annotated[int, Field(ge=1, le=10_000)]  # of the random forest


def space_of(lab: Lab, params: Params) -> Space:
    """The axes; InputError where they are no space."""
    if params.rate_low >= params.rate_high:
        raise InputError(f"params.rate_low={params.rate_low:g}: must be below rate_high={params.rate_high:g}")
    for name in ("batch_sizes", "widths"):
        values = getattr(params, name)
        if values != sorted(set(values)):
            raise InputError(f"params.{name}={values}: must ascend")
    for name in params.optimizers:
        lab.option("optimizer", name)
    return Space(
        {
            "optimizer": Categorical(tuple(params.optimizers)),
            "initialization": Categorical(tuple(params.initializations)),
            "lr": LogUniform(params.rate_low, params.rate_high, params.rate_levels),
            "batch_size": Ordinal(tuple(params.batch_sizes)),
            "width": Ordinal(tuple(params.widths)),
        }
    )


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, what is no space or leaves nothing to choose on."""
    space_of(lab, params)
    if lab.dataset.val is None:
        raise InputError("dataset.val_fraction=0: a search chooses on validation samples; keep some, e.g. 0.3")
    if not lab.config["model"]["_target_"].endswith(".mlp"):
        raise InputError("model: this exercise varies the widths and initialisation of model=mlp")


def run(lab: Lab, params: Params) -> None:
    """Train the full grid once per seed, search at equal budget, fit surrogates, judge."""
    space = space_of(lab, params)
    grid = space.grid()
    every = measure(lab, dict.fromkeys(lab.seeds, grid), "training the grid")
    found = explore(partial(measure, lab), space, params.budget, params.round, lab.seeds)

    method(lab, space, params, len(grid))
    landscape(lab, space, grid, every)
    exploration(lab, params, found, every)
    unseen_configurations(lab, space, params, grid, every)
    unseen_values(lab, space, params, grid, every)
    discussion(lab, params, len(grid))


def recipe_at(lab: Lab, configuration: Mapping[str, Any], seed: int) -> Recipe:
    """The composed training at a configuration; one that diverges stops alone and counts as chance."""
    model = {
        **lab.config["model"],
        "widths": [configuration["width"]] * 2,
        "initialization": configuration["initialization"],
    }
    optimizer = {**lab.option("optimizer", configuration["optimizer"]), "lr": configuration["lr"]}
    recipe = lab.recipe(seed, model=model, optimizer=optimizer)
    trainer = replace(recipe.trainer, batch_size=configuration["batch_size"], if_diverged="stop")
    return replace(recipe, trainer=trainer)


def measure(lab: Lab, wanted: Mapping[int, Sequence[Configuration]], label: str) -> dict[int, Measured]:
    """Train every configuration of each seed, all side by side."""
    names = [(seed, index) for seed, configurations in wanted.items() for index in range(len(configurations))]
    recipes = {f"{index}/{seed}": recipe_at(lab, wanted[seed][index], seed) for seed, index in names}
    trained = lab.train(recipes, label, curves=False)
    chance = 1 / lab.dataset.n_classes
    validation, test = lab.dataset.val, lab.dataset.test
    assert validation is not None

    def pair(name: str) -> tuple[float, float]:
        one = trained[name]
        return (chance, chance) if one.diverged else (accuracy(one.net, validation), accuracy(one.net, test))

    measured = {}
    for seed, configurations in wanted.items():
        values = np.array([pair(f"{index}/{seed}") for index in range(len(configurations))])
        measured[seed] = Measured(list(configurations), values[:, 0], values[:, 1])
    return measured


def method(lab: Lab, space: Space, params: Params, n_grid: int) -> None:
    """The formal statement and the method."""
    lab.answer.section(
        "Formal statement",
        r"A configuration $\lambda = (\lambda_1, \dots, \lambda_d) \in \Lambda = \Lambda_1 \times \dots \times "
        r"\Lambda_d$ (here $d = 5$: optimizer, initialisation, learning rate, batch size, width) gives, after training "
        r"with seed $s$, the validation accuracy $a_s(\lambda)$. **Exploring** is choosing $\lambda^{(1)}, \dots, "
        r"\lambda^{(B)}$ one after the other so that $\max_{b \le B} a_s(\lambda^{(b)})$ is large. As a **feature "
        r"space**: row $i$ of $X \in \mathbb{R}^{n \times p}$ is $\phi(\lambda^{(i)})$, with indicator columns for "
        r"categories, $\log_{10}$ of the learning rate and $\log_2$ of batch size and width; $Y_i = "
        r"a_s(\lambda^{(i)})$. A surrogate $\hat f$ is fitted on some rows and predicts $\hat Y = \hat "
        r"f(\phi(\lambda))$ for others. It is judged by $R^2 = 1 - \sum (Y - \hat Y)^2 / \sum (Y - \bar Y_{fit})^2$ (0 "
        r"for the mean predictor), Spearman's rank correlation, and the top-1 regret $\max_i Y_i - Y_{\arg\max_i \hat "
        r"Y_i}$.",
    )
    lab.answer.section(
        "Method",
        f"The full grid has {n_grid} configurations; each was trained once per seed ({len(lab.seeds)} seeds), all side "
        f"by side. Each strategy then spent {params.budget} trainings per seed (the coarse grid as many as fit into "
        f"that), asked {params.round} at a time; TPE sees the results of the rounds before. A strategy hands over the "
        "configuration with the best validation accuracy, and what counts is the test accuracy of that very net. A "
        "training that diverges counts as chance. The budget is in epochs, the same for all, so small batches make "
        f"more steps. Surrogates predict validation accuracy, {params.folds}-fold over the configurations of one "
        f"seed's "
        "grid, then with one value of an axis held out. Features: "
        + ", ".join(f"`{name}`" for name in space.feature_names)
        + ". "
        "Intervals are 95 % over seeds, paired where two methods are compared.",
    )


def landscape(lab: Lab, space: Space, grid: Sequence[Configuration], every: Mapping[int, Measured]) -> None:
    """The grid itself: accuracy against learning rate for each optimizer, and how repeatable it is."""
    rates, optimizers = space.axes["lr"].levels(space.axes["lr"].size), space.axes["optimizer"].levels(99)
    lab.answer.section("The space")

    def at(optimizer: str, rate: float) -> Interval:
        chosen = [i for i, each in enumerate(grid) if each["optimizer"] == optimizer and each["lr"] == rate]
        return mean_interval([every[seed].validation[chosen].mean() for seed in lab.seeds])

    series = {name: [at(name, rate) for rate in rates] for name in optimizers}
    made, axes = figure()
    curves(axes, rates, series)
    axes.set(xscale="log", xlabel="learning rate", ylabel="mean validation accuracy", ylim=(0, 1.02))
    legend(axes)
    lab.answer.figure(
        "space", made, "Validation accuracy over the grid, by optimizer and learning rate; bands are 95 % intervals"
    )
    rows = [
        {"optimizer": name, "learning rate": rate, "accuracy": each.mean, "low": each.low, "high": each.high}
        for name, of_rates in series.items()
        for rate, each in zip(rates, of_rates, strict=True)
    ]
    lab.answer.table("space", rows, "Mean validation accuracy at each optimizer and learning rate")
    lab.answer.metric("repeatability", repeatability(every))
    for name, of_rates in series.items():
        best = max(range(len(rates)), key=lambda index: of_rates[index].mean)
        lab.answer.metric(f"best_rate/{name}", rates[best])


def repeatability(every: Mapping[int, Measured]) -> float:
    """Mean rank correlation of the grid's accuracies between two seeds: no surrogate can be much better."""
    values = [each.validation for each in every.values()]
    pairs = [(a, b) for index, a in enumerate(values) for b in values[:index]]
    return float(np.mean([spearman(a, b) for a, b in pairs])) if pairs else 1.0


def exploration(
    lab: Lab, params: Params, found: Mapping[str, Mapping[int, Measured]], every: Mapping[int, Measured]
) -> None:
    """Test accuracy of what each strategy hands over, against the trainings spent."""
    answer = lab.answer

    def curve(name: str) -> list[list[float]]:
        """(trainings spent, seeds) of test accuracies; a search that has ended keeps its choice."""
        return [
            [found[name][seed].test[found[name][seed].handed_over(spent)] for seed in lab.seeds]
            for spent in range(1, params.budget + 1)
        ]

    by_name = {name: curve(name) for name in STRATEGIES}
    best = {name: each[-1] for name, each in by_name.items()}
    whole_grid = [each.test[each.handed_over(len(each.test))] for each in every.values()]
    level = corrected_level(len(STRATEGIES) - 1)
    answer.section("Exploring at equal budget")
    made, axes = figure()
    steps = range(1, params.budget + 1)
    curves(axes, steps, {name: [mean_interval(each) for each in of_steps] for name, of_steps in by_name.items()})
    grid_mean = mean_interval(whole_grid).mean
    axes.axhline(grid_mean, color="black", linestyle=":", linewidth=1, label="best of the full grid")
    axes.set(xlabel="trainings spent", ylabel="test accuracy of the best by validation", ylim=(0, 1.02))
    legend(axes, columns=5)
    answer.figure(
        "exploration", made, "What each strategy hands over after so many trainings; bands are 95 % intervals"
    )
    rows = []
    for name, values in best.items():
        interval = mean_interval(values)
        row: dict[str, Any] = {"strategy": name, "trainings": len(found[name][lab.seeds[0]].test)}
        row |= {"test accuracy": interval.mean, "low": interval.low, "high": interval.high}
        gain = paired_interval(values, best["random"], level)
        row |= {"gain over random": gain.mean, "gain low": gain.low, "gain high": gain.high}
        rows.append(row)
    answer.table("exploration", rows, "Test accuracy of the configuration handed over, and gain over random search")
    for name in STRATEGIES:
        if name != "random":
            statement = f"{name} search hands over a better configuration than random search at equal budget."
            gain = paired_interval(best[name], best["random"], level)
            answer.claim(claim_above(f"{name}_beats_random_search", statement, gain, SEARCH_GAIN, "accuracy"))
    answer.metric("best_of_full_grid", grid_mean)
    answer.objective = mean_interval(best["tpe"]).mean


def unseen_configurations(
    lab: Lab, space: Space, params: Params, grid: Sequence[Configuration], every: Mapping[int, Measured]
) -> None:
    """Held-out configurations: every surrogate against the mean predictor."""
    x, answer = space.encode(grid), lab.answer
    by_name: dict[str, list[Quality]] = {}
    for seed in lab.seeds:
        folds = random_folds(len(grid), params.folds, seed)
        for name, make in surrogates(seed, params.trees).items():
            by_name.setdefault(name, []).append(held_out_quality(make, x, every[seed].validation, folds))
    answer.section("Predicting configurations that were not tried")
    rows = [{"surrogate": name, **quality_columns(qualities)} for name, qualities in by_name.items()]
    answer.table("unseen_configurations", rows, "Held-out quality of each surrogate on configurations it has not seen")
    made, axes = figure()
    names = list(by_name)
    series = {
        "R2": [mean_interval([each.r2 for each in by_name[name]]) for name in names],
        "Spearman": [mean_interval([each.rank_correlation for each in by_name[name]]) for name in names],
    }
    points(axes, range(len(names)), series)
    name_ticks(axes, names)
    axes.set(ylabel="held-out quality", ylim=(None, 1.02))
    legend(axes)
    answer.figure("unseen_configurations", made, "Quality on unseen configurations, with 95 % intervals over seeds")

    r2 = {name: [each.r2 for each in qualities] for name, qualities in by_name.items()}
    statement = f"The {PREDICTED_BY} explains at least half of the variance on configurations that it has not seen."
    answer.claim(
        claim_above("unseen_configurations_are_predictable", statement, mean_interval(r2[PREDICTED_BY]), GOOD_R2, "R2")
    )
    statement = f"Modelling interactions matters: the {PREDICTED_BY} explains more than the linear surrogate."
    gap = paired_interval(r2[PREDICTED_BY], r2[LINEAR])
    answer.claim(claim_above("interactions_matter", statement, gap, BETTER_R2, "R2"))
    statement = f"Training only what the {PREDICTED_BY} predicts to be best loses little against the best of the grid."
    regret = mean_interval([each.regret for each in by_name[PREDICTED_BY]])
    answer.claim(claim_below("the_predicted_best_is_good", statement, regret, SMALL_REGRET, "accuracy"))


def quality_columns(qualities: Sequence[Quality]) -> dict[str, float | None]:
    """Means and 95 % intervals over the seeds."""
    columns: dict[str, float | None] = {}
    for name, part in (("R2", "r2"), ("Spearman", "rank_correlation"), ("top-1 regret", "regret")):
        interval = mean_interval([getattr(each, part) for each in qualities])
        columns |= interval.columns(name, " ")
    return columns


def unseen_values(
    lab: Lab, space: Space, params: Params, grid: Sequence[Configuration], every: Mapping[int, Measured]
) -> None:
    """All configurations with one value of an axis held out: can that value be predicted from the others?"""
    x, answer = space.encode(grid), lab.answer
    between: dict[str, list[float]] = {}  # surrogate -> mean over the rates with neighbours on both sides, per seed
    r2: dict[tuple[str, str], list[float]] = {}  # (axis, surrogate) -> mean over the axis's values, per seed
    rows = []
    for axis in space.axes:
        for name in surrogates(0):
            per_value: dict[Any, list[Quality]] = {}
            for seed in lab.seeds:
                for value, fold in value_folds(space, grid, axis):
                    found = held_out_quality(surrogates(seed, params.trees)[name], x, every[seed].validation, [fold])
                    per_value.setdefault(value, []).append(found)
            r2[axis, name] = mean_r2(per_value.values())
            if axis == "lr":  # the ends lie outside of what was fitted on
                between[name] = mean_r2(
                    each for rate, each in per_value.items() if min(per_value) < rate < max(per_value)
                )
            for value, qualities in per_value.items():
                row = {"axis": axis, "held-out value": f"{value:.3g}" if isinstance(value, float) else str(value)}
                rows.append({**row, "surrogate": name, **quality_columns(qualities)})
    answer.section("Predicting values that were not tried")
    answer.table(
        "unseen_values", rows, "Quality on all configurations with a value of an axis that was never fitted on"
    )
    made, axes = figure(width=8.5)
    names = [name for name in surrogates(0) if name != CONTROL]
    series = {name: [mean_interval(r2[axis, name]) for axis in space.axes] for name in names}
    points(axes, range(len(space.axes)), series)
    axes.axhline(0, color="black", linestyle=":", linewidth=1, label="mean predictor")
    name_ticks(axes, list(space.axes))
    axes.set(ylabel="R2 on the held-out value, mean over values", ylim=(-1.5, 1.05))
    legend(axes, columns=3)
    answer.figure(
        "unseen_values", made, "Quality on values that were never fitted on (clipped at -1.5), with 95 % intervals"
    )
    statement = f"The {PREDICTED_BY} predicts learning rates between those that it has seen."
    interval = mean_interval(between[PREDICTED_BY])
    answer.claim(claim_above("unseen_learning_rates_are_predictable", statement, interval, GOOD_R2, "R2"))
    for name, values in between.items():
        answer.metric(f"R2_between_learning_rates/{name}", mean_interval(values).mean)
    statement = f"The {PREDICTED_BY} predicts optimizers that it has not seen."
    interval = mean_interval(r2["optimizer", PREDICTED_BY])
    answer.claim(claim_above("unseen_optimizers_are_predictable", statement, interval, GOOD_R2, "R2"))


def mean_r2(per_value: Iterable[Sequence[Quality]]) -> list[float]:
    """Per seed, the mean over the values."""
    return [fmean(each.r2 for each in of_seed) for of_seed in zip(*per_value, strict=True)]


def discussion(lab: Lab, params: Params, n_grid: int) -> None:
    """What the numbers say."""
    answer = lab.answer
    claims = {claim.name: claim for claim in answer.claims}
    beaten = [
        name for name in STRATEGIES if name != "random" and claims[f"{name}_beats_random_search"].verdict == "supported"
    ]
    best_rates = {name: value for name, value in answer.metrics.items() if name.startswith("best_rate/")}
    rates = ", ".join(f"{value:.2g} with {name.partition('/')[2]}" for name, value in best_rates.items())
    lines = [
        f"**Exploring.** {params.budget} trainings stand against {n_grid} of the full grid, whose best by validation "
        f"has a test accuracy of {answer.metrics['best_of_full_grid']:.3f}. "
        + (
            f"Better than random search by more than {SEARCH_GAIN:g}: {', '.join(beaten)}."
            if beaten
            else f"No strategy is better than random search by more than {SEARCH_GAIN:g} beyond doubt: where a good "
            f"share of "
            "the space is good, random points find it soon, and the choice among the best is a choice among noise."
        ),
        f"**Predicting.** Two seeds rank the same grid with a correlation of {answer.metrics['repeatability']:.2f}: "
        f"the rest is "
        "noise of training and of a small validation set, which no surrogate can predict.",
    ]
    if claims["unseen_configurations_are_predictable"].verdict == "supported":
        lines.append(
            "So yes: with X the encoded configurations and Y the measured accuracies, the performance of "
            "configurations that were never trained can be predicted, as long as they lie among trained ones."
        )
    else:
        lines.append(
            "At this margin the prediction of untried configurations is not established: too few configurations, or "
            "too much noise in Y (see the repeatability)."
        )
    if claims["interactions_matter"].verdict == "supported":
        lines.append(
            "The linear surrogate falls behind because the effect of one axis depends on another: the best learning "
            f"rate of the grid is {rates}. A model of X must be able to express such products."
        )
    between = {name.partition("/")[2]: value for name, value in answer.metrics.items() if name.startswith("R2_between")}
    best = max(between, key=lambda name: between[name])
    lines.append(
        f"**Between learning rates** the best surrogate is {best} (R2 {between[best]:.2f}; the {PREDICTED_BY} reaches "
        f"{between[PREDICTED_BY]:.2f}). Trees are constant between the rates that they were fitted on and put an "
        f"unseen one "
        "on one side of a split; a Gaussian process interpolates. The surrogate of the claims was chosen before "
        "looking."
    )
    if claims["unseen_optimizers_are_predictable"].verdict != "supported":
        lines.append(
            "An unseen *value* is harder than an unseen combination. A learning rate lies on an axis, between others; "
            "an optimizer is a category whose indicator column was 0 in every fitted row, so nothing in X says what is "
            "special about it. Describing optimizers by properties (adaptive or not, momentum) instead of names would "
            "give such a column a meaning."
        )
    lines.append(
        "The intervals cover the training seeds on one data set and one split; the margins were fixed beforehand, and "
        "the three comparisons with random search are corrected for their number, the other claims are not."
    )
    answer.section("Discussion", "\n\n".join(lines))
