//! Tuned models in the store: numbered, judged, asked when approved, and gone back from.

use segue::ids::ModelId;
use segue::store::models::{ModelError, ModelState, NewModel, NewWeights, Weights};
use segue::store::{Judgement, Store, StoreError};
use serde_json::json;

use super::fixture::{listing, note, open};

fn judged(state: ModelState) -> Judgement<ModelState> {
    let (who, why) = ("tester".into(), "the gates say so".into());
    Judgement {
        seq: 1,
        state,
        who,
        at: chrono::Utc::now(),
        why,
        findings: Vec::new(),
        report: json!({ "recall": 0.1 }),
    }
}

fn add(store: &Store, state: Option<ModelState>) -> ModelId {
    let new = NewModel {
        weights: NewWeights::Adapter("gguf:abc", b"adapter"),
        training: json!({ "curve": [3.0, 1.0] }),
        judgement: state.map(judged),
        creator: "tester".into(),
        reason: "a test".into(),
    };
    store.add_model(&new).unwrap().model
}

#[test]
fn a_model_is_kept_with_all_that_is_said_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!((store.models().unwrap(), store.current_model().unwrap()), (vec![], None));
    let (held, remote) = (
        add(&store, Some(ModelState::Held)),
        store.add_model(&NewModel {
            weights: NewWeights::Remote("ft:one"),
            training: json!(null),
            judgement: None,
            creator: "tester".into(),
            reason: String::new(),
        }),
    );
    assert_eq!(store.models().unwrap(), [ModelId(2), ModelId(1)]);
    let (held, remote) = (store.model(held).unwrap(), remote.unwrap());
    assert_eq!(remote.weights, Weights::Remote { model: "ft:one".into() });
    assert_eq!((store.adapter(&remote).unwrap(), store.model(ModelId(2)).unwrap()), (None, remote));
    assert_eq!(held.training, json!({ "curve": [3.0, 1.0] }));
    let adapter = store.adapter(&held).unwrap().unwrap();
    assert_eq!(std::fs::read(&adapter).unwrap(), b"adapter");
    assert_eq!(store.model_judgements(ModelId(1)).unwrap()[0].report, json!({ "recall": 0.1 }));
    let states = [1, 2].map(|n| store.model_state(ModelId(n)).unwrap());
    assert_eq!(states, [ModelState::Held, ModelState::Candidate]);
    std::fs::write(adapter, b"another").unwrap();
    assert!(matches!(store.adapter(&held), Err(StoreError::Model(ModelError::Exchanged { .. }))));
    store.gc(false).unwrap();
    assert_eq!((listing(&dir.path().join("drafts")).len(), store.models().unwrap().len()), (0, 2));
}

#[test]
fn the_newest_approved_one_is_asked_and_one_command_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let [first, second, third] =
        [ModelState::Approved, ModelState::Approved, ModelState::Held].map(|state| add(&store, Some(state)));
    let current = || store.current_model().unwrap();
    assert_eq!(current(), Some(second), "what is held is not asked");
    store.approve_model(third, &note("I looked at it")).unwrap();
    assert_eq!(current(), Some(third));
    assert_eq!(store.rollback_model(None, &note("worse")).unwrap(), second);
    assert_eq!((current(), store.model_state(third).unwrap()), (Some(second), ModelState::Retired));
    store.approve_model(third, &note("after all")).unwrap();
    assert_eq!(store.rollback_model(Some(first), &note("much worse")).unwrap(), first);
    assert_eq!((current(), store.model_judgements(third).unwrap().len()), (Some(first), 5));
    assert!(matches!(store.rollback_model(None, &note("?")), Err(StoreError::Model(ModelError::NothingBefore))));
    assert!(matches!(
        store.rollback_model(Some(second), &note("?")),
        Err(StoreError::Model(ModelError::NotApproved { .. }))
    ));
    store.reject_model(first, &note("none is good")).unwrap();
    assert_eq!(current(), None);
    assert!(matches!(store.reject_model(first, &note(" ")), Err(StoreError::NoReason { .. })));
    assert!(matches!(store.approve_model(ModelId(9), &note("?")), Err(StoreError::Model(ModelError::Unknown { .. }))));
}

#[test]
fn two_that_add_at_once_get_two_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).map(|_| add(&store, None)).max());
        }
    });
    assert_eq!(store.models().unwrap(), (1..=20).rev().map(ModelId).collect::<Vec<_>>());
    assert!(store.models().unwrap().into_iter().all(|model| store.model(model).is_ok()));
}
