//! The order in which blocks are multiplied.
//!
//! Each thread has some slots, fills each with a group of weights, walks over the panels of tokens, of
//! which each is multiplied with all slots while it is in the cache, and begins again with the next
//! groups. It goes along a run of neighbouring groups: where two of them meet in the outputs' lines, no
//! other thread writes. What is left of a run goes to who is done, so that a thread that is paused
//! holds up no more than its slots.

use std::ops::Range;

use super::BLOCK;
use super::unit::Unit;
use crate::cpu::{Cpu, Path};
use crate::lines::Line;
use crate::pool::Runs;
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

/// Multiplies all of `panels` with all groups of `job`.
pub(super) fn roll(cpu: &Cpu, panels: Range<usize>, job: &dyn Job) {
    let groups = job.groups();
    if panels.is_empty() || groups == 0 {
        return;
    }
    let threads = cpu.pool().threads().min(groups);
    let most = (SLOTS / job.slot()).clamp(1, MOST);
    // As many slots as make the last turn about as long as the others.
    let turns = groups.div_ceil(threads * most);
    let count = groups.div_ceil(threads * turns);
    let runs = Runs::of(groups, threads);
    cpu.pool().run(threads, &|thread| {
        scratch::with_lines(count * job.slot(), |lines| {
            walk(job, &panels, lines, &|| runs.next(thread));
        });
    });
}

/// A thread's part.
fn walk(
    job: &dyn Job,
    panels: &Range<usize>,
    lines: &mut [Line],
    next: &dyn Fn() -> Option<usize>,
) {
    let unit = Unit::of(job.path());
    let mut sums = [[0.0; BLOCK]; 2];
    let mut groups = Vec::with_capacity(MOST);
    loop {
        groups.clear();
        for slot in lines.chunks_exact_mut(job.slot()) {
            let Some(group) = next() else { break };
            job.fill(group, slot);
            groups.push(group);
        }
        if groups.is_empty() {
            return;
        }
        for panel in panels.clone() {
            for (&group, slot) in groups.iter().zip(lines.chunks_exact(job.slot())) {
                job.multiply(&unit, panel, group, slot, &mut sums);
            }
        }
    }
}
