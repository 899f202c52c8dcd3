//! Parts that share no group.

use std::collections::BTreeSet;

use medgemma_probe::{Error, split_by_group};
use proptest::prelude::*;

proptest! {
    #[test]
    fn every_sample_is_on_one_side_and_no_group_on_both(
        groups in proptest::collection::vec(0..20_u8, 2..80), share in 0.01..0.99_f64, seed: u64,
    ) {
        let distinct = groups.iter().collect::<BTreeSet<_>>().len();
        let split = split_by_group(&groups, share, seed);
        if distinct < 2 {
            prop_assert!(split.is_err());
            return Ok(());
        }
        let split = split.expect("two groups");
        let mut all = [split.train.clone(), split.test.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..groups.len()).collect::<Vec<_>>());
        let of = |part: &[usize]| part.iter().map(|&i| groups[i]).collect::<BTreeSet<_>>();
        let (train, test) = (of(&split.train), of(&split.test));
        prop_assert!(train.is_disjoint(&test) && !train.is_empty());
        let wanted = (share * distinct as f64).round().clamp(1.0, (distinct - 1) as f64);
        prop_assert_eq!(test.len() as f64, wanted);
        prop_assert!(split.train.is_sorted() && split.test.is_sorted());
        prop_assert_eq!(split_by_group(&groups, share, seed).expect("as before"), split);
    }
}

#[test]
fn seeds_split_differently_and_the_order_of_samples_does_not() {
    let names: Vec<String> = (0..30).map(|i| format!("patient {}", i % 10)).collect();
    let first = split_by_group(&names, 0.3, 1).expect("ten groups");
    assert!((2..10).any(|seed| split_by_group(&names, 0.3, seed).expect("ten groups") != first));
    let turned: Vec<&String> = names.iter().rev().collect();
    let again = split_by_group(&turned, 0.3, 1).expect("ten groups");
    let of = |names: &[&String], part: &[usize]| -> BTreeSet<String> {
        part.iter().map(|&i| names[i].clone()).collect()
    };
    let straight: Vec<&String> = names.iter().collect();
    assert_eq!(of(&straight, &first.test), of(&turned, &again.test));
}

#[test]
fn what_cannot_be_split_is_refused() {
    for (groups, share) in [
        (vec![], 0.5),
        (vec![1, 1], 0.5),
        (vec![1, 2], 0.0),
        (vec![1, 2], 1.0),
    ] {
        let refused = split_by_group(&groups, share, 0);
        assert!(
            matches!(refused, Err(Error::Argument { .. })),
            "{refused:?}"
        );
    }
    assert!(split_by_group(&[1, 2], f64::NAN, 0).is_err());
}
