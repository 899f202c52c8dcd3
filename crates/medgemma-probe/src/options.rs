//! How a probe is fitted.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Numbers beyond these mean nothing here, and their products could leave f64.
const SMALLEST: f64 = 1e-30;
const LARGEST: f64 = 1e30;

/// What each class counts in the loss.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ClassWeights {
    /// Every row counts the same.
    #[default]
    Equal,
    /// Every class counts the same while fitting, however rare: its rows weigh n / (classes · rows of the
    /// class). For labels, this is done for each label between its positives and its negatives.
    ///
    /// Such a fit takes all classes for equally frequent, so that its scores are ln of the weight too high. That
    /// is taken off the intercepts afterwards (King and Zeng 2001, "Logistic regression in rare events data",
    /// §4.1): probabilities are those at the shares that the classes have among the rows,
    /// [`Penalty::prevalence`](crate::Penalty::prevalence), and [`Probe::best`](crate::Probe::best) is the most
    /// probable class there, which a rare one seldom is. To decide as if all were equally frequent, call a label
    /// true from its prevalence on: of two classes, and of labels, that is the ½ of the fit itself.
    Balanced,
    /// A weight for each label, in their order. For classes, it is what a row of the class weighs; for
    /// labels, what a positive weighs against a negative. Nothing is taken off afterwards: probabilities are
    /// those of where classes are as frequent as their weights make them
    /// ([`Penalty::prevalence`](crate::Penalty::prevalence)). For rows that were chosen by class, give each the
    /// share that it has among your patients over the share that it has among the rows.
    Given(Vec<f64>),
}

/// How a probe is fitted. The defaults are those of scikit-learn's `LogisticRegression`, but for a
/// tolerance that leaves nothing of the solver in the result.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FitOptions {
    /// The inverse of the penalty: the loss is C · Σ weight · log-loss + ½ ‖weights‖². Smaller values
    /// make the probe less sure of itself. Unit vectors of a thousand numbers have small numbers and
    /// want a large C, or [`standardize`](Self::standardize). 1 by default; choose it on a part of the
    /// training rows.
    pub c: f64,
    /// What each class counts. All rows the same by default.
    pub class_weights: ClassWeights,
    /// What each row counts, times what its class counts; 0 leaves it out. All the same by default.
    pub sample_weights: Option<Vec<f64>>,
    /// Whether the penalty sees each feature less its mean and divided by its deviation, over all
    /// rows by their [`sample_weights`](Self::sample_weights), also those that one label does not know. The probe still takes embeddings as they are. Off by default.
    pub standardize: bool,
    /// The fit has arrived when the gradient of the mean loss is no longer than this. 10⁻⁷ by default.
    pub tolerance: f64,
    /// Steps after which a fit ends even so, for each label of its own. 1000 by default.
    pub max_iterations: u32,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            c: 1.0,
            class_weights: ClassWeights::Equal,
            sample_weights: None,
            standardize: false,
            tolerance: 1e-7,
            max_iterations: 1000,
        }
    }
}

impl FitOptions {
    /// Sets [`c`](Self::c).
    #[must_use]
    pub fn with_c(mut self, c: f64) -> Self {
        self.c = c;
        self
    }

    /// Sets [`class_weights`](Self::class_weights).
    #[must_use]
    pub fn with_class_weights(mut self, weights: ClassWeights) -> Self {
        self.class_weights = weights;
        self
    }

    /// Sets [`sample_weights`](Self::sample_weights).
    #[must_use]
    pub fn with_sample_weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.sample_weights = Some(weights.into());
        self
    }

    /// Sets [`standardize`](Self::standardize).
    #[must_use]
    pub fn with_standardize(mut self, standardize: bool) -> Self {
        self.standardize = standardize;
        self
    }

    /// Sets [`tolerance`](Self::tolerance).
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets [`max_iterations`](Self::max_iterations).
    #[must_use]
    pub fn with_max_iterations(mut self, iterations: u32) -> Self {
        self.max_iterations = iterations;
        self
    }

    /// Refuses what no fit can be made with.
    pub(crate) fn check(&self, rows: usize, labels: usize) -> Result<()> {
        for (argument, value) in [("c", self.c), ("tolerance", self.tolerance)] {
            if !(SMALLEST..=LARGEST).contains(&value) {
                let expected = format!("a number from {SMALLEST:e} to {LARGEST:e}");
                let argument = format!("options.{argument}");
                return Err(Error::argument(argument, expected, value.to_string()));
            }
        }
        if self.max_iterations == 0 {
            let argument = "options.max_iterations";
            return Err(Error::argument(argument, "1 or more", "0"));
        }
        if let ClassWeights::Given(weights) = &self.class_weights {
            let argument = "options.class_weights";
            if weights.len() != labels {
                return Err(Error::length(argument, labels, "label", weights.len()));
            }
            check_weights(argument, weights, SMALLEST, "of 1e-30 or more")?;
        }
        if let Some(weights) = &self.sample_weights {
            let argument = "options.sample_weights";
            if weights.len() != rows {
                return Err(Error::length(argument, rows, "row", weights.len()));
            }
            check_weights(argument, weights, 0.0, "of 0 or more")?;
        }
        Ok(())
    }
}

fn check_weights(argument: &str, weights: &[f64], least: f64, what: &str) -> Result<()> {
    match weights
        .iter()
        .position(|weight| !(least..=LARGEST).contains(weight))
    {
        None => Ok(()),
        Some(at) => Err(Error::argument(
            format!("{argument}[{at}]"),
            format!("a weight {what}, at most {LARGEST:e}"),
            weights[at].to_string(),
        )),
    }
}
