//! x

mod data;
mod error;
mod file;
mod fit;
mod linear;
mod loss;
mod options;
mod probe;
mod scale;
mod solver;

// The public interface is:
pub use crate::error::{Error, Result};
pub use crate::fit::Fitted;
pub use crate::options::{ClassWeights, FitOptions};
pub use crate::probe::{Kind, Penalty, Probe};
pub use crate::solver::Convergence;
