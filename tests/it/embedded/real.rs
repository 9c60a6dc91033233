//! The default model itself. Where it cannot be fetched these tests say so and end.

use segue::inference::{Answer, Decoding, Model};

use super::{GREEDY, ask, ask_alone, question, real, texts, whole};

const CITIES: [&str; 5] = ["Berlin", "London", "Paris", "Paris, Texas", "Rome"];

#[test]
fn it_knows_what_a_small_model_knows() {
    let Some(model) = real(&CITIES) else { return };
    assert!(model.id().starts_with("gguf:b179c952"), "{}", model.id());
    let answer = ask(&model, vec![question(1, "What is the capital of France?", GREEDY)]).remove(0).unwrap();
    assert!(texts(&answer)[0].contains("Paris"), "{answer:?}");
    let all = Decoding::Constrained { best: 5 };
    let answer =
        ask(&model, vec![question(1, "Name the capital of Italy. Say its name only.", all)]).remove(0).unwrap();
    assert_eq!(texts(&answer)[0], "Rome", "{answer:?}");
    assert!((whole(&answer) - 1.0).abs() < 1e-9 && answer.candidates.len() == 5);
}

#[test]
fn sharing_and_batches_change_no_answer_of_it() {
    let names =
        ["action, adventure", "comedy", "comedy, romance", "documentary", "drama", "drama, history", "日本, アニメ"];
    let Some(model) = real(&names) else { return };
    let content = |n: usize| format!("A user watched {:?}, then {:?}. What next?", names[n / 7], names[n % 7]);
    let decoding = Decoding::Constrained { best: 2 };
    let questions: Vec<_> = (0..28).map(|n| question(n as u64, &content(n), decoding)).collect();
    let alone = ask_alone(&model, &questions);
    let shared: Vec<Answer> = ask(&model, questions).into_iter().map(Result::unwrap).collect();
    for (one, other) in shared.iter().zip(&alone) {
        assert_eq!(texts(one), texts(other));
        assert_eq!(one.usage.prompt + one.usage.shared, other.usage.prompt);
    }
}
