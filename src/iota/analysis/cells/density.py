"""Clustering algorithms: density peaks, and linkage below a distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]  # cluster of each point, from 0; -1 for strays

_MAX_POINTS = 10_000  # whose density is looked at; more say nothing new about large clusters
_SEED = 1057  # which points are taken, when there are more, is the same each time
_MAX_NEIGHBOURS = 20
_PAIRS = 100  # fewer points are compared each with each
_FEW = 30  # fewer points have no density worth the name
_PROMINENCE = 4.5  # a peak is one when it stands out of the saddle by so many standard deviations of the density
_FLOOR = 1e-5  # of distances, for points that coincide
_MIN_SPREAD = 1e-3  # of a cluster in any direction, when its strays are looked for
_STRAY_P = 1e-6  # a member that is farther from the middle than this is probable is none
_MIN_NEIGHBOURS = 4  # within reach, for a point that is no stray
_NEAR = 0.4  # of reach: within this, members of tight clusters have neighbours, and few points are linked
_NEIGHBOUR_SPREAD = 3.0  # the same in wide clusters, in medians of these distances
_DIMENSION = 6.0  # of the space of cells
_MIN_DIMENSION = 2.0  # of what surrounds a cluster, where too little is there to tell
_SURROUNDINGS = ((2, 3), (4, 1))  # radius, in those of the cluster, and the number of its points that are no evidence
_SIGNIFICANT = 1e-3  # crowds expected by chance in all of the points; a cluster is less probable
_OUTSIDE_CORE = 0.05  # fraction of a cluster outside of its core
_FEW_UNCLUSTERED = 0.5  # fraction of points without a cluster, below which a sample of them can find smaller ones
_CORE = 0.7  # share of a cluster, the densest part, from which its spread is estimated first


@dataclass(frozen=True)
class _Shape:
    """Middle and spread of a cluster."""

    middle: Floats  # `[d]`
    to_unit: Floats  # by which differences become those of a cluster with the spread 1 in all directions, `[d, d]`
    limit: float  # of squared distances in this measure; beyond are strays
    core: float  # squared distance within which nearly all members are

    def squared(self, points: Floats) -> Floats:
        """Squared distances of points `[n, d]` from the middle, in units of the spread."""
        away = (points - self.middle) @ self.to_unit
        distances: Floats = np.einsum("ni,ni->n", away, away)
        return distances

    def holds(self, points: Floats) -> npt.NDArray[np.bool_]:
        """Whether points `[n, d]` are not outliers."""
        inside: npt.NDArray[np.bool_] = self.squared(points) < self.limit
        return inside


def density_clusters(points: Floats, reach: float) -> Labels:
    """Cluster points by the peaks of their density.

    The density at a point follows from the distance of its k-th neighbour.  Each point belongs to the peak that is
    reached by going to the densest neighbour again and again; peaks that do not stand out significantly of the saddle
    to a higher one are joined with it (Chazal et al., J. ACM (2013) 60, 41).  So clusters that touch are resolved
    where single linkage would merge them.  Members far outside of the spread of their cluster are strays.  A peak is a
    cluster only if it has more points than the density around it can produce by chance, allowing for the number of
    places; so points without any structure form no cluster.

    Of many points a sample is clustered; the others join the cluster of their neighbour in the sample.  If fewer than
    half fit no cluster, these are clustered separately, so that no small cluster is lost.

    Args:
        points: `[n, d]`.
        reach: points farther than this from their nearest neighbours are strays, clusters are not joined across, and
            whatever has a larger spread is none.

    Returns:
        Cluster of each point, `[n]`, the largest first; -1 for strays.
    """
    n = len(points)
    if n < _FEW:
        return linked(points, _NEAR * reach)
    if n <= _MAX_POINTS:
        return _by_size(_peaks(points, reach)[0])
    from scipy.spatial import cKDTree

    sample = np.zeros(n, dtype=bool)
    sample[np.random.default_rng(_SEED).choice(n, _MAX_POINTS, replace=False)] = True
    labels = np.full(n, -1, dtype=np.intp)
    labels[sample], shapes = _peaks(points[sample], reach)
    clustered = labels >= 0
    if clustered.any():
        others = np.flatnonzero(~clustered)
        tree = cKDTree(points[clustered])
        distances, nearest = tree.query(points[others], k=1, eps=0.3, distance_upper_bound=reach)
        others, nearest = others[np.isfinite(distances)], nearest[np.isfinite(distances)]
        wanted = labels[clustered][nearest]
        for label, shape in shapes.items():
            joining = others[wanted == label]
            labels[joining[shape.holds(points[joining])]] = label
    left = np.flatnonzero(labels < 0)
    if 0 < len(left) < n * _FEW_UNCLUSTERED:
        small = density_clusters(points[left], reach)
        labels[left] = np.where(small >= 0, small + labels.max() + 1, -1)
    return _by_size(labels)


def _peaks(points: Floats, reach: float) -> tuple[Labels, dict[int, _Shape]]:
    """Clusters of points that are not too many, and their shapes."""
    from scipy.spatial import cKDTree

    n = len(points)
    k = int(np.clip(round(np.sqrt(n)), 5, _MAX_NEIGHBOURS))
    # neighbours beyond reach are not looked for: in sparse noise that is nearly all of the work
    distances, neighbours = cKDTree(points).query(points, k=k + 1, distance_upper_bound=reach)
    distances, neighbours = distances[:, 1:], neighbours[:, 1:]
    crowded = np.isfinite(distances[:, _MIN_NEIGHBOURS - 1])
    labels = np.full(n, -1, dtype=np.intp)
    if not crowded.any():
        return labels, {}
    place = np.cumsum(crowded) - 1  # of a point among those that are crowded
    place = np.append(np.where(crowded, place, -1), -1)
    near, joined = distances[crowded], place[neighbours[crowded]]
    log_density = _log_density(near)
    labels[crowded] = _basins(np.maximum(joined, 0), joined >= 0, log_density, _PROMINENCE / np.sqrt(k))
    density = np.full(n, -np.inf)
    density[crowded] = log_density
    return _distinct(points, labels, density, distances[:, _MIN_NEIGHBOURS - 1], reach)


def _log_density(near: Floats) -> Floats:
    """Logarithm of the density from the distances of neighbours, infinite where there is none so near, `[n, k]`."""
    n, k = near.shape
    full = np.isfinite(near[:, -1])
    found = np.count_nonzero(np.isfinite(near), axis=1)
    farthest = np.maximum(near[np.arange(n), found - 1], _FLOOR)
    dimension = _dimension(np.maximum(near[full], _FLOOR)) if full.any() else _DIMENSION
    log_density: Floats = np.log(found / k) - dimension * np.log(farthest)
    log_density -= 1e-9 * np.arange(n)  # no two are equal
    return log_density


def _distinct(
    points: Floats, labels: Labels, log_density: Floats, fourth: Floats, reach: float
) -> tuple[Labels, dict[int, _Shape]]:
    """The clusters that are narrow enough and significant against their surroundings, without outliers."""
    found = np.full_like(labels, -1)
    free = np.ones(len(points), dtype=bool)  # of clusters that were found
    shapes = {}
    names, counts = np.unique(labels[labels >= 0], return_counts=True)
    for label in names[np.argsort(-counts, kind="stable")].tolist():
        members = np.flatnonzero(labels == label)
        shape = _shape(points[members], log_density[members])
        if shape is None:
            continue
        near = max(_NEAR * reach, _NEIGHBOUR_SPREAD * float(np.median(fourth[members])))
        members = members[shape.holds(points[members]) & (fourth[members] <= near)]
        if len(members) < 2 or np.sqrt(points[members].var(axis=0).sum()) > reach:
            continue
        if _chance(points[free], shape) < _SIGNIFICANT:
            found[members] = label
            free[members] = False
            shapes[label] = shape
    return found, shapes


def _chance(points: Floats, shape: _Shape) -> float:
    """Expected number of clusters of this kind in a density without a peak.

    Where the density has no peak, the number of points within a radius grows as a power of it.  The power follows from
    the surroundings; a point within a larger radius is then one within the radius of the cluster with a known
    probability, and the numbers of both are compared.  Two surroundings are compared: the nearer is better
    if other clusters are close, the wider one for few members.  The points that defined the cluster and
    its spread are not evidence.  The number of places is that of points that belong to no larger cluster.
    """
    from scipy.special import bdtrc

    squared = shape.squared(points)
    tails = []
    for factor, spent in _SURROUNDINGS:
        inside, near, far = (int(np.count_nonzero(squared <= shape.core * factor ** (2 * k))) for k in range(3))
        growth = (far - near + factor**_MIN_DIMENSION) / (near - inside + 1)
        probability = float(np.clip(1 / growth, factor**-_DIMENSION, 1 / factor))
        seen = inside - spent
        tails.append(float(bdtrc(seen - 1, near - spent, probability)) if seen > 0 else 1.0)
    return len(points) * len(tails) * min(tails)


def _dimension(near: Floats) -> float:
    """Number of dimensions in which points spread (Levina & Bickel, Adv. Neural Inf. Process. Syst. (2004) 17, 777)."""
    inverse = np.mean(np.log(near[:, -1:] / near[:, :-1]), axis=1)
    typical = float(np.median(inverse))
    return float(np.clip(1.0 / typical, 1.0, 6.0)) if typical > 0 else 1.0


def _basins(
    neighbours: npt.NDArray[np.intp], linked_: npt.NDArray[np.bool_], log_density: Floats, prominence: float
) -> Labels:
    """Peak of each point, after peaks that are not prominent were merged with higher ones."""
    n, k = neighbours.shape
    own = np.arange(n)
    heights = np.where(linked_, log_density[neighbours], -np.inf)
    best = np.argmax(heights, axis=1)
    parent = np.where(heights[own, best] > log_density, neighbours[own, best], own)
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    peaks, basin = np.unique(parent, return_inverse=True)
    one, other = np.repeat(basin, k)[linked_.ravel()], basin[neighbours[linked_]]
    saddle = np.minimum(np.repeat(log_density, k)[linked_.ravel()], log_density[neighbours[linked_]])
    between = one != other
    low, high = np.minimum(one, other)[between], np.maximum(one, other)[between]
    order = np.argsort(-saddle[between], kind="stable")
    pair = low[order] * len(peaks) + high[order]
    _, first = np.unique(pair, return_index=True)  # the highest saddle between each pair
    root = list(range(len(peaks)))
    height = log_density[peaks]
    for k_ in np.sort(first).tolist():
        a, b = _root(root, int(low[order[k_]])), _root(root, int(high[order[k_]]))
        if a != b:
            if height[a] < height[b]:
                a, b = b, a
            if height[b] - saddle[between][order[k_]] < prominence:
                root[b] = a
    return np.array([_root(root, k_) for k_ in range(len(peaks))], dtype=np.intp)[basin]


def _root(root: list[int], k: int) -> int:
    while root[k] != k:
        root[k] = root[root[k]]
        k = root[k]
    return k


def _shape(members: Floats, log_density: Floats) -> _Shape | None:
    """Centre and spread of a cluster without its outliers; None if it has too few members.

    The spread of few members is nearly that of a ball, since they do not say how it differs in seven directions.
    """
    from scipy.special import chdtri  # scipy.stats, which has the same, takes 0.25 s to import

    n, d = members.shape
    if n < _MIN_NEIGHBOURS:
        return None
    kept = np.argsort(-log_density)[: max(min(n, 2 * d), int(_CORE * n))]
    limit, core = float(chdtri(d, _STRAY_P)), float(chdtri(d, _OUTSIDE_CORE))
    for _ in range(4):
        covariance = np.cov(members[kept].T, bias=True)
        ball = np.eye(d) * np.trace(covariance) / (d - 1)  # seven coordinates, of which six are free
        weight = max(0.0, 1.0 - len(kept) / (2 * d))
        covariance = (1 - weight) * covariance + weight * ball + np.eye(d) * _MIN_SPREAD**2
        to_unit = np.linalg.inv(np.linalg.cholesky(covariance)).T
        shape = _Shape(members[kept].mean(axis=0), to_unit, limit, core)
        kept = np.flatnonzero(shape.holds(members))
        if len(kept) < _MIN_NEIGHBOURS:
            return None
    return shape


def linked(points: Floats, threshold: float) -> Labels:
    """Cluster points by single linkage: a point closer than the threshold to a member is a member.

    Returns:
        Cluster of each point, `[n]`, the largest first.
    """
    n = len(points)
    if n < 2:
        return np.zeros(n, dtype=np.intp)
    if n < _PAIRS:
        return _by_size(_linked_pairs(points, threshold))
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    k = min(n, _MAX_NEIGHBOURS)
    distances, neighbours = cKDTree(points).query(points, k=k)
    near = distances <= threshold
    links = coo_matrix((np.ones(near.sum()), (np.nonzero(near)[0], neighbours[near])), shape=(n, n))
    n_groups, labels = connected_components(links, directed=False)
    # a link can be missing only between points all of whose k neighbours are near: dense groups, and few of them
    if k < n and n_groups > 1:
        labels = _join_dense(points, labels, near[:, -1], threshold)
    return _by_size(labels.astype(np.intp))


def _linked_pairs(points: Floats, threshold: float) -> Labels:
    """Single linkage from all pairs of points, without scipy, which takes longer to import than this takes."""
    near = np.linalg.norm(points[:, None] - points, axis=2) <= threshold
    first = np.argmax(near, axis=1)  # of the points known to be linked to each
    while True:
        earlier = np.where(near, first, len(points)).min(axis=1)
        earlier = earlier[earlier]
        if np.array_equal(earlier, first):
            labels: Labels = np.unique(first, return_inverse=True)[1]
            return labels
        first = earlier


def _join_dense(points: Floats, labels: Labels, dense: npt.NDArray[np.bool_], threshold: float) -> Labels:
    from scipy.spatial import cKDTree

    groups = np.unique(labels[dense])
    members = {int(group): points[dense & (labels == group)] for group in groups}
    trees: dict[int, Any] = {group: cKDTree(where) for group, where in members.items()}
    root = list(range(int(labels.max()) + 1))
    for a in trees:
        for b in trees:
            if a < b and _root(root, a) != _root(root, b):
                nearest, _ = trees[a].query(members[b], k=1, distance_upper_bound=threshold)
                if np.isfinite(nearest).any():
                    root[_root(root, a)] = _root(root, b)
    return np.array([_root(root, k) for k in range(len(root))], dtype=np.intp)[labels]


def _by_size(labels: Labels) -> Labels:
    """Labels 0, 1 ... from the largest cluster on; -1 stays."""
    names, first, counts = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    new = np.full(int(labels.max(initial=-1)) + 2, -1, dtype=np.intp)
    new[names[order]] = np.arange(len(names))
    return new[labels]
