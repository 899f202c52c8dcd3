//! Candidates in the order of their probabilities, sorted only as far as somebody looks: of a
//! vocabulary of 262 208 a draw looks at a few, and sorting all takes longer than the softmax.
//!
//! What is found is, to the last bit, what sorting everything finds. The only number that needs all
//! candidates is their total, and a sum depends on its order by rounding: wherever a decision comes
//! within that rounding, everything is sorted after all.

/// An id and its unnormalised probability.
pub(crate) type Candidate = (usize, f64);

/// How many are sorted at first; each time more are wanted, eight times as many are.
const FIRST: usize = 128;

/// Candidates, of which the first few are in order and those behind them in any.
#[derive(Debug)]
pub(crate) struct Ranked {
    candidates: Vec<Candidate>,
    sorted: usize,
}

impl Ranked {
    pub(crate) fn new(candidates: Vec<Candidate>) -> Self {
        Self {
            candidates,
            sorted: 0,
        }
    }

    /// Keeps the `k` likeliest.
    pub(crate) fn keep_likeliest(&mut self, k: usize) {
        if k < self.candidates.len() {
            self.candidates.select_nth_unstable_by(k - 1, likelier);
            self.candidates.truncate(k);
        }
    }

    /// Keeps those at least `fraction` times as likely as the likeliest.
    pub(crate) fn keep_fraction(&mut self, fraction: f64) {
        let weights = self.candidates.iter().map(|&(_, weight)| weight);
        let least = fraction * weights.fold(0.0, f64::max);
        self.candidates.retain(|&(_, weight)| weight >= least);
        self.sorted = 0;
    }

    /// Keeps the fewest that together have `p` of the total, of which there is always one.
    pub(crate) fn keep_mass(&mut self, p: f64) {
        let kept = self.reach(p);
        self.candidates.truncate(kept.max(1));
        self.sorted = self.sorted.min(self.candidates.len());
    }

    /// How many of the likeliest it takes for `p` of the total.
    fn reach(&mut self, p: f64) -> usize {
        let (total, doubt) = self.total();
        let (limit, mut sum) = (p * total, 0.0);
        let mut kept = 0;
        while let Some((_, weight)) = self.at(kept) {
            if (sum - limit).abs() <= doubt {
                self.sort_all();
                return self.reach_in_order(p);
            }
            if sum > limit {
                break;
            }
            sum += weight;
            kept += 1;
        }
        kept
    }

    /// The candidate at which the running total, likeliest first, exceeds `share` of all; `None` if
    /// rounding leaves that in doubt.
    pub(crate) fn find(&mut self, share: f64) -> Option<usize> {
        let (total, doubt) = self.total();
        let mut target = share * total;
        let mut index = 0;
        while let Some((id, weight)) = self.at(index) {
            target -= weight;
            if target.abs() <= doubt {
                return None;
            }
            if target < 0.0 {
                return Some(id);
            }
            index += 1;
        }
        None
    }

    /// All of them, in order.
    pub(crate) fn into_sorted(mut self) -> Vec<Candidate> {
        self.sort_all();
        self.candidates
    }

    /// The candidate of this rank, from 0.
    fn at(&mut self, rank: usize) -> Option<Candidate> {
        while rank >= self.sorted && self.sorted < self.candidates.len() {
            let more = FIRST.max(8 * self.sorted);
            let rest = &mut self.candidates[self.sorted..];
            let more = more.min(rest.len());
            if more < rest.len() {
                rest.select_nth_unstable_by(more - 1, likelier);
            }
            rest[..more].sort_unstable_by(likelier);
            self.sorted += more;
        }
        self.candidates.get(rank).copied()
    }

    fn sort_all(&mut self) {
        self.candidates[self.sorted..].sort_unstable_by(likelier);
        self.sorted = self.candidates.len();
    }

    /// The sum of all, and by how much that of another order, with as many differences from it again,
    /// may be another: each of n additions is off by half an ε of what it makes at most.
    fn total(&self) -> (f64, f64) {
        let total: f64 = self.candidates.iter().map(|&(_, weight)| weight).sum();
        let additions = self.candidates.len() as f64 + 2.0;
        (total, 4.0 * additions * f64::EPSILON * total)
    }

    /// [`reach`](Self::reach) when all are in order.
    fn reach_in_order(&self, p: f64) -> usize {
        let total: f64 = self.candidates.iter().map(|&(_, weight)| weight).sum();
        let mut sum = 0.0;
        let kept = self.candidates.iter().take_while(|&&(_, weight)| {
            let before = sum;
            sum += weight;
            before < p * total
        });
        kept.count()
    }
}

