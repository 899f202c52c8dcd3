"""Writes logistic.json and metrics.json beside this file: what scikit-learn finds.

    pip install scikit-learn==1.9.1 numpy==2.4.6
    python3 generate.py

Every fit is made twice, by `newton-cholesky` and by `lbfgs`, both far below their usual tolerance, and
the script fails unless they agree: what is written is the optimum, not where a solver stopped.
"""

import json
import pathlib
import warnings

import numpy
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    roc_auc_score,
    roc_curve,
)
from sklearn.preprocessing import StandardScaler

HERE = pathlib.Path(__file__).parent
assert sklearn.__version__ == "1.9.1", sklearn.__version__
rng = numpy.random.default_rng(20261126)


def numbers(array):
    """Nested lists; f32 keep only the digits that tell them apart."""
    if array.dtype == numpy.float32:
        return [[float(str(x)) for x in row] for row in array]
    return array.tolist()


def blobs(counts, dimension, spread):
    """Rows around one centre for each class, in mixed order."""
    centres = rng.normal(size=(len(counts), dimension))
    y = numpy.repeat(numpy.arange(len(counts)), counts)
    rng.shuffle(y)
    x = centres[y] + spread * rng.normal(size=(len(y), dimension))
    return x.astype(numpy.float32), y


def fit(x, y, c, class_weight, sample_weight, scaler):
    """Weights [classes, d] and intercepts on the features as given, from two solvers that agree."""
    x64 = x.astype(numpy.float64)
    seen = scaler.transform(x64) if scaler else x64
    found = []
    for solver in ["newton-cholesky", "lbfgs"]:
        model = LogisticRegression(
            C=c, class_weight=class_weight, solver=solver, tol=1e-13, max_iter=200_000
        )
        with warnings.catch_warnings():
            # At this tolerance rounding ends both before they say that they have arrived.
            warnings.simplefilter("ignore")
            model.fit(seen, y, sample_weight=sample_weight)
        coef, intercept = model.coef_, model.intercept_
        intercept = intercept - (intercept.mean() if len(coef) > 1 else 0.0)
        if scaler:
            coef = coef / scaler.scale_
            intercept = intercept - coef @ scaler.mean_
        found.append((coef, intercept, model.predict_proba(seen)))
    newton, lbfgs = found
    for a, b, what in zip(newton, lbfgs, ["weights", "intercepts", "probabilities"]):
        off = numpy.abs(a - b).max() / numpy.abs(a).max()
        assert off < 1e-5, (what, off)
    return newton


def scaler_of(x, standardize):
    return StandardScaler().fit(x.astype(numpy.float64)) if standardize else None


def case(name, data, y, c=1.0, class_weight=None, sample_weight=None, standardize=False):
    x = DATA[data]
    weight = None if sample_weight is None else numpy.asarray(sample_weight)
    coef, intercept, probabilities = fit(x, y, c, class_weight, weight, scaler_of(x, standardize))
    if isinstance(class_weight, dict):
        class_weight = [class_weight[k] for k in sorted(class_weight)]
    return {
        "name": name,
        "data": data,
        "classes": y.tolist(),
        "c": c,
        "class_weights": class_weight,
        "sample_weights": sample_weight,
        "standardize": standardize,
        "weights": numbers(coef),
        "intercepts": numbers(intercept),
        "probabilities": numbers(probabilities),
    }


def labels(name, data, marks, c, class_weight, standardize):
    """One regression for each column of marks, on the rows whose mark is known; scaled over all."""
    scaler = scaler_of(DATA[data], standardize)
    fits = []
    for column in marks.T:
        known = column >= 0
        x, y = DATA[data][known], column[known]
        coef, intercept, _ = fit(x, y, c, class_weight, None, scaler)
        score = DATA[data].astype(numpy.float64) @ coef[0] + intercept[0]
        fits.append((coef[0], intercept[0], 1 / (1 + numpy.exp(-score))))
    coef, intercept, probabilities = map(numpy.array, zip(*fits))
    if isinstance(class_weight, dict):
        class_weight = [class_weight[1]] * marks.shape[1]
    return {
        "name": name,
        "data": data,
        "marks": marks.tolist(),
        "c": c,
        "class_weights": class_weight,
        "standardize": standardize,
        "weights": numbers(coef),
        "intercepts": numbers(intercept),
        "probabilities": numbers(probabilities.T),
    }


two, y_two = blobs([47, 18], 7, 2.0)
four, y_four = blobs([31, 9, 22, 5], 6, 1.6)
# Columns of very different scale and place, and one that is the same in every row.
wild = four * numpy.float32([1e3, 1e-3, 1, 30, 0.2, 1]) + numpy.float32([5e3, 2, 0, -90, 1, 0])
wild[:, 5] = 0.3
# As embeddings are: unit vectors, more numbers than rows.
unit, y_unit = blobs([14, 12], 40, 1.2)
unit /= numpy.linalg.norm(unit, axis=1, keepdims=True)
# One class on either side of nothing.
parted = numpy.float32([[-2, 1], [-1, 0], [-1.5, -1], [1, 1], [2, 0], [1.2, -1]])
y_parted = numpy.array([0, 0, 0, 1, 1, 1])
DATA = {"two": two, "four": four, "wild": wild, "unit": unit, "parted": parted}

