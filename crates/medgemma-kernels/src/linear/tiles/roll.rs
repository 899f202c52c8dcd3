//! The order in which blocks are multiplied.
//!
//! Each thread has some slots, each with a group of weights, and walks over the panels of tokens,
//! round and round; a panel is multiplied with all slots while it is in the cache. A slot that has
//! met all panels gets the next group. Slots are filled some turns apart, so that weights come from
//! memory all the time and not all at once. Groups are handed out one by one: a thread that
//! is paused holds up no more than its slots.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::BLOCK;
use super::unit::Unit;
use crate::cpu::{Cpu, Path};
use crate::lines::Line;
use crate::scratch;

/// Lines of all slots of a thread: 1.25 megabytes, which leaves the rest of a second-level cache of two
/// to the panels of tokens that pass and to what is written.
pub(super) const SLOTS: usize = 5 << 12;

/// Slots at most: more save no traffic worth the name.
const MOST: usize = 8;

/// What is multiplied.
pub(super) trait Job: Sync {
    /// Which instructions to use.
    fn path(&self) -> Path;
    /// Groups of weights.
    fn groups(&self) -> usize;
    /// Lines that a group takes.
    fn slot(&self) -> usize;
    /// Puts a group into its slot.
    fn fill(&self, group: usize, slot: &mut [Line]);
    /// Multiplies a panel with a group and puts the results where they belong. Each pair of both is
    /// met once.
    fn multiply(&self, unit: &Unit, panel: usize, group: usize, slot: &[Line], sums: &mut Sums);
}

/// Scratch for the sums of two blocks.
pub(super) type Sums = [[f32; BLOCK]; 2];

/// A slot's group, and how many panels it has still to meet.
#[derive(Clone, Copy, Default)]
struct Slot {
    group: usize,
    left: usize,
}

/// Multiplies all of `panels` with all groups of `job`.
pub(super) fn roll(cpu: &Cpu, panels: Range<usize>, job: &dyn Job) {
    let groups = job.groups();
    if panels.is_empty() || groups == 0 {
        return;
    }
    let taken = AtomicUsize::new(0);
    let next = || {
        let group = taken.fetch_add(1, Ordering::Relaxed);
        (group < groups).then_some(group)
    };
    let count = (SLOTS / job.slot()).clamp(1, MOST).min(panels.len());
    cpu.pool().run(cpu.pool().threads().min(groups), &|_| {
        scratch::with_lines(count * job.slot(), |lines| {
            let mut slots = [Slot::default(); MOST];
            walk(job, &panels, &mut slots[..count], lines, &next);
        });
    });
}

/// A thread's part.
fn walk(
    job: &dyn Job,
    panels: &Range<usize>,
    slots: &mut [Slot],
    lines: &mut [Line],
    next: &dyn Fn() -> Option<usize>,
) {
    let unit = Unit::of(job.path());
    let mut sums = [[0.0; BLOCK]; 2];
    let apart = panels.len().div_ceil(slots.len());
    let mut more = true;
    for turn in 0.. {
        if more && turn % apart == 0 {
            let free = slots.iter().position(|slot| slot.left == 0);
            if let Some(index) = free {
                more = match next() {
                    Some(group) => {
                        job.fill(group, part(lines, index, job.slot()));
                        let left = panels.len();
                        slots[index] = Slot { group, left };
                        true
                    }
                    None => false,
                };
            }
        }
        let panel = panels.start + turn % panels.len();
        let mut idle = true;
        for (index, slot) in slots
            .iter_mut()
            .enumerate()
            .filter(|(_, slot)| slot.left > 0)
        {
            let lines = part(lines, index, job.slot());
            job.multiply(&unit, panel, slot.group, lines, &mut sums);
            slot.left -= 1;
            idle = false;
        }
        if idle && !more {
            return;
        }
    }
}

fn part(lines: &mut [Line], index: usize, len: usize) -> &mut [Line] {
    &mut lines[index * len..(index + 1) * len]
}
