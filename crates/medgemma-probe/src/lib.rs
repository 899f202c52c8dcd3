//! Linear probes: what an encoder's embeddings say about labels of your own, by regularised logistic
//! regression, and how sure one may be of it.
//!
//! Embeddings come from the caller as slices of f32, so this crate links no model and no tensor library.
//!
//! ```
//! use medgemma_probe::{
//!     Bootstrap, ClassWeights, FitOptions, Probe, Units, evaluate, split_by_group, youden_threshold,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let embeddings: Vec<Vec<f32>> = (0..60_u8)
//! #     .map(|i| vec![f32::from(i % 3), f32::from(i % 7) / 7.0, 1.0])
//! #     .collect();
//! # let classes: Vec<usize> = (0..60).map(|i| usize::from(i % 3 == 2)).collect();
//! # let patients: Vec<usize> = (0..60).map(|i| i / 2).collect();
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("effusion.json");
//! // No patient on both sides.
//! let split = split_by_group(&patients, 0.3, 1)?;
//! let rows = |part: &[usize]| part.iter().map(|&i| &embeddings[i]).collect::<Vec<_>>();
//! let truth = |part: &[usize]| part.iter().map(|&i| classes[i] == 1).collect::<Vec<_>>();
//!
//! let options = FitOptions::default()
//!     .with_class_weights(ClassWeights::Balanced)
//!     .with_standardize(true);
//! let train: Vec<usize> = split.train.iter().map(|&i| classes[i]).collect();
//! let fitted = Probe::fit_classes(&["normal", "effusion"], &rows(&split.train), &train, &options)?;
//! assert!(fitted.converged());
//! let probe = fitted.probe.with_encoder("google/medsiglip-448");
//! let scores = |part: &[usize]| -> medgemma_probe::Result<Vec<f64>> {
//!     rows(part).iter().map(|row| Ok(probe.probabilities(row)?[1])).collect()
//! };
//!
//! let threshold = youden_threshold(&scores(&split.train)?, &truth(&split.train))?;
//! let tested: Vec<usize> = split.test.iter().map(|&i| patients[i]).collect();
//! let found = evaluate(
//!     &scores(&split.test)?,
//!     &truth(&split.test),
//!     threshold,
//!     Units::Groups(&tested), // patients are drawn, not pictures
//!     &Bootstrap::default(),
//! )?;
//! let auc = found.auc.ok_or("pictures of one kind only")?;
//! println!("AUC {auc:.3}"); // 0.927 (0.851 to 0.984); or `no interval`, and `auc.ends` says why
//! # assert_eq!(auc.estimate, 1.0);
//!
//! probe.with_thresholds([1.0 - threshold, threshold])?.save(&file)?;
//! let probe = Probe::load(&file)?;
//! probe.expect_encoder("google/medsiglip-448")?; // other embeddings mean other things
//! # assert_eq!(probe.best(&embeddings[2])?, 1);
//! # Ok(())
//! # }
//! ```
//!
//! | You need | Use |
//! |---|---|
//! | one of several classes | [`Probe::fit_classes`] |
//! | any number of labels, some unknown | [`Probe::fit_labels`] |
//! | to see how far a fit is, or to stop it | [`Probe::fit_classes_observed`], [`Probe::fit_labels_observed`] |
//! | rare classes to count as much as common ones | [`ClassWeights`] |
//! | weights that were fitted elsewhere | [`Probe::new`], or the file's form in the crate's README |
//! | a file | [`Probe::save`], [`Probe::load`], [`Probe::expect_encoder`] |
//! | AUC, sensitivity, specificity, predictive values | [`evaluate`]; alone [`roc_auc`], [`Confusion`] |
//! | an AUC where probabilities are all but 0 or 1 | [`Probe::log_odds`] |
//! | a threshold | [`threshold_at_sensitivity`], [`youden_threshold`] |
//! | an interval of any other figure | [`Bootstrap::interval`] |
//! | parts that share no patient | [`split_by_group`] |
//!
//! | step | module |
//! |---|---|
//! | rows, labels → what can be computed with, or an error | `data`, `options` |
//! | examples → loss and gradient | `loss`, `scale`, `linear` |
//! | → weights of least loss | `solver`, `fit` |
//! | weights → probabilities; a file | `probe`, `file` |
//! | probabilities → figures and intervals | `auc`, `confusion`, `bootstrap`, `wilson`, `interval`, `evaluation` |

mod auc;
mod bootstrap;
mod confusion;
mod data;
mod error;
mod evaluation;
mod file;
mod fit;
mod interval;
mod linear;
mod loss;
mod options;
mod probe;
mod scale;
mod solver;
mod split;
mod wilson;

// The public interface is:
pub use crate::auc::roc_auc;
pub use crate::bootstrap::{Bootstrap, Units};
pub use crate::confusion::{Confusion, threshold_at_sensitivity, youden_threshold};
pub use crate::error::{Error, Result};
pub use crate::evaluation::{Evaluation, evaluate};
pub use crate::fit::Fitted;
pub use crate::interval::{Interval, NoInterval};
pub use crate::options::{ClassWeights, FitOptions};
pub use crate::probe::{Kind, Penalty, Probe};
pub use crate::solver::{Convergence, Fitting};
pub use crate::split::{Split, split_by_group};
