"""Trees of scikit-learn as flat arrays, walked all at once by numpy alone.

Every tree of an ensemble stands in the same five arrays. The two children of a node lie side by
side, so one step of all trees is `first[node] + (x[feature[node]] > threshold[node])`; a leaf is
its own child, so every tree takes the same number of steps. A prediction equals scikit-learn's to
1e-12, for gradient boosting and for forests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected

Columns = NDArray[np.float64]
State = Mapping[str, NDArray[Any]]

DEEPEST = 512
"""A tree deeper than this is taken for damage."""
AT_ONCE = 1 << 18
"""Tree-rows walked at once; bounds the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class FlatTrees:
    """An ensemble of regression trees; its prediction is `start` + the leaves reached.

    Parameters
    ----------
    width
        Number of inputs p.
    start
        What is predicted before any tree is asked.
    roots
        Node at which each tree begins (trees,).
    feature
        Input that each node looks at (nodes,).
    threshold
        A value above it goes to the second child (nodes,); ∞ at a leaf.
    first
        First child (nodes,), the second follows it; the node itself at a leaf.
    missing
        1 where a missing value goes to the second child (nodes,).
    value
        At a leaf what it adds, above it the mean of the leaves below, weighted by the rows that
        trained them (nodes,).
    steps
        Depth of the deepest tree.
    single
        Whether inputs are rounded to float32 first, as forests of scikit-learn do.
    """

    width: int
    start: float
    roots: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: Columns
    first: NDArray[np.intp]
    missing: NDArray[np.int8]
    value: Columns
    steps: int
    single: bool

    @classmethod
    def constant(cls, width: int, value: float) -> Self:
        """Make an ensemble that always predicts the same."""
        none = np.zeros(1, np.intp)
        leaf = np.array([np.inf])
        return cls(
            width, value, none, none, leaf, none, np.zeros(1, np.int8), np.zeros(1), 0, False
        )

    def narrowed(self, kept: NDArray[np.bool_]) -> Self:
        """Leave out inputs (width,) that no node looks at."""
        place = np.maximum(np.cumsum(kept) - 1, 0)
        inner = self.first != np.arange(len(self.first))
        feature = np.zeros_like(self.feature)
        feature[inner] = place[self.feature[inner]]
        return replace(self, width=int(kept.sum()), feature=feature)

    def predict(self, rows: Columns) -> Columns:
        """Predict rows (n, p) → (n,); NaN is a missing value."""
        x = self._inputs(rows)
        out = np.empty(len(x))
        block = max(1, AT_ONCE // max(1, len(self.roots)))
        for begin in range(0, len(x), block):
            part = x[begin : begin + block]
            out[begin : begin + block] = self._sum(part)
        return out

    def contributions(self, row: Columns) -> Columns:
        """Split one prediction over the inputs (p,) → (p,).

        Each step of a tree moves its mean; the move belongs to the input that was looked at
        (Saabas 2014; Palczewska et al. 2013). `usual` + the sum is the prediction.
        """
        x = self._inputs(row[None, :])[0]
        parts, holes = np.zeros(self.width), bool(np.isnan(x).any())
        at = self.roots
        for _ in range(self.steps):
            after = self._step(x, at, np.zeros(1, np.intp), holes)
            moved = self.value[after] - self.value[at]
            parts += np.bincount(self.feature[at], moved, self.width)
            at = after
        return parts

    @property
    def usual(self) -> float:
        """Mean prediction of the rows that trained the trees: where contributions start."""
        return float(self.start + self.value[self.roots].sum())

    def used(self) -> NDArray[np.int64]:
        """Count the nodes that look at each input (p,)."""
        inner = self.first != np.arange(len(self.first))
        return np.bincount(self.feature[inner], minlength=self.width)

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the ensemble as arrays."""
        return {
            "size": np.array([self.width, self.steps, int(self.single)], np.int64),
            "start": np.array([self.start]),
            "roots": self.roots.astype(np.int32),
            "feature": self.feature.astype(np.int32),
            "threshold": self.threshold,
            "first": self.first.astype(np.int32),
            "missing": self.missing,
            "value": self.value,
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same ensemble again; Rejected when the arrays are no trees."""
        _require(state["size"].shape == (3,) and state["start"].shape == (1,), "sizes")
        width, steps, single = (int(each) for each in state["size"])
        again = cls(
            width,
            float(state["start"][0]),
            np.asarray(state["roots"], np.intp),
            np.asarray(state["feature"], np.intp),
            np.asarray(state["threshold"], np.float64),
            np.asarray(state["first"], np.intp),
            np.asarray(state["missing"], np.int8),
            np.asarray(state["value"], np.float64),
            steps,
            bool(single),
        )
        again._check()
        return again

    def _check(self) -> None:
        nodes = len(self.feature)
        arrays = (self.feature, self.threshold, self.first, self.missing, self.value)
        _require(all(each.shape == (nodes,) for each in arrays), "nodes of one length")
        _require(self.roots.ndim == 1, "one root a tree")
        _require(self.width >= 0 and 0 <= self.steps <= DEEPEST, "a sane width and depth")
        _require(_within(self.roots, nodes), "roots that exist")
        _require(_within(self.feature, max(self.width, 1)), "inputs that exist")
        _require(bool(((self.missing == 0) | (self.missing == 1)).all()), "0 or 1 for missing")
        own = np.arange(nodes)
        leaf = self.first == own
        _require(bool((leaf | (self.first > own)).all()), "children after their parent")
        _require(_within(self.first[~leaf], nodes - 1), "children that exist")
        _require(bool((np.isposinf(self.threshold) & (self.missing == 0))[leaf].all()), "leaves")
        finite = np.isfinite(self.value).all() and np.isfinite(self.start)
        _require(bool(finite) and not np.isnan(self.threshold).any(), "finite values")
        reached = self._bottom()
        _require(bool(leaf[reached].all()), "leaves within the depth")

    def _bottom(self) -> NDArray[np.intp]:
        at = np.unique(self.roots)
        for _ in range(self.steps):
            inner = at[self.first[at] != at]
            at = np.unique(np.concatenate([self.first[at], self.first[inner] + 1]))
        return at.astype(np.intp)

    def _inputs(self, rows: Columns) -> Columns:
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise Rejected(f"{self.width} inputs a row are needed, got shape {rows.shape}")
        if not self.single:
            return rows
        with np.errstate(over="ignore"):
            return rows.astype(np.float32).astype(np.float64)

    def _sum(self, x: Columns) -> Columns:
        trees, holes = len(self.roots), bool(np.isnan(x).any())
        at, begins, flat = self.roots, np.zeros(1, np.intp), x.ravel()
        if len(x) > 1:
            at, begins = np.tile(at, len(x)), np.repeat(np.arange(len(x)) * self.width, trees)
        for _ in range(self.steps):
            at = self._step(flat, at, begins, holes)
        total: Columns = self.value[at].reshape(len(x), trees).sum(axis=1) + self.start
        return total

    def _step(
        self, flat: Columns, at: NDArray[np.intp], begins: NDArray[np.intp], holes: bool
    ) -> NDArray[np.intp]:
        seen = flat.take(self.feature.take(at) + begins)
        second = seen > self.threshold.take(at)
        if holes:
            second = np.where(np.isnan(seen), self.missing.take(at) == 1, second)
        return self.first.take(at) + second


def from_boosting(model: Any) -> FlatTrees:
    """Flatten a fitted HistGradientBoosting model with one tree an iteration.

    A classifier of two classes gives the log-odds of the second.
    """
    nodes = [each[0].nodes for each in model._predictors]
    start = float(np.ravel(model._baseline_prediction)[0])
    trees = [
        _Tree(
            np.where(each["is_leaf"], -1, each["left"].astype(np.int64)),
            each["right"].astype(np.int64),
            each["feature_idx"].astype(np.int64),
            each["num_threshold"].astype(np.float64),
            ~each["missing_go_to_left"].astype(bool),
            each["value"].astype(np.float64),
            each["count"].astype(np.float64),
        )
        for each in nodes
    ]
    return _flatten(trees, model.n_features_in_, start, single=False)


def from_forest(model: Any, label: int = 1) -> FlatTrees:
    """Flatten a fitted random forest or extra-trees model: its mean.

    Parameters
    ----------
    model
        A forest of scikit-learn with one output.
    label
        Of a classifier, the position of the class whose probability is wanted.
    """
    trees = []
    for each in model.estimators_:
        tree = each.tree_
        value = tree.value[:, 0, label if tree.value.shape[2] > 1 else 0]
        go_left = np.asarray(getattr(tree, "missing_go_to_left", np.zeros(tree.node_count)), bool)
        trees.append(
            _Tree(
                tree.children_left.astype(np.int64),
                tree.children_right.astype(np.int64),
                tree.feature.astype(np.int64),
                tree.threshold.astype(np.float64),
                ~go_left,
                value.astype(np.float64) / len(model.estimators_),
                tree.weighted_n_node_samples.astype(np.float64),
            )
        )
    return _flatten(trees, model.n_features_in_, 0.0, single=True)


def from_tree(model: Any) -> FlatTrees:
    """Flatten one fitted decision tree into a map from inputs to the number of its leaf, from 0."""
    tree = model.tree_
    leaf = tree.children_left < 0
    number = np.where(leaf, np.cumsum(leaf) - 1.0, 0.0)
    one = _Tree(
        tree.children_left.astype(np.int64),
        tree.children_right.astype(np.int64),
        tree.feature.astype(np.int64),
        tree.threshold.astype(np.float64),
        np.zeros(tree.node_count, np.bool_),
        number,
        tree.weighted_n_node_samples.astype(np.float64),
    )
    return _flatten([one], model.n_features_in_, 0.0, single=True)


def together(ensembles: Sequence[FlatTrees], weights: Sequence[float] | None = None) -> FlatTrees:
    """Join ensembles of the same inputs into one that predicts their weighted mean."""
    shares = [1 / len(ensembles)] * len(ensembles) if weights is None else list(weights)
    heads = np.cumsum([0] + [len(each.feature) for each in ensembles[:-1]]).astype(np.intp)
    pairs = list(zip(ensembles, heads, strict=True))
    return FlatTrees(
        ensembles[0].width,
        float(sum(w * each.start for w, each in zip(shares, ensembles, strict=True))),
        np.concatenate([each.roots + head for each, head in pairs]),
        np.concatenate([each.feature for each in ensembles]),
        np.concatenate([each.threshold for each in ensembles]),
        np.concatenate([each.first + head for each, head in pairs]),
        np.concatenate([each.missing for each in ensembles]),
        np.concatenate([w * each.value for w, each in zip(shares, ensembles, strict=True)]),
        max(each.steps for each in ensembles),
        ensembles[0].single,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: Columns
    missing_right: NDArray[np.bool_]
    value: Columns
    rows: Columns


def _flatten(trees: list[_Tree], width: int, start: float, single: bool) -> FlatTrees:
    parts: dict[str, list[NDArray[Any]]] = {
        name: [] for name in ("feature", "threshold", "first", "missing", "value")
    }
    roots, head, steps = [], 0, 0
    for tree in trees:
        order, depth = _by_level(tree)
        place = np.empty(len(tree.left), np.int64)
        place[order] = np.arange(len(order))
        inner = tree.left[order] >= 0
        own = np.arange(len(order))
        parts["first"].append(head + np.where(inner, place[tree.left[order]], own))
        parts["feature"].append(np.where(inner, tree.feature[order], 0))
        parts["threshold"].append(np.where(inner, tree.threshold[order], np.inf))
        parts["missing"].append(inner & tree.missing_right[order])
        parts["value"].append(_means(tree, order)[order])
        roots.append(head)
        head += len(order)
        steps = max(steps, depth)
    return FlatTrees(
        width,
        start,
        np.array(roots, np.intp),
        np.concatenate(parts["feature"]).astype(np.intp),
        np.concatenate(parts["threshold"]),
        np.concatenate(parts["first"]).astype(np.intp),
        np.concatenate(parts["missing"]).astype(np.int8),
        np.concatenate(parts["value"]),
        steps,
        single,
    )


def _by_level(tree: _Tree) -> tuple[NDArray[np.int64], int]:
    """Order the nodes level by level, the two children of a node side by side."""
    levels = [np.zeros(1, np.int64)]
    while True:
        inner = levels[-1][tree.left[levels[-1]] >= 0]
        if not len(inner):
            return np.concatenate(levels), len(levels) - 1
        levels.append(np.column_stack([tree.left[inner], tree.right[inner]]).ravel())


def _means(tree: _Tree, order: NDArray[np.int64]) -> Columns:
    """Give each inner node the mean of its leaves, weighted by their training rows."""
    value = tree.value.copy()
    weight = np.where(tree.left < 0, np.maximum(tree.rows, 1e-300), 0.0)
    for node in order[::-1]:
        if tree.left[node] >= 0:
            a, b = tree.left[node], tree.right[node]
            weight[node] = weight[a] + weight[b]
            value[node] = (weight[a] * value[a] + weight[b] * value[b]) / weight[node]
    return value


def _within(places: NDArray[Any], size: int) -> bool:
    return bool(((places >= 0) & (places < size)).all())


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Rejected(f"the model's arrays are no trees: {what} expected; train and save it again")
