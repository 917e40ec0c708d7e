"""Exercise 1.4 through the real command line, and its claims against what the tables say."""

import pytest

from dlexp.tabular.projections import PROJECTIONS

REFUSED = ["exercise=feature_space_projection", "scale=smoke"]
LABELS = ["PCA", "LDA", "kernel PCA", "Isomap", "MDS", "t-SNE", "random projection"]


def test_every_map_is_measured_and_ranked(smoke) -> None:
    measures = {row["map"]: row for row in smoke.table("measures")}
    places = {row["map"]: row for row in smoke.table("ranking")}
    assert list(measures) == list(places) == LABELS
    for name in ("trustworthiness", "continuity", "neighbours kept"):
        for row in measures.values():
            assert row[f"{name}, low"] <= row[name] <= row[f"{name}, high"]
            assert 0 <= row[name] <= 1
    for name in ("trustworthiness", "continuity", "neighbours kept", "explained variance", "order of distances"):
        by_value = sorted(LABELS, key=lambda label: -measures[label][name])
        assert places[by_value[0]][name] == 1
        assert places[by_value[-1]][name] == len(LABELS)
    assert places["PCA"]["explained variance"] == 1
    assert places[min(LABELS, key=lambda label: measures[label]["seconds"])]["seconds"] == 1


def test_claims_agree_with_the_tables(smoke) -> None:
    measures = {row["map"]: row for row in smoke.table("measures")}
    kept = {label: row["neighbours kept"] for label, row in measures.items()}
    for name, label in zip(PROJECTIONS, LABELS[:-1], strict=False):
        gain = kept[label] - kept["random projection"]
        assert smoke.claim(f"{name}_beats_random")["effect"] == pytest.approx(gain)
    lead = smoke.claim("tsne_keeps_neighbours_best")["effect"]
    assert lead in [pytest.approx(kept["t-SNE"] - kept[label]) for label in LABELS if label != "t-SNE"]
    distances = {label: row["order of distances"] for label, row in measures.items()}
    better = distances["MDS"] - distances["t-SNE"]
    assert smoke.claim("mds_keeps_distances_better")["effect"] == pytest.approx(better)
    assert smoke.claim("no_map_explains_more_than_pca")["effect"] < 0
    assert smoke.claim("affine_maps_commute_with_means")["effect"] < 1e-12
    assert smoke.claim("other_maps_move_means")["effect"] > 0


def test_large_m_is_shown_with_and_without_classes(smoke) -> None:
    hidden = smoke.table("hidden_classes")
    assert [row["m"] for row in hidden] == [5, 100]
    assert set(hidden[0]) == {"m", "no map: all columns", *LABELS}
    clearer = hidden[-1]["PCA"] - hidden[-1]["random projection"]
    assert smoke.claim("pca_finds_hidden_classes")["effect"] == pytest.approx(clearer)
    invented = {row["m"]: row for row in smoke.table("invented_classes")}
    assert list(invented) == [5, 20, 100]  # 20: as many columns as samples that LDA is fitted on
    for m, name in ((20, "lda_shows_invented_classes"), (100, "lda_shows_them_with_most_columns")):
        gap = invented[m]["LDA, seen samples"] - invented[m]["LDA, new samples"]
        assert smoke.claim(name)["effect"] == pytest.approx(gap)
    assert invented[100]["contrast of distances"] < invented[5]["contrast of distances"]


def test_every_view_is_drawn_and_says_what_its_means_are(smoke) -> None:
    names = ["scatter_matrix", "parallel_coordinates", "views", "ranking", "kept_by_size", "hidden_views"]
    assert {f"figures/{name}.png" for name in names} <= set(smoke.answer["figures"])
    assert "image of the mean or the mean of the images" in smoke.text
    assert [row["column"] for row in smoke.table("columns")] == ["x34", "x27"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset=moons"], "dataset: has 2 columns, which a plane shows as they are; use exercise=feature_space_2d"),
        (["seeds=1"], "seeds=1: one repetition has no interval; use seeds of 2 or more"),
        (["params.neighbours=40"], "params.neighbours=40: at most 19, less than half of 40 samples"),
        (["params.widths=[50,5]"], "params.widths=[50, 5]: must increase from one to the next"),
        (
            ["dataset=blobs", "dataset.n_features=5", "dataset.n_classes=200", "dataset.n_samples=2000"],
            "params.samples=80: cannot hold one of each of 200 classes",
        ),
        (["params.samples=5"], "params.samples=5: input should be greater than or equal to 20"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(dlexp_here, words: list[str], message: str) -> None:
    assert dlexp_here([*REFUSED, *words]) == (2, f"error: {message}\n")
