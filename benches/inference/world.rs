//! Clusters and the prompts of their pairs, about as long as real ones.

use segue::inference::{Decoding, Message, Question, Role};

const KINDS: [&str; 12] = [
    "action",
    "animation",
    "comedy",
    "crime",
    "documentary",
    "drama",
    "family",
    "fantasy",
    "horror",
    "mystery",
    "romance",
    "science fiction",
];
const TOPICS: [&str; 10] =
    ["heist", "space", "family ties", "revenge", "high school", "war", "road trip", "music", "courtroom", "survival"];
const TIMES: [&str; 5] = ["1970s", "1980s", "1990s", "2000s", "recent"];
/// First clusters that share a round; the instruction is common to all.
const GROUP: u64 = 16;
const INSTRUCTION: &str = "You predict what a user will be interested in next. Interests are clusters of movies, each \
                           described by its keywords. Answer with the description of one cluster, and nothing else.";

/// The descriptions of that many clusters, at most 600.
pub(crate) fn names(clusters: usize) -> Vec<String> {
    let all = KINDS.iter().flat_map(|kind| TOPICS.iter().map(move |topic| (kind, topic)));
    let all = all.flat_map(|(kind, topic)| TIMES.iter().map(move |time| format!("{kind}, {topic}, {time}")));
    all.take(clusters).collect()
}

/// The questions of one round, in the order of their keys.
pub(crate) fn questions(names: &[String], round: u64, keys: u64, best: usize) -> Vec<Question> {
    // Any fixed order in which neighbouring numbers are far apart.
    let name = |n: u64| &names[(n.wrapping_mul(7_919) % names.len() as u64) as usize];
    let question = |n: u64| {
        let (first, second) = (name(round * keys + n / GROUP), name(1 + n % GROUP + 31 * round));
        let retrieved = name(2 * n + 5);
        let told = format!(
            "The user watched these clusters, the oldest first:\n1. {first}\n2. {second}\nOthers went on to: \
             {retrieved}\nWhich cluster comes next?"
        );
        let message = |role, content: &str| Message { role, content: content.into() };
        let messages = vec![message(Role::System, INSTRUCTION), message(Role::User, &told)];
        Question { id: n, messages, decoding: Decoding::Constrained { best } }
    };
    (0..keys).map(question).collect()
}
