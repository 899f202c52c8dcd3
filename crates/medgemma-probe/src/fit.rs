//! From labelled embeddings to a probe.

use std::ops::ControlFlow;

use crate::data;
use crate::error::{Error, Result};
use crate::linear::Linear;
use crate::loss::{Examples, Loss};
use crate::options::{ClassWeights, FitOptions};
use crate::probe::{Kind, Penalty, Probe};
use crate::scale::Scale;
use crate::solver::{Convergence, Fitting, Watch, minimize};

/// A probe, and how its fit ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fitted {
    /// The probe.
    pub probe: Probe,
    /// How each fit ended: one for classes, one for each label for labels.
    pub convergence: Vec<Convergence>,
}

impl Fitted {
    /// Whether every fit has arrived at its tolerance. If not, see
    /// [`Convergence::converged`](crate::Convergence::converged).
    #[must_use]
    pub fn converged(&self) -> bool {
        self.convergence.iter().all(|fit| fit.converged)
    }
}

impl Probe {
    /// Fits a probe that tells classes apart, of which each row is one: `classes[i]`, an index into
    /// `labels`, is that of `rows[i]`. Multinomial logistic regression; for two classes, with one row of
    /// weights, as scikit-learn does.
    ///
    /// Time is `rows · dimension · labels` for each of at most 4 · `max_iterations` evaluations, on one
    /// thread; memory is that of the rows and a few dozen probes.
    ///
    /// # Shapes
    /// - `rows`: `[n, dimension]`, `classes`: `[n]`
    ///
    /// # Errors
    /// [`Error::Argument`] for lengths that do not match, numbers that are not finite, labels that are
    /// empty, doubled or fewer than two, a label without a row that counts, and options out of range. A
    /// fit that does not arrive is no error, see [`Fitted::converged`].
    pub fn fit_classes<L: AsRef<str>, R: AsRef<[f32]>>(
        labels: &[L],
        rows: &[R],
        classes: &[usize],
        options: &FitOptions,
    ) -> Result<Fitted> {
        Self::fit_classes_observed(labels, rows, classes, options, go_on)
    }

    /// As [`Probe::fit_classes`], telling `watch` after each evaluation how far it is, until that says to stop.
    ///
    /// # Errors
    /// As [`Probe::fit_classes`]; [`Error::Stopped`].
    pub fn fit_classes_observed<L: AsRef<str>, R: AsRef<[f32]>>(
        labels: &[L],
        rows: &[R],
        classes: &[usize],
        options: &FitOptions,
        mut watch: impl FnMut(&Fitting) -> ControlFlow<()>,
    ) -> Result<Fitted> {
        let labels = data::labels(labels, 2)?;
        let rows = data::rows(rows)?;
        options.check(rows.len(), labels.len())?;
        if classes.len() != rows.len() {
            return Err(Error::length("classes", rows.len(), "row", classes.len()));
        }
        if let Some(at) = classes.iter().position(|&class| class >= labels.len()) {
            return Err(Error::argument(
                format!("classes[{at}]"),
                format!("an index into {} labels", labels.len()),
                classes[at].to_string(),
            ));
        }
        let scale = scale(&rows, options);
        let classes = classes.to_vec();
        let mut weights = sample_weights(rows.len(), options);
        let totals = totals(&classes, &weights, labels.len());
        if let Some(empty) = totals.iter().position(|&total| total == 0.0) {
            return Err(Error::argument(
                "classes",
                "a row that counts for each label: add some, or leave the label out",
                format!("none for `{}`", labels[empty]),
            ));
        }
        let by_class = class_weights(&totals, &options.class_weights);
        weigh(&mut weights, &classes, &by_class);
        let examples = Examples {
            rows,
            classes,
            weights,
        };
        let outputs = if labels.len() == 2 { 1 } else { labels.len() };
        let loss = Loss::new(&examples, &scale, outputs, options.c);
        let watch = Watch {
            fit: 0,
            fits: 1,
            tell: &mut watch,
        };
        let (mut linear, convergence) = minimize(&loss, options, watch)?;
        if outputs == 1 {
            // σ(z) is the second share of softmax(0, z).
            linear.weights.splice(0..0, vec![0.0; scale.dimension()]);
            linear.intercepts.insert(0, 0.0);
        }
        if options.class_weights == ClassWeights::Balanced {
            unweigh(&mut linear.intercepts, &by_class);
        }
        let prevalence = shares(&totals, &by_class, &options.class_weights);
        let probe = Probe::from_linear(Kind::MultiClass, labels, linear)?;
        Ok(fitted(probe, prevalence, options, vec![convergence]))
    }