weights_two = (rng.integers(0, 5, len(two)) / 2).tolist()
weights_four = (0.25 + rng.random(len(four))).round(3).tolist()
marks = numpy.stack([y_four == 0, y_four >= 2, four[:, 0] > 0.5], axis=1).astype(int)
marks[rng.random(marks.shape) < 0.25] = -1

logistic = {
    "data": {name: numbers(x) for name, x in DATA.items()},
    "classes": [
        case("two classes", "two", y_two),
        case("two classes, strong penalty", "two", y_two, c=0.01),
        case("two classes, weak penalty", "two", y_two, c=1000.0),
        case("two classes, balanced", "two", y_two, class_weight="balanced"),
        case("two classes, given weights", "two", y_two, class_weight={0: 0.5, 1: 3.0}),
        case("two classes, weighted rows", "two", y_two, sample_weight=weights_two),
        case(
            "two classes, weighted rows, balanced",
            "two",
            y_two,
            class_weight="balanced",
            sample_weight=weights_two,
        ),
        case("four classes", "four", y_four),
        case("four classes, weak penalty", "four", y_four, c=100.0),
        case("four classes, balanced", "four", y_four, class_weight="balanced"),
        case(
            "four classes, all weights",
            "four",
            y_four,
            c=0.3,
            class_weight={0: 1.0, 1: 2.5, 2: 0.7, 3: 4.0},
            sample_weight=weights_four,
        ),
        case("other scales, two classes", "wild", (y_four > 0).astype(int), standardize=True),
        case("other scales, four classes", "wild", y_four, c=3.0, standardize=True),
        case("unit vectors", "unit", y_unit, c=10.0),
        case("unit vectors, standardised", "unit", y_unit, c=0.1, standardize=True),
        case("parted perfectly", "parted", y_parted, c=10.0),
    ],
    "labels": [
        labels("three labels, some unknown", "four", marks, 1.0, None, False),
        labels("three labels, balanced", "four", marks, 2.0, "balanced", False),
        labels("three labels, positives weighted", "wild", marks, 0.5, {0: 1.0, 1: 2.5}, True),
    ],
}


def measured(name, scores, truth, threshold):
    scores, truth = numpy.asarray(scores, dtype=numpy.float64), numpy.asarray(truth, dtype=bool)
    (tn, fp), (fn, tp) = confusion_matrix(truth, scores >= threshold, labels=[False, True])
    fpr, tpr, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    # The first is infinite and calls nothing positive.
    fpr, tpr, thresholds = fpr[1:], tpr[1:], thresholds[1:]
    wanted = [0.5, 0.8, 0.9, 1.0]
    return {
        "name": name,
        "scores": scores.tolist(),
        "truth": truth.tolist(),
        "threshold": threshold,
        "auc": roc_auc_score(truth, scores),
        "confusion": [int(n) for n in (tp, fp, tn, fn)],
        "balanced_accuracy": balanced_accuracy_score(truth, scores >= threshold),
        "youden": thresholds[numpy.argmax((tpr - fpr).round(12))],
        "at_sensitivity": [[w, thresholds[numpy.argmax(tpr >= w)]] for w in wanted],
    }


def drawn(n, share, shift, digits):
    truth = rng.random(n) < share
    scores = 1 / (1 + numpy.exp(-(rng.normal(size=n) + shift * truth)))
    return scores.round(digits), truth


metrics = {
    "binary": [
        measured("apart", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 0.5),
        measured("the wrong way round", [0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.5),
        measured("all alike", [0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.5),
        measured("one tie across", [0.1, 0.5, 0.5, 0.9], [0, 0, 1, 1], 0.5),
        measured("few positives", *drawn(200, 0.05, 1.5, 6), 0.7),
        measured("many ties", *drawn(150, 0.4, 1.0, 1), 0.6),
        measured("two values", *drawn(60, 0.5, 0.8, 0), 1.0),
        measured("useless", *drawn(100, 0.5, 0.0, 3), 0.4),
    ],
    "percentiles": [],
}
for n in [1, 2, 7, 100]:
    values = rng.normal(size=n).round(6)
    at = [0.0, 2.5, 5.0, 50.0, 97.5, 100.0]
    metrics["percentiles"].append(
        {"values": values.tolist(), "at": at, "expected": numpy.percentile(values, at).tolist()}
    )

for name, content in [("logistic.json", logistic), ("metrics.json", metrics)]:
    text = json.dumps(content, separators=(",", ":"))
    assert len(text) < 200 * 1024, (name, len(text))
    (HERE / name).write_text(text + "\n")
    print(name, len(text))
