//! A key's row: the model's answers, then the key's own successors.

use std::cmp::Reverse;

use crate::ids::ClusterId;
use crate::table::{Candidate, Score, Source};

/// The row of `key`: `answers` in their order, then its successors `next` by count, descending, ties by id, without
/// repeats and without the key's own clusters, at most `width` in all. Each keeps its source; a successor's score is its
/// share of the key's count.
pub fn row(key: &[ClusterId], answers: &[Candidate], next: &[(ClusterId, u64)], width: usize) -> Vec<Candidate> {
    let whole = next.iter().map(|&(_, count)| count).sum();
    let mut ranked = next.to_vec();
    ranked.sort_unstable_by_key(|&(cluster, count)| (Reverse(count), cluster));
    let retrieved =
        |(cluster, count)| Candidate { cluster, score: Score::share(count, whole), source: Source::Retrieved };
    let mut row: Vec<Candidate> = Vec::with_capacity(width);
    for candidate in answers.iter().copied().chain(ranked.into_iter().map(retrieved)) {
        let repeated = row.iter().any(|present| present.cluster == candidate.cluster);
        if row.len() < width && !repeated && !key.contains(&candidate.cluster) {
            row.push(candidate);
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(row: &[Candidate]) -> Vec<(u32, Score, Source)> {
        row.iter().map(|candidate| (candidate.cluster.0, candidate.score, candidate.source)).collect()
    }

    #[test]
    fn the_papers_distribution_is_ranked_as_in_the_paper() {
        // Section 2.3.1: {(c1, c2, c3): 10, (c1, c2, c4): 8, (c1, c2, c5): 2}.
        let key = [ClusterId(1), ClusterId(2)];
        let next = [(ClusterId(3), 10), (ClusterId(4), 8), (ClusterId(5), 2)];
        let expected = [(3, Score::share(1, 2), Source::Retrieved), (4, Score::share(2, 5), Source::Retrieved)];
        assert_eq!(ranked(&row(&key, &[], &next, 2)), expected);
    }

    #[test]
    fn ties_go_by_id_and_the_keys_own_clusters_are_not_novel() {
        let next = [(ClusterId(9), 4), (ClusterId(1), 7), (ClusterId(3), 4)];
        let row = row(&[ClusterId(1)], &[], &next, 8);
        assert_eq!(row.iter().map(|candidate| candidate.cluster.0).collect::<Vec<_>>(), [3, 9]);
    }

    #[test]
    fn answers_stand_first_and_what_they_named_is_not_repeated() {
        let llm = |cluster| Candidate { cluster: ClusterId(cluster), score: Score::ONE, source: Source::Llm };
        let next = [(ClusterId(3), 3), (ClusterId(4), 1)];
        let full = row(&[ClusterId(1)], &[llm(4), llm(1), llm(4), llm(7)], &next, 8);
        let three_quarters = (3, Score::share(3, 4), Source::Retrieved);
        assert_eq!(ranked(&full), [(4, Score::ONE, Source::Llm), (7, Score::ONE, Source::Llm), three_quarters]);
        assert_eq!(ranked(&row(&[], &[llm(7)], &next, 1)), [(7, Score::ONE, Source::Llm)]);
    }
}
