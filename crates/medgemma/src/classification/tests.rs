//! Scores of classes, by hand.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::Classification;
use crate::calibration::Calibration;
use crate::error::Error;
use crate::probability::Probability;

fn close(found: f32, expected: f32) {
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

/// By hand: σ(ln 3) = 3/4, σ(0) = 1/2, σ(−ln 3) = 1/4; softmax of (ln 3, 0, −ln 3) = (9, 3, 1)/13.
#[test]
fn each_probability_has_its_own_meaning() {
    let ln3 = 3.0_f32.ln();
    let found = Classification::from_logits(&["a", "b", "c"], &[ln3, 0.0, -ln3]).unwrap();
    for ((score, sigmoid), softmax) in found
        .scores()
        .iter()
        .zip([0.75, 0.5, 0.25])
        .zip([9.0, 3.0, 1.0])
    {
        close(score.sigmoid, sigmoid);
        close(score.softmax, softmax / 13.0);
    }
    assert_eq!(
        (found.best().label.as_str(), found.best().logit),
        ("a", ln3)
    );
}

#[test]
fn logits_far_from_zero_give_probabilities_all_the_same() {
    // One step apart, the larger has e/(1 + e).
    let far = Classification::from_logits(&["a", "b"], &[-1e4, -1e4 - 1.0]).unwrap();
    close(far.scores()[0].softmax, 0.731_058_6);
    close(far.scores()[0].sigmoid, 0.0);
    let near = Classification::from_logits(&["a", "b"], &[1e4, 0.0]).unwrap();
    close(near.scores()[0].sigmoid, 1.0);
    close(near.scores()[1].softmax, 0.0);
}

#[test]
fn below_the_threshold_there_is_no_answer() {
    let ln3 = 3.0_f32.ln();
    let found = Classification::from_logits(&["a", "b"], &[0.0, ln3]).unwrap();
    // The best is b: σ = softmax = 3/4; with a third class of ln 3 the softmax is 3/7.
    assert_eq!(found.decide(Probability::Sigmoid, 0.7).unwrap().label, "b");
    assert!(found.decide(Probability::Softmax, 0.8).is_none());
    let many = Classification::from_logits(&["a", "b", "c"], &[0.0, ln3, ln3 - 0.1]).unwrap();
    assert_eq!(many.decide(Probability::Sigmoid, 0.7).unwrap().label, "b");
    assert!(many.decide(Probability::Softmax, 0.7).is_none());
}

/// Each has half of the softmax and 3/4 of its own, which no threshold of 0.5 stops: the first by order is
/// no answer.
#[test]
fn of_two_that_are_equal_neither_is_the_answer() {
    let ln3 = 3.0_f32.ln();
    let tied = Classification::from_logits(&["a", "b"], &[ln3, ln3]).unwrap();
    for which in [Probability::Sigmoid, Probability::Softmax] {
        assert!(tied.decide(which, 0.0).is_none(), "{which:?}");
    }
    // Others that are equal take nothing from the best.
    let found = Classification::from_logits(&["a", "b", "c"], &[0.0, ln3, 0.0]).unwrap();
    assert_eq!(found.decide(Probability::Softmax, 0.5).unwrap().label, "b");
}

#[test]
fn of_one_class_the_softmax_says_nothing() {
    for logit in [-30.0, 0.0, 5.0] {
        let found = Classification::from_logits(&["a"], &[logit]).unwrap();
        let calibrated = found.calibrated(&[Calibration::default()]).unwrap();
        for found in [found, calibrated] {
            assert_eq!(found.best().softmax, 1.0);
            assert!(found.decide(Probability::Softmax, 1.0).is_some());
            let sure = found.decide(Probability::Sigmoid, 0.9).is_some();
            assert_eq!(sure, logit > 3.0);
        }
    }
}

#[test]
fn calibrated_logits_change_both_probabilities() {
    let ln3 = 3.0_f32.ln();
    let found = Classification::from_logits(&["a", "b"], &[2.0 * ln3, ln3]).unwrap();
    let halved = Calibration::new(2.0, 0.0).unwrap();
    let lifted = Calibration::new(1.0, f64::from(ln3)).unwrap();
    let found = found.calibrated(&[halved, lifted]).unwrap();
    // Now ln 3 and 2 ln 3.
    close(found.scores()[0].sigmoid, 0.75);
    close(found.scores()[1].sigmoid, 0.9);
    // Sigmoids 3/4 and 9/10; the softmax of the logits would be 1/4 and 3/4.
    close(found.scores()[0].softmax, 0.75 / 1.65);
    close(found.scores()[1].softmax, 0.9 / 1.65);
    assert_eq!(found.best().label, "b");
    assert!(matches!(
        found.calibrated(&[halved]),
        Err(Error::UnequalLengths {
            expected: 2,
            found: 1,
            ..
        })
    ));
}

/// Present and absent, each calibrated: 0.8 and 0.2 are what they are together, not 16/17 and 1/17.
#[test]
fn exclusive_classes_that_are_calibrated_share_by_their_sigmoids() {
    let ln4 = 4.0_f32.ln();
    let raw = Classification::from_logits(&["present", "absent"], &[ln4, -ln4]).unwrap();
    close(raw.scores()[0].softmax, 16.0 / 17.0);
    let found = raw.calibrated(&[Calibration::default(); 2]).unwrap();
    for (score, expected) in found.scores().iter().zip([0.8, 0.2]) {
        close(score.sigmoid, expected);
        close(score.softmax, expected);
    }
    assert!(found.decide(Probability::Softmax, 0.85).is_none());
    // Three classes, none of them likely: 1/2, 1/4 and 1/20 of 0.8.
    let logits = [0.0, -3.0_f32.ln(), -19.0_f32.ln()];
    let found = Classification::from_logits(&["a", "b", "c"], &logits).unwrap();
    let found = found.calibrated(&[Calibration::default(); 3]).unwrap();
    for (score, expected) in found.scores().iter().zip([0.625, 0.3125, 0.0625]) {
        close(score.softmax, expected);
    }
}

/// Of sigmoids that are 0, or 1, in any float there are shares all the same.
#[test]
fn calibrated_sigmoids_that_vanish_have_shares() {
    let unchanged = [Calibration::default(); 2];
    // Far below, σ(x) is eˣ: one step apart as in the softmax of logits, e/(1 + e).
    let far = Classification::from_logits(&["a", "b"], &[-1e4, -1e4 - 1.0]).unwrap();
    let far = far.calibrated(&unchanged).unwrap();
    close(far.scores()[0].sigmoid, 0.0);
    close(far.scores()[0].softmax, 0.731_058_6);
    close(far.scores()[1].softmax, 0.268_941_4);
    // Far above, both are sure, and neither more than the other.
    let near = Classification::from_logits(&["a", "b"], &[1e4, 1e3]).unwrap();
    let near = near.calibrated(&unchanged).unwrap();
    close(near.scores()[0].softmax, 0.5);
    close(near.scores()[1].softmax, 0.5);
    let apart = Classification::from_logits(&["a", "b"], &[f32::MAX, -f32::MAX]).unwrap();
    let apart = apart.calibrated(&unchanged).unwrap();
    close(apart.scores()[0].softmax, 1.0);
    close(apart.scores()[1].softmax, 0.0);
}

#[test]
fn what_is_no_classification_is_refused() {
    assert!(matches!(
        Classification::from_logits(&[], &[]),
        Err(Error::NoClasses)
    ));
    assert!(matches!(
        Classification::from_logits(&["a"], &[1.0, 2.0]),
        Err(Error::UnequalLengths {
            expected: 1,
            found: 2,
            ..
        })
    ));
    assert!(matches!(
        Classification::from_logits(&["a", "b", "a"], &[1.0, 2.0, 1.0]),
        Err(Error::DuplicateLabel {
            first: 0,
            second: 2
        })
    ));
    for bad in [f32::NAN, f32::INFINITY] {
        assert!(matches!(
            Classification::from_logits(&["a", "b"], &[1.0, bad]),
            Err(Error::NonFiniteScore { class: 1 })
        ));
    }
}
