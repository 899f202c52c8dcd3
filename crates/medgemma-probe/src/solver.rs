//! L-BFGS with the line search of Moré and Thuente, by `argmin`.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use argmin::core::{CostFunction, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

use crate::error::{Error, Result};
use crate::linear::Linear;
use crate::loss::Loss;
use crate::options::FitOptions;

/// How a fit ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Convergence {
    /// Whether the gradient is as short as was asked for. If not, the weights are the best ones seen,
    /// and not the ones that the options ask for: give more iterations, standardise the features, make C
    /// smaller, or be content with a larger tolerance.
    pub converged: bool,
    /// Steps taken.
    pub iterations: u64,
    /// How often loss and gradient were computed, each time over all rows.
    pub evaluations: u64,
    /// The mean log-loss with its penalty, 1/S Σ s ℓ + ‖w‖² / (2 C S), S being the sum of the weights s.
    pub loss: f64,
    /// The length of the loss's gradient.
    pub gradient: f64,
}

/// How far a fit is, told each time that loss and gradient were computed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Fitting {
    /// Which fit, counted from 0: that of the label with this index; of classes there is one.
    pub fit: usize,
    /// How many there are.
    pub fits: usize,
    /// How often loss and gradient were computed in this fit, each time over all rows.
    pub evaluations: u64,
    /// How often at most: far more than a fit that arrives takes.
    pub most: u64,
    /// The loss, as in [`Convergence::loss`], where it was computed last. Now and then it is larger than before.
    pub loss: f64,
    /// The length of the loss's gradient there. The fit has arrived when it is as short as
    /// [`FitOptions::tolerance`].
    pub gradient: f64,
}

/// Who is told how far fits are, and may end them.
pub(crate) struct Watch<'a> {
    pub(crate) fit: usize,
    pub(crate) fits: usize,
    pub(crate) tell: &'a mut dyn FnMut(&Fitting) -> ControlFlow<()>,
}

/// Pairs of steps and gradients that are remembered: as in scikit-learn's `lbfgs`.
const MEMORY: usize = 10;

/// Evaluations for each iteration before a fit is given up. A line search takes one or two.
const EVALUATIONS: u64 = 4;

/// The loss as `argmin` asks for it: value and gradient apart, many times at one place.
struct Watched<'a> {
    loss: &'a Loss<'a>,
    last: RefCell<Option<Look>>,
    evaluations: Cell<u64>,
    most: u64,
    watch: RefCell<Watch<'a>>,
    stopped: Cell<bool>,
}

#[derive(Clone)]
struct Look {
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

impl Watched<'_> {
    fn look(&self, at: &[f64]) -> std::result::Result<Look, argmin::core::Error> {
        if let Some(last) = self.last.borrow().as_ref().filter(|last| last.at == at) {
            return Ok(last.clone());
        }
        if self.evaluations.get() == self.most {
            return Err(argmin::core::Error::msg("too many evaluations"));
        }
        self.evaluations.set(self.evaluations.get() + 1);
        let (value, gradient) = self.loss.look(at);
        if !value.is_finite() || gradient.iter().any(|slope| !slope.is_finite()) {
            return Err(argmin::core::Error::msg("a step too far"));
        }
        if self.tell(value, length(&gradient)).is_break() {
            self.stopped.set(true);
            return Err(argmin::core::Error::msg("stopped"));
        }
        let at = at.to_vec();
        let look = Look {
            at,
            value,
            gradient,
        };
        self.last.replace(Some(look.clone()));
        Ok(look)
    }

    fn tell(&self, loss: f64, gradient: f64) -> ControlFlow<()> {
        let mut watch = self.watch.borrow_mut();
        let fitting = Fitting {
            fit: watch.fit,
            fits: watch.fits,
            evaluations: self.evaluations.get(),
            most: self.most,
            loss,
            gradient,
        };
        (watch.tell)(&fitting)
    }
}

fn length(gradient: &[f64]) -> f64 {
    let squares = gradient.iter().map(|slope| slope * slope);
    squares.sum::<f64>().sqrt()
}

impl CostFunction for &Watched<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, at: &Vec<f64>) -> std::result::Result<f64, argmin::core::Error> {
        Ok(self.look(at)?.value)
    }
}

impl Gradient for &Watched<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, at: &Vec<f64>) -> std::result::Result<Vec<f64>, argmin::core::Error> {
        Ok(self.look(at)?.gradient)
    }
}

/// The parameters of least loss, as weights of the features as they are. An end short of it is told,
/// not an error: the best parameters seen are of use where little is missing. That it was told to stop is one.
pub(crate) fn minimize<'a>(
    loss: &'a Loss<'a>,
    options: &FitOptions,
    watch: Watch<'a>,
) -> Result<(Linear, Convergence)> {
    let iterations = u64::from(options.max_iterations);
    let watched = Watched {
        loss,
        last: RefCell::new(None),
        evaluations: Cell::new(0),
        most: EVALUATIONS * iterations + 1,
        watch: RefCell::new(watch),
        stopped: Cell::new(false),
    };
    let start = vec![0.0; loss.parameters()];
    let ended = search(&watched, start.clone(), iterations, options.tolerance);
    if watched.stopped.get() {
        return Err(Error::Stopped {
            evaluations: watched.evaluations.get(),
        });
    }
    let (reached, iterations) = ended.unwrap_or((start, 0));
    let (value, gradient) = loss.look(&reached);
    let gradient = length(&gradient);
    let convergence = Convergence {
        converged: gradient <= options.tolerance,
        iterations,
        evaluations: watched.evaluations.get(),
        loss: value,
        gradient,
    };
    Ok((loss.linear(&reached), convergence))
}

/// The parameters arrived at, and the steps to them. An error only if the first look failed.
fn search(
    watched: &Watched<'_>,
    start: Vec<f64>,
    iterations: u64,
    tolerance: f64,
) -> std::result::Result<(Vec<f64>, u64), argmin::core::Error> {
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
        .with_tolerance_grad(tolerance)?
        // Ends a search that no longer moves; what it has reached is judged by the gradient.
        .with_tolerance_cost(f64::MIN_POSITIVE)?;
    let mut state = Executor::new(watched, solver)
        .configure(|state| state.param(start).max_iters(iterations))
        .ctrlc(false)
        .timer(false)
        .run()?
        .state;
    let steps = state.get_iter();
    // A line search that failed has no last parameters.
    let last = state.take_param().or_else(|| state.take_best_param());
    last.map(|last| (last, steps))
        .ok_or_else(|| argmin::core::Error::msg("no parameters"))
}