    /// Fits a probe for labels of which any number may be true of a row, each apart from the others:
    /// `marks[i][j]` says whether `labels[j]` is true of `rows[i]`. `None`, where that is not known,
    /// leaves the row out for this label.
    ///
    /// Time and memory as for [`Probe::fit_classes`].
    ///
    /// # Shapes
    /// - `rows`: `[n, dimension]`, `marks`: `[n, labels]`
    ///
    /// # Errors
    /// As [`Probe::fit_classes`]; each label needs rows that count of both kinds, one label is enough.
    pub fn fit_labels<L: AsRef<str>, R: AsRef<[f32]>, M: AsRef<[Option<bool>]>>(
        labels: &[L],
        rows: &[R],
        marks: &[M],
        options: &FitOptions,
    ) -> Result<Fitted> {
        Self::fit_labels_observed(labels, rows, marks, options, go_on)
    }

    /// As [`Probe::fit_labels`], telling `watch` after each evaluation how far it is, until that says to stop.
    ///
    /// # Errors
    /// As [`Probe::fit_labels`]; [`Error::Stopped`].
    pub fn fit_labels_observed<L: AsRef<str>, R: AsRef<[f32]>, M: AsRef<[Option<bool>]>>(
        labels: &[L],
        rows: &[R],
        marks: &[M],
        options: &FitOptions,
        mut watch: impl FnMut(&Fitting) -> ControlFlow<()>,
    ) -> Result<Fitted> {
        let labels = data::labels(labels, 1)?;
        let rows = data::rows(rows)?;
        options.check(rows.len(), labels.len())?;
        if marks.len() != rows.len() {
            return Err(Error::length("marks", rows.len(), "row", marks.len()));
        }
        for (at, marks) in marks.iter().map(AsRef::as_ref).enumerate() {
            if marks.len() != labels.len() {
                let argument = format!("marks[{at}]");
                return Err(Error::length(&argument, labels.len(), "label", marks.len()));
            }
        }
        let scale = scale(&rows, options);
        let weights = sample_weights(rows.len(), options);
        let mut all = Linear {
            weights: Vec::with_capacity(labels.len() * scale.dimension()),
            intercepts: Vec::with_capacity(labels.len()),
        };
        let mut convergence = Vec::with_capacity(labels.len());
        let mut prevalence = Vec::with_capacity(labels.len());
        for (label, name) in labels.iter().enumerate() {
            let known = marks.iter().map(|marks| marks.as_ref()[label]);
            let known = known.zip(&rows).zip(&weights);
            let known = known.filter_map(|((mark, &row), &weight)| Some((row, mark?, weight)));
            let (examples, by_class, share) = positives_and_negatives(known, label, name, options)?;
            let loss = Loss::new(&examples, &scale, 1, options.c);
            let watch = Watch {
                fit: label,
                fits: labels.len(),
                tell: &mut watch,
            };
            let (linear, ended) = minimize(&loss, options, watch)?;
            let mut scores = [0.0, linear.intercepts[0]];
            if options.class_weights == ClassWeights::Balanced {
                unweigh(&mut scores, &by_class);
            }
            all.weights.extend(linear.weights);
            all.intercepts.push(scores[1]);
            convergence.push(ended);
            prevalence.push(share);
        }
        let probe = Probe::from_linear(Kind::MultiLabel, labels, all)?;
        Ok(fitted(probe, prevalence, options, convergence))
    }
}

