//! What a call may take beyond the workload that a dual encoder was loaded for.
//!
//! With interpolated positions pixels may have any size: a picture of 4096 × 4096 has 83 times the patches of
//! MedSigLIP's own. Each step is added up before its work, and one beyond the plan is held against what is left.

use std::path::Path;

use medgemma_siglip::SiglipConfig;
use medgemma_tensor::Device;

use super::super::MemoryPlan;
use super::super::available::{available, own};
use super::{SiglipWorkload, embedding_bytes, widest_step};
use crate::error::Result;

/// What a load was planned for.
pub(crate) struct SiglipBudget {
    plan: MemoryPlan,
    workload: SiglipWorkload,
    /// Bytes of the weights that stay in mapped files, whose pages count as available.
    mapped: u64,
    limit: Option<u64>,
}

impl SiglipBudget {
    /// `plan` is that of `workload`.
    pub(crate) fn new(
        plan: MemoryPlan,
        workload: SiglipWorkload,
        mapped: u64,
        limit: Option<u64>,
    ) -> Self {
        Self {
            plan,
            workload,
            mapped,
            limit,
        }
    }

    /// Refuses a load that does not fit.
    ///
    /// # Errors
    /// As [`MemoryPlan::check`].
    pub(crate) fn check_load(&self, path: &Path, device: &Device) -> Result<()> {
        self.plan.check(path, device, self.limit)
    }

    /// Refuses a step, a picture or some texts, that goes beyond the plan and beyond what is left. What the system
    /// has left is asked only then: it takes reading some files.
    ///
    /// # Errors
    /// As [`MemoryPlan::check`], with the plan that has the step in it.
    pub(crate) fn check(
        &self,
        path: &Path,
        config: &SiglipConfig,
        device: &Device,
        step: SiglipWorkload,
    ) -> Result<()> {
        let plan = self.with(config, step);
        if plan.total() <= self.plan.total() {
            return Ok(());
        }
        let left = || Some(self.left(available()?, own()));
        plan.check(path, device, self.limit.or_else(left))
    }

    /// The plan with the wider of its own step and this one: what one has left behind for the next is there for
    /// either.
    fn with(&self, config: &SiglipConfig, step: SiglipWorkload) -> MemoryPlan {
        let widest = widest_step(config, self.workload).max(widest_step(config, step));
        MemoryPlan {
            activations: widest.saturating_add(embedding_bytes(config, self.workload)),
            ..self.plan
        }
    }

    /// What the plan may come to where the system has `available` left: that, and what the process has taken of the
    /// plan already. Of what it holds in memory of its own, `own`, no more counts than was planned there, mapped
    /// weights apart: the rest is other models' or the program's. Where nothing is told, all that was planned counts.
    fn left(&self, available: u64, own: Option<u64>) -> u64 {
        let planned = self.plan.total();
        let taken = own.map_or(planned, |own| own.min(planned.saturating_sub(self.mapped)));
        available.saturating_add(taken)
    }
}

#[cfg(test)]
mod tests {
    use medgemma_tensor::{Backend, Device, FloatFormat};

    use super::super::tests::config;
    use super::{MemoryPlan, SiglipBudget, SiglipWorkload};
    use crate::error::Error;

    /// Weights that stay in the file.
    const MAPPED: u64 = 1 << 31;

    fn budget(workload: SiglipWorkload, limit: Option<u64>) -> SiglipBudget {
        let plan = MemoryPlan::siglip(&config(), FloatFormat::F32, Backend::Cpu, workload);
        SiglipBudget::new(plan, workload, MAPPED, limit)
    }

    #[test]
    fn a_step_takes_more_only_where_it_is_wider_than_the_plans() {
        let config = config();
        let picture = SiglipWorkload::new(1, 0);
        let planned = SiglipWorkload::new(5, 40).with_image_size([896, 448]);
        let budget = budget(planned, None);
        for within in [
            picture,
            picture.with_image_size([448, 896]),
            SiglipWorkload::new(0, 1000),
        ] {
            assert_eq!(budget.with(&config, within), budget.plan, "{within:?}");
        }
        // The figures are those of a plan for it from the beginning.
        let size = [4096, 4096];
        let found = budget.with(&config, picture.with_image_size(size));
        let planned = planned.with_image_size(size);
        assert_eq!(
            found,
            MemoryPlan::siglip(&config, FloatFormat::F32, Backend::Cpu, planned)
        );
        assert!(found.activations > 4 << 30, "{found}");
    }

    #[test]
    fn a_step_beyond_the_plan_is_held_to_the_limit_with_the_figures() {
        let (config, path) = (config(), "model".as_ref());
        let device = Device::cpu().expect("the feature cpu is on");
        let planned = SiglipWorkload::new(1, 16);
        let large = SiglipWorkload::new(1, 0).with_image_size([896, 896]);
        let needed = budget(planned, None).with(&config, large).total();
        let check = |limit, step| budget(planned, Some(limit)).check(path, &config, &device, step);
        check(needed, large).expect("exactly enough");
        // What was planned was held against it when the model was loaded.
        check(1, planned).expect("within the plan");
        match check(needed - 1, large).expect_err("a byte is missing") {
            Error::NotEnoughMemory {
                plan, available, ..
            } => assert_eq!((plan.total(), available), (needed, needed - 1)),
            other => panic!("another error: {other}"),
        }
    }

    #[test]
    fn what_is_taken_of_the_plan_is_not_asked_for_again() {
        let budget = budget(SiglipWorkload::default(), None);
        let (planned, room) = (budget.plan.total(), 1_u64 << 30);
        assert_eq!(budget.left(room, Some(0)), room, "nothing is taken so far");
        assert_eq!(budget.left(room, Some(5000)), room + 5000);
        let most = budget.left(room, Some(u64::MAX));
        assert_eq!(most, room + planned - MAPPED, "the rest is not the plan's");
        assert_eq!(budget.left(room, None), room + planned);
    }
}
