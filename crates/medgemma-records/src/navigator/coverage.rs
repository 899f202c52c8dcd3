//! Which records the model was shown, and why not the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{Bundle, Record};
use crate::excerpt::Reason;
use crate::kind::Kind;
use crate::reference::Reference;

#[derive(Default)]
pub(crate) struct Coverage {
    shown: BTreeSet<Reference>,
    /// Records of the kinds that were looked into, and why they were not shown.
    passed_over: BTreeMap<Reference, Reason>,
}

impl Coverage {
    pub(crate) fn show(&mut self, reference: &Reference) {
        self.shown.insert(reference.clone());
    }

    pub(crate) fn pass_over(&mut self, record: &Record, reason: Reason) {
        self.passed_over.insert(record.reference().clone(), reason);
    }

    /// Every record that was not shown, in the order of the pages. `kinds` are those that were to be looked into, if the
    /// navigation came as far as picking them; `stopped` is whether it was cut short.
    pub(crate) fn omitted<'b>(
        &self,
        bundle: &'b Bundle,
        patient: Option<&Reference>,
        kinds: &[Kind],
        stopped: bool,
    ) -> impl Iterator<Item = (&'b Record, Reason)> {
        let not_shown = bundle
            .records()
            .iter()
            .filter(|record| !self.shown.contains(record.reference()));
        not_shown.map(move |record| {
            let kind = record.kind();
            let none_picked = stopped && kinds.is_empty();
            let was_asked_for = match kind {
                // Shown with the answer, if it came to one.
                Kind::Patient => stopped,
                _ => kinds.contains(&kind) || (none_picked && kind.can_be_picked()),
            };
            let passed_over = || self.passed_over.get(record.reference()).copied();
            let reason = bundle
                .unfit(record, patient)
                .or_else(passed_over)
                .or((!was_asked_for).then_some(Reason::OtherKind));
            (record, reason.unwrap_or(Reason::NotReached))
        })
    }
}