/// Ties are broken by id, so that the order and with it the draw is the same everywhere.
fn likelier(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{Candidate, FIRST, Ranked, likelier};
    use crate::sampling::{Sampler, Sampling};

    /// Candidates by sorting all of them, filter by filter, and the one that `share` falls on.
    fn by_sorting(sampling: &Sampling, logits: &[f32], share: f64) -> usize {
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| {
            ((f64::from(logit) - f64::from(highest)) / f64::from(sampling.temperature)).exp()
        };
        let finite = logits.iter().enumerate();
        let finite = finite.filter(|&(_, &logit)| logit > f32::NEG_INFINITY);
        let mut all: Vec<Candidate> = finite.map(|(id, &logit)| (id, weight(logit))).collect();
        all.sort_unstable_by(likelier);
        all.truncate(sampling.top_k.unwrap_or(usize::MAX));
        if let Some(p) = sampling.top_p {
            let total: f64 = all.iter().map(|&(_, weight)| weight).sum();
            let mut sum = 0.0;
            let kept = all.iter().take_while(|&&(_, weight)| {
                let before = sum;
                sum += weight;
                before < f64::from(p) * total
            });
            let kept = kept.count().max(1);
            all.truncate(kept);
        }
        if let Some(p) = sampling.min_p {
            let least = f64::from(p) * all[0].1;
            all.retain(|&(_, weight)| weight >= least);
        }
        let mut target = share * all.iter().map(|&(_, weight)| weight).sum::<f64>();
        for &(id, weight) in &all {
            target -= weight;
            if target < 0.0 {
                return id;
            }
        }
        all.last().map_or(0, |&(id, _)| id)
    }

    fn option<T>(rng: &mut ChaCha8Rng, values: &[T]) -> Option<T>
    where
        T: Copy,
    {
        values.get(rng.random_range(0..=values.len())).copied()
    }

    /// Logits of `count` tokens: spread, in few steps so that many are equal, all equal, or some forbidden.
    fn logits(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
        let spread = [0.0, 1.0, 6.0, 40.0][rng.random_range(0..4)];
        let steps = [1.0, 1e3][rng.random_range(0..2)];
        let forbidden = rng.random_range(0..2) == 0;
        let mut row: Vec<f32> = (0..count)
            .map(|_| {
                let value = (rng.random::<f32>() * spread * steps).floor() / steps;
                let none = forbidden && rng.random_range(0..3) == 0;
                if none { f32::NEG_INFINITY } else { value }
            })
            .collect();
        row[count / 2] = spread;
        row
    }

    #[test]
    fn draws_are_those_of_sorting_everything() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let counts = [1, 2, FIRST - 1, FIRST, FIRST + 1, 700, 9 * FIRST, 5000];
        for case in 0..1500 {
            let count = counts[rng.random_range(0..counts.len())];
            let row = logits(&mut rng, count);
            let sampling = Sampling {
                temperature: [0.3, 1.0, 1.7][rng.random_range(0..3)],
                top_k: option(&mut rng, &[1, 64, 300, 6000]),
                top_p: option(&mut rng, &[1e-9, 0.1, 0.5, 0.95, 0.999_999, 1.0]),
                min_p: option(&mut rng, &[0.0, 1e-9, 0.02, 0.5, 1.0]),
                seed: case,
                ..Sampling::default()
            };
            let mut shares = ChaCha8Rng::seed_from_u64(case);
            let mut sampler = Sampler::new(sampling.clone(), []).expect("valid options");
            for draw in 0..8 {
                let expected = by_sorting(&sampling, &row, shares.random());
                let found = sampler.choose(&row, 0, None).expect("finite").id;
                assert_eq!(
                    found as usize, expected,
                    "draw {draw} of {count} by {sampling:?}"
                );
            }
        }
    }

    /// A probability at the very border of two tokens, of equal ones: there every rounding shows.
    #[test]
    fn where_rounding_decides_everything_is_sorted() {
        let equal: Vec<Candidate> = (0..1000).map(|id| (id, 0.1)).collect();
        let mut ranked = Ranked::new(equal.clone());
        assert_eq!(ranked.find(0.5), None);
        assert!(ranked.find(0.5005).is_some_and(|id| id == 500));
        let mut ranked = Ranked::new(equal);
        ranked.keep_mass(0.5);
        let exact = (0..1000).fold((0, 0.0), |(kept, sum), _| {
            let total: f64 = (0..1000).map(|_| 0.1).sum();
            (kept + usize::from(sum < 0.5 * total), sum + 0.1)
        });
        assert_eq!(ranked.into_sorted().len(), exact.0);
    }

    #[test]
    fn a_large_vocabulary_is_sorted_as_far_as_it_is_looked_at() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let many = |rng: &mut ChaCha8Rng| {
            let weights = (0..262_208).map(|id| (id, (rng.random::<f64>() * 30.0 - 30.0).exp()));
            Ranked::new(weights.collect())
        };
        // Half of the mass is that of 6000 of them.
        let mut ranked = many(&mut rng);
        ranked.find(0.5).expect("far from any border");
        assert!(ranked.sorted < 20_000, "{}", ranked.sorted);
        let mut ranked = many(&mut rng);
        assert!((4000..8000).contains(&ranked.reach(0.5)));
        assert!(ranked.sorted < 20_000, "{}", ranked.sorted);
    }
}