/// For fits that nobody watches.
fn go_on(_: &Fitting) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The examples of one label, class 1 being its positives; what a row of each class weighs; the positives'
/// share for which the probabilities hold.
fn positives_and_negatives<'a>(
    known: impl Iterator<Item = (&'a [f32], bool, f64)>,
    label: usize,
    name: &str,
    options: &FitOptions,
) -> Result<(Examples<'a>, Vec<f64>, f64)> {
    let mut examples = Examples {
        rows: Vec::new(),
        classes: Vec::new(),
        weights: Vec::new(),
    };
    for (row, mark, weight) in known {
        examples.rows.push(row);
        examples.classes.push(usize::from(mark));
        examples.weights.push(weight);
    }
    let totals = totals(&examples.classes, &examples.weights, 2);
    for (total, kind) in totals.iter().zip(["negative", "positive"]) {
        if *total == 0.0 {
            return Err(Error::argument(
                "marks",
                "positive and negative rows that count for each label: add some, or leave the label out",
                format!("no {kind} one for `{name}`"),
            ));
        }
    }
    let weights = match &options.class_weights {
        ClassWeights::Given(positive) => vec![1.0, positive[label]],
        others => class_weights(&totals, others),
    };
    weigh(&mut examples.weights, &examples.classes, &weights);
    let share = shares(&totals, &weights, &options.class_weights)[1];
    Ok((examples, weights, share))
}

fn scale(rows: &[&[f32]], options: &FitOptions) -> Scale {
    if options.standardize {
        Scale::of(rows, &sample_weights(rows.len(), options))
    } else {
        Scale::none(rows[0].len())
    }
}

fn sample_weights(rows: usize, options: &FitOptions) -> Vec<f64> {
    let given = options.sample_weights.clone();
    given.unwrap_or_else(|| vec![1.0; rows])
}

/// The sum of each class's weights.
fn totals(classes: &[usize], weights: &[f64], count: usize) -> Vec<f64> {
    let mut totals = vec![0.0; count];
    for (&class, weight) in classes.iter().zip(weights) {
        totals[class] += weight;
    }
    totals
}

/// What a row of each class weighs.
fn class_weights(totals: &[f64], weights: &ClassWeights) -> Vec<f64> {
    match weights {
        ClassWeights::Equal => vec![1.0; totals.len()],
        ClassWeights::Balanced => {
            let each = totals.iter().sum::<f64>() / totals.len() as f64;
            totals.iter().map(|total| each / total).collect()
        }
        ClassWeights::Given(weights) => weights.clone(),
    }
}

/// Multiplies the weight of each row with that of its class.
fn weigh(weights: &mut [f64], classes: &[usize], by_class: &[f64]) {
    for (weight, &class) in weights.iter_mut().zip(classes) {
        *weight *= by_class[class];
    }
}

/// Takes off each class's score what its weight has added to it. Where rows of class k weigh wₖ, the fit is to
/// wₖ p(k | row) / Σⱼ wⱼ p(j | row), whose score is that of p(k | row) plus ln wₖ, and the same for all classes
/// changes no probability: the first one's is left as it is, which is 0 for two classes.
fn unweigh(intercepts: &mut [f64], by_class: &[f64]) {
    for (intercept, weight) in intercepts.iter_mut().zip(by_class) {
        *intercept -= (weight / by_class[0]).ln();
    }
}

/// The classes' shares for which the probabilities hold: those of the rows, and as weights that were given make
/// them.
fn shares(totals: &[f64], by_class: &[f64], weights: &ClassWeights) -> Vec<f64> {
    let mut shares = totals.to_vec();
    if let ClassWeights::Given(_) = weights {
        for (share, weight) in shares.iter_mut().zip(by_class) {
            *share *= weight;
        }
    }
    let all: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= all);
    shares
}

fn fitted(
    probe: Probe,
    prevalence: Vec<f64>,
    options: &FitOptions,
    convergence: Vec<Convergence>,
) -> Fitted {
    let penalty = Penalty {
        c: options.c,
        class_weights: options.class_weights.clone(),
        standardized: options.standardize,
        prevalence,
    };
    let probe = probe.with_penalty(penalty);
    Fitted { probe, convergence }
}
