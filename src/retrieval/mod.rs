//! Successors of a key (section 2.3): what users moved on to after it, the most frequent first.
//!
//! Today they are the predictions themselves, named honestly as [`Source::Retrieved`]; they are also what a prompt
//! shows a language model.

use crate::ids::ClusterId;
use crate::table::{Candidate, Score, Source};

/// A key's row by frequency alone (section 2.3.2): its novel successors by count, descending, ties by id, at most
/// `width`. The score is the successor's share of the key's count.
pub fn by_frequency(key: &[ClusterId], next: &[(ClusterId, u64)], width: usize) -> Vec<Candidate> {
    let whole = next.iter().map(|&(_, count)| count).sum();
    let mut ranked: Vec<_> = next.iter().filter(|(cluster, _)| !key.contains(cluster)).copied().collect();
    ranked.sort_unstable_by_key(|&(cluster, count)| (std::cmp::Reverse(count), cluster));
    ranked.truncate(width);
    let candidate =
        |(cluster, count)| Candidate { cluster, score: Score::share(count, whole), source: Source::Retrieved };
    ranked.into_iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_distribution_is_ranked_as_in_the_paper() {
        // Section 2.3.1: {(c1, c2, c3): 10, (c1, c2, c4): 8, (c1, c2, c5): 2}.
        let key = [ClusterId(1), ClusterId(2)];
        let next = [(ClusterId(3), 10), (ClusterId(4), 8), (ClusterId(5), 2)];
        let row = by_frequency(&key, &next, 2);
        let ranked: Vec<_> = row.iter().map(|candidate| (candidate.cluster.0, candidate.score)).collect();
        assert_eq!(ranked, [(3, Score::share(1, 2)), (4, Score::share(2, 5))]);
    }

    #[test]
    fn ties_go_by_id_and_the_keys_own_clusters_are_not_novel() {
        let next = [(ClusterId(9), 4), (ClusterId(1), 7), (ClusterId(3), 4)];
        let row = by_frequency(&[ClusterId(1)], &next, 8);
        assert_eq!(row.iter().map(|candidate| candidate.cluster.0).collect::<Vec<_>>(), [3, 9]);
    }
}
