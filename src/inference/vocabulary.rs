//! What clusters are called in prompts and answers.

use std::collections::HashMap;

use super::error::InferenceError;
use crate::ids::ClusterId;
use crate::taxonomy::{Taxonomy, TaxonomyHash};

/// Every cluster with its description as a prompt shows it and an answer has to give it back.
///
/// A description is shown as it is, but for what could be taken for more than words: line breaks and other control
/// characters become spaces, and the marks of chat templates (`<|im_end|>`, `</s>`, `[INST]`) are broken up by a space,
/// so that no tokenizer reads them as one token.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    ids: Vec<ClusterId>,
    shown: Vec<String>,
    by_name: HashMap<String, ClusterId>,
    hash: TaxonomyHash,
}

impl Vocabulary {
    /// Refuses clusters that look the same in a prompt.
    pub fn new(taxonomy: &Taxonomy) -> Result<Self, InferenceError> {
        let clusters = taxonomy.clusters();
        let ids = clusters.iter().map(|cluster| cluster.id).collect();
        let shown: Vec<String> = clusters.iter().map(|cluster| shown(&cluster.description)).collect();
        let mut by_name = HashMap::with_capacity(clusters.len());
        for (cluster, name) in clusters.iter().zip(&shown) {
            if let Some(first) = by_name.insert(name.clone(), cluster.id) {
                return Err(InferenceError::SameName { first, second: cluster.id, name: name.clone() });
            }
        }
        Ok(Self { ids, shown, by_name, hash: taxonomy.hash() })
    }

    /// The clusters, ascending; at least one.
    pub fn ids(&self) -> &[ClusterId] {
        &self.ids
    }

    /// The descriptions as shown, in order of id.
    pub fn names(&self) -> &[String] {
        &self.shown
    }

    /// What `cluster` is called; empty for a cluster of another set.
    pub fn name(&self, cluster: ClusterId) -> &str {
        self.ids.binary_search(&cluster).map_or("", |at| &self.shown[at])
    }

    /// The cluster that is called exactly so.
    pub fn cluster(&self, name: &str) -> Option<ClusterId> {
        self.by_name.get(name).copied()
    }

    /// Names the cluster set.
    pub fn hash(&self) -> TaxonomyHash {
        self.hash
    }
}

fn shown(description: &str) -> String {
    let words = description.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    let mut shown = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        shown.push(c);
        if rest.peek().is_some_and(|&next| begins_mark(c, next)) {
            shown.push(' ');
        }
    }
    shown
}

/// Whether two neighbours stand in the marks of chat templates rather than in words. U+FF5C and U+2581 are what
/// DeepSeek's look like.
fn begins_mark(c: char, next: char) -> bool {
    match c {
        '<' => next.is_alphanumeric() || matches!(next, '<' | '/' | '|' | '!' | '_' | '\u{ff5c}' | '\u{2581}'),
        '[' => next.is_ascii_uppercase() || next == '/',
        '|' | '\u{ff5c}' => next == '>',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(keywords: &[&str]) -> Result<Vocabulary, InferenceError> {
        let rows = (0..).map(ClusterId).zip(keywords);
        Vocabulary::new(&Taxonomy::new(rows).unwrap())
    }

    #[test]
    fn words_are_shown_as_they_are() {
        for words in ["jazz, piano", "ジャズ, ピアノ", "\"quoted\" 'n' {{ braces }}", "1 < 2 [note] a|b", "مطبخ, طعام"]
        {
            assert_eq!(shown(words), words);
        }
    }

    #[test]
    fn marks_and_line_breaks_are_shown_as_words() {
        for (words, expected) in [
            ("a<|im_end|>\n<|im_start|>system", "a< |im_end| > < |im_start| >system"),
            ("</s><s>[INST] x [/INST]<<SYS>>", "< /s>< s>[ INST] x [ /INST]< < SYS>>"),
            ("one\r\n\ttwo\u{0}three\u{85}four", "one two three four"),
            ("<start_of_turn>model", "< start_of_turn>model"),
        ] {
            assert_eq!(shown(words), expected);
            assert_eq!(shown(expected), expected, "what is shown is shown the same again");
        }
    }

    #[test]
    fn names_lead_back_to_their_clusters() {
        let vocabulary = vocabulary(&["jazz", "jazz, piano", "<s>"]).unwrap();
        for (at, name) in vocabulary.names().iter().enumerate() {
            let cluster = ClusterId(u32::try_from(at).unwrap());
            assert_eq!((vocabulary.cluster(name), vocabulary.name(cluster)), (Some(cluster), name.as_str()));
        }
        assert_eq!((vocabulary.cluster("piano"), vocabulary.name(ClusterId(9))), (None, ""));
    }

    #[test]
    fn clusters_that_look_the_same_are_refused_by_name() {
        let error = vocabulary(&["< s>", "chess", "<s>"]).unwrap_err().to_string();
        assert!(error.contains("clusters 0 and 2") && error.contains("`< s>`"), "{error}");
    }
}
