//! From what a model said to clusters (section 2.2: "predictions precisely matching the partition description").

use super::model::Candidate;
use super::vocabulary::Vocabulary;
use crate::ids::ClusterId;

/// What the candidates of one question came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The distinct clusters named that are not of the key, with their probabilities: the one named most often first,
    /// ties in the model's order.
    pub clusters: Vec<(ClusterId, Option<f64>)>,
    /// The first cluster named, the key's own included.
    pub first: Option<ClusterId>,
    /// Candidates.
    pub said: u64,
    /// Those that, trimmed, equal one description; the key's own included.
    pub exact: u64,
    /// Those that name one of the key's own clusters.
    pub own: u64,
}

/// Reads the candidates of a question about `key`.
pub fn parse(vocabulary: &Vocabulary, key: &[ClusterId], candidates: &[Candidate]) -> Parsed {
    let mut parsed = Parsed { said: candidates.len() as u64, ..Parsed::default() };
    let mut votes: Vec<(ClusterId, Option<f64>, u64)> = Vec::new();
    for Candidate { text, probability } in candidates {
        let Some(cluster) = vocabulary.cluster(text.trim()) else { continue };
        parsed.exact += 1;
        parsed.first.get_or_insert(cluster);
        if key.contains(&cluster) {
            parsed.own += 1;
        } else if let Some(present) = votes.iter_mut().find(|(present, ..)| *present == cluster) {
            present.2 += 1;
        } else {
            votes.push((cluster, *probability, 1));
        }
    }
    // Stable: ties stay in the model's order.
    votes.sort_by_key(|&(.., votes)| std::cmp::Reverse(votes));
    parsed.clusters = votes.into_iter().map(|(cluster, probability, _)| (cluster, probability)).collect();
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taxonomy::Taxonomy;

    fn check(said: &[&str], clusters: &[u32], exact: u64, own: u64) {
        let rows = [(1, "jazz"), (2, "jazz, piano"), (3, "chess, go"), (4, "Chess, go"), (5, "\"quoted\"")];
        let taxonomy = Taxonomy::new(rows.map(|(id, keywords)| (ClusterId(id), keywords))).unwrap();
        let vocabulary = Vocabulary::new(&taxonomy).unwrap();
        let candidates = said.iter().map(|text| Candidate { text: (*text).into(), probability: None });
        let parsed = parse(&vocabulary, &[ClusterId(1)], &candidates.collect::<Vec<_>>());
        let found: Vec<u32> = parsed.clusters.iter().map(|(cluster, _)| cluster.0).collect();
        assert_eq!((found.as_slice(), parsed.exact, parsed.own), (clusters, exact, own), "{said:?}");
        assert_eq!(parsed.said, said.len() as u64);
    }

    #[test]
    fn only_a_whole_description_names_a_cluster() {
        check(&["\n jazz, piano \t"], &[2], 1, 0);
        check(&["jazz,piano"], &[], 0, 0);
        check(&["jazz, piano."], &[], 0, 0);
        check(&["The answer is chess, go"], &[], 0, 0);
        check(&["CHESS, GO"], &[], 0, 0);
        check(&["Chess, go", "chess, go"], &[4, 3], 2, 0);
        check(&["\"quoted\"", "quoted", ""], &[5], 1, 0);
    }

    #[test]
    fn the_keys_own_clusters_match_but_predict_nothing() {
        check(&["jazz"], &[], 1, 1);
        check(&["jazz", "chess, go"], &[3], 2, 1);
    }

    #[test]
    fn what_is_named_most_often_comes_first() {
        check(&["chess, go", "jazz, piano", "what?", "jazz, piano"], &[2, 3], 3, 0);
    }
}
