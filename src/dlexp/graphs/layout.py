"""Where the nodes of a drawn graph stand: topological layers from left to right, with few crossings.

Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system structures (1981): layers, a dummy
node wherever an edge passes a layer, the order within a layer by barycentres, then heights that keep the order and the
distances and otherwise stay close to the neighbours.
"""

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SWEEPS = 12  # rounds of ordering by barycentres; the order with the fewest crossings is kept
DUMMY_SHARE = 0.5  # height of a dummy node's place, as a share of a node's

Key = Hashable


@dataclass(frozen=True)
class Layout:
    """Layers and heights of the nodes, and the heights at which each edge passes the layers in between."""

    layer: dict[Key, int]
    height: dict[Key, float]  # in units of one node's place; the highest is the top of the page
    passes: dict[tuple[Key, Key], list[float]]  # one height per layer between parent and child


def lay_out(nodes: Sequence[Key], edges: Sequence[tuple[Key, Key]]) -> Layout:
    """Layers and heights; `nodes` in topological order.

    Operations stand in the layer of the longest way to them, leaves right before the first node that reads them.

    Raises:
        networkx.NetworkXUnfeasible: the edges form a cycle.
    """
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    layer: dict[Key, int] = {}
    for number, generation in enumerate(networkx.topological_generations(graph)):
        layer |= dict.fromkeys(generation, number)
    for node in nodes:
        if not graph.in_degree(node) and graph.out_degree(node):
            layer[node] = min(layer[child] for child in graph.successors(node)) - 1
    first = min(layer.values())
    layer = {node: number - first for node, number in layer.items()}

    rows: list[list[Key]] = [[node for node in nodes if layer[node] == k] for k in range(max(layer.values()) + 1)]
    links: list[tuple[Key, Key]] = []
    for parent, child in dict.fromkeys(edges):
        between = [("dummy", parent, child, k) for k in range(layer[parent] + 1, layer[child])]
        for dummy in between:
            rows[dummy[3]].append(dummy)
        chain = [parent, *between, child]
        links += list(itertools.pairwise(chain))
    rows = _ordered(rows, links)
    real = set(nodes)
    height = _heights(rows, links, {key: 1.0 if key in real else DUMMY_SHARE for row in rows for key in row})
    passes = {
        (parent, child): [height["dummy", parent, child, k] for k in range(layer[parent] + 1, layer[child])]
        for parent, child in dict.fromkeys(edges)
    }
    return Layout(layer, {node: height[node] for node in nodes}, passes)


def crossings(rows: Sequence[Sequence[Key]], links: Sequence[tuple[Key, Key]]) -> int:
    """How many pairs of links between neighbouring layers cross."""
    place = {key: position for row in rows for position, key in enumerate(row)}
    level = {key: number for number, row in enumerate(rows) for key in row}
    count = 0
    for number in range(len(rows) - 1):
        ends = np.array([(place[u], place[v]) for u, v in links if level[u] == number])
        if len(ends) > 1:
            apart = (ends[:, None, :] - ends[None, :, :]).prod(axis=2)
            count += int((apart < 0).sum()) // 2
    return count


def _ordered(rows: list[list[Key]], links: Sequence[tuple[Key, Key]]) -> list[list[Key]]:
    before, after = _neighbours(links)
    best, fewest = rows, crossings(rows, links)
    rows = [list(row) for row in rows]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = before if down else after
        for number in range(len(rows)) if down else reversed(range(len(rows))):
            place = {key: position / max(len(row) - 1, 1) for row in rows for position, key in enumerate(row)}
            centre = {
                key: float(np.mean([place[each] for each in neighbours.get(key, [])] or [place[key]]))
                for key in rows[number]
            }
            rows[number] = sorted(rows[number], key=centre.__getitem__)  # stable: ties keep their order
        now = crossings(rows, links)
        if now < fewest:
            best, fewest = [list(row) for row in rows], now
    return best


def _heights(rows: Sequence[Sequence[Key]], links: Sequence[tuple[Key, Key]], place: Mapping[Key, float]) -> Any:
    """Heights near those of the neighbours, with the order and the distances within each layer kept."""
    from scipy.optimize import isotonic_regression

    before, after = _neighbours(links)
    offset: dict[Key, float] = {}  # of each key from the first of its layer, at the closest allowed
    for row in rows:
        middle = [place[key] for key in row]
        steps = [0.0, *((a + b) / 2 for a, b in itertools.pairwise(middle))]
        offset |= dict(zip(row, np.cumsum(steps).tolist(), strict=True))
    height = {key: offset[key] - offset[row[-1]] / 2 for row in rows for key in row}
    for sweep in range(2 * SWEEPS):
        last = sweep >= 2 * SWEEPS - 2
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = []
            for key in row:
                near = [*before.get(key, []), *after.get(key, [])] if not last else before.get(key, []) or [key]
                near = near if near else [key]
                wanted.append(float(np.mean([height[each] for each in near])) - offset[key])
            fitted = isotonic_regression(wanted).x
            height |= {key: float(base) + offset[key] for key, base in zip(row, fitted, strict=True)}
    lowest = min(height.values())
    return {key: value - lowest for key, value in height.items()}


def _neighbours(links: Sequence[tuple[Key, Key]]) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
    before: dict[Key, list[Key]] = {}
    after: dict[Key, list[Key]] = {}
    for u, v in links:
        before.setdefault(v, []).append(u)
        after.setdefault(u, []).append(v)
    return before, after
