//! The memory pool: one half for operators that can spill, one for those that cannot.

use std::fmt;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// `FairSpillPool` lends all it has to operators that can spill. Those that then merge what was spilled, which cannot
/// spill themselves, find nothing left and fail, the more likely the longer a query runs. Here half is kept for them.
#[derive(Debug)]
pub(super) struct HalvedPool {
    spilling: FairSpillPool,
    merging: GreedyMemoryPool,
    size: usize,
}

impl HalvedPool {
    pub(super) fn shared(size: usize) -> Arc<dyn MemoryPool> {
        let spilling = FairSpillPool::new(size / 2);
        Arc::new(Self { spilling, merging: GreedyMemoryPool::new(size - size / 2), size })
    }

    fn half_of(&self, consumer: &MemoryConsumer) -> &dyn MemoryPool {
        if consumer.can_spill() { &self.spilling } else { &self.merging }
    }
}

impl fmt::Display for HalvedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "halves of {} and {}", self.spilling, self.merging)
    }
}

impl MemoryPool for HalvedPool {
    fn name(&self) -> &str {
        "halved"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.half_of(consumer).register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.half_of(consumer).unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.half_of(reservation.consumer()).grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.half_of(reservation.consumer()).shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.half_of(reservation.consumer()).try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.spilling.reserved() + self.merging.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.size)
    }
}
