"""The chain rule written out: d target / d source is the sum over all paths of the product of the local derivatives.

Two levels of one graph: between elementary operations, and between statements (what the user names), where an edge
c -> e carries d e / d c of the whole right-hand side. The number of paths may grow exponentially with the graph, so
they are counted first. (Bauer, Computational graphs and rounding error, SIAM Journal on Numerical Analysis 11, 1974.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlexp.errors import InputError
from dlexp.graphs.graph import Edge, Graph
from dlexp.graphs.operations import Value

MAX_PATHS = 100_000


@dataclass(frozen=True)
class Link:
    """One edge with its local derivative as a matrix (size of the child, size of the parent), 1 x 1 for scalars."""

    parent: int
    child: int
    jacobian: Value


Route = tuple[Link, ...]  # from source to target


@dataclass(frozen=True)
class PathSum:
    """All paths, the product along each and their sum, as matrices (size of the target, size of the source)."""

    routes: list[Route]
    products: list[Value]
    total: Value
    multiplications: int  # the last local derivative is multiplied with the seed 1, as in a sweep: one per edge


def elementary_links(values: Sequence[Value], local: Mapping[Edge, Value]) -> list[Link]:
    """One link per local derivative: two where an operation reads a node twice."""
    return [Link(u, v, _matrix(each, values[v], values[u])) for (u, v, _), each in local.items()]


def statement_links(graph: Graph, values: Sequence[Value], local: Mapping[Edge, Value]) -> list[Link]:
    """One link from each named node to each named node that reads it directly or through unnamed operations."""
    found: list[Link] = []
    by_child: dict[int, list[Link]] = {}
    for link in elementary_links(values, local):
        by_child.setdefault(link.child, []).append(link)
    for index, node in enumerate(graph.nodes):
        if not node.named:
            continue
        within, sums = {index: np.eye(values[index].size)}, dict[int, Value]()
        for position in range(index, -1, -1):
            for link in by_child.get(position, []) if position in within else []:
                kept = sums if graph.nodes[link.parent].named else within
                kept[link.parent] = kept.get(link.parent, 0.0) + within[position] @ link.jacobian
        found += [Link(parent, index, sums[parent]) for parent in sorted(sums)]
    return found


def count_paths(links: Sequence[Link], source: int, target: int) -> int:
    """How many paths lead from source to target, without making them; 1 from a node to itself."""
    count = {source: 1}
    for link in sorted(links, key=lambda each: each.child):
        count[link.child] = count.get(link.child, 0) + (count.get(link.parent, 0) if link.child > source else 0)
    return count.get(target, 0)


def find_paths(links: Sequence[Link], source: int, target: int, where: str = "graph") -> list[Route]:
    """All paths from source to target, in the order of the nodes on them.

    Raises:
        InputError: there are more than MAX_PATHS of them.
    """
    count = count_paths(links, source, target)
    if count > MAX_PATHS:
        raise InputError(f"{where}: {count} paths are too many to list; the limit is {MAX_PATHS}")
    leaving: dict[int, list[Link]] = {}
    for link in sorted(links, key=lambda each: (each.parent, each.child)):
        leaving.setdefault(link.parent, []).append(link)
    reaches = {target}
    for link in sorted(links, key=lambda each: -each.child):
        reaches |= {link.parent} if link.child in reaches else set()
    found: list[Route] = []
    open_routes: list[Route] = [()]
    while open_routes:
        route = open_routes.pop()
        end = route[-1].child if route else source
        if end == target:
            found.append(route)
        else:
            open_routes += [(*route, link) for link in reversed(leaving.get(end, [])) if link.child in reaches]
    return found


def sum_over_paths(
    links: Sequence[Link], source: int, target: int, sizes: tuple[int, int], where: str = "graph"
) -> PathSum:
    """The sum over paths; `sizes` are the numbers of entries of the target and of the source."""
    routes = find_paths(links, source, target, where)
    products, total, count = [], np.zeros(sizes), 0
    for route in routes:
        product = np.eye(sizes[0])
        for link in reversed(route):
            product = product @ link.jacobian
            count += 1
        products.append(product)
        total = total + product
    return PathSum(routes, products, total, count)


def _matrix(local: Value, child: Value, parent: Value) -> Value:
    """A local derivative as a Jacobian: diagonal where vectors go element by element, else one row or one column."""
    entries = np.broadcast_to(local, np.broadcast_shapes(local.shape, child.shape, parent.shape))
    return np.diag(entries) if child.ndim and parent.ndim else entries.reshape(child.size, parent.size)
