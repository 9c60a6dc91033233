//! Swaps under load: every answer is whole, and wholly from one version.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use segue::proto::{BatchLookupRequest, LookupResponse, PublishRequest, RollbackRequest};

use super::harness::*;

const SWAPS: u64 = 25;

/// What version `number` answers `3, 0` with first; neighbouring versions differ.
fn next_of(number: u64) -> u32 {
    [8, 7, 25][number as usize % 3]
}

fn check(answer: &LookupResponse) -> u64 {
    assert_eq!(clusters(answer)[0], next_of(answer.version), "{answer:?}");
    assert_eq!((answer.predictions.len(), answer.matched), (2, 2));
    answer.version
}

/// Asks until told to stop; returns the number of answers and the last version seen.
async fn hammer(served: Arc<Served>, stop: Arc<AtomicBool>) -> (u64, u64) {
    let mut client = served.lookups().await;
    let (mut answers, mut last) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        last = check(&client.lookup(lookup(&[3, 0], 2)).await.unwrap().into_inner());
        let batch = BatchLookupRequest { lookups: vec![lookup(&[3, 0], 2); 64] };
        let batch = client.batch_lookup(batch).await.unwrap().into_inner();
        assert_eq!(batch.results.len(), 64);
        assert!(batch.results.iter().all(|answer| check(answer) == batch.results[0].version), "a mixed batch");
        answers += 65;
    }
    (answers, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_fails_or_mixes_versions_while_tables_are_swapped() {
    let served = Arc::new(start_with(Default::default(), None, false).await);
    publish(&served.store, add(&served.store, next_of(1)));
    let mut admin = served.operations().await;
    admin.reload(segue::proto::ReloadRequest {}).await.unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|_| tokio::spawn(hammer(Arc::clone(&served), Arc::clone(&stop)))).collect();
    for number in 2..=SWAPS {
        let version = add(&served.store, next_of(number)).0;
        let moved = admin.publish(PublishRequest { version, ..Default::default() }).await.unwrap().into_inner();
        assert_eq!(moved.version, number);
    }
    admin.rollback(RollbackRequest::default()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let (answers, last) = client.await.unwrap();
        assert!(answers > 0);
        assert_eq!(last, SWAPS - 1, "a client missed the last move");
    }
}
