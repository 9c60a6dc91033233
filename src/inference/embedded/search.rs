//! Constrained decoding: the best names by the model's own choice at each branch.

use super::names::{Edge, Names, To};
use super::tree::{Node, Tree};

/// A beam over the trie of names: as wide as answers are wanted, so with one it is greedy.
///
/// At a branch the scores of its edges alone are turned into probabilities; a name's is the product over its branches,
/// and those of all names add up to 1. Ties go to the lower name.
pub(super) struct Search<'n> {
    names: &'n Names,
    best: usize,
    /// In order of preference; the ended and the open compete for the same places.
    beam: Vec<Partial>,
    /// Tokens that were computed for the answer.
    pub(super) computed: u64,
}

/// A name, or the beginning of some.
#[derive(Clone, Copy, Debug)]
struct Partial {
    log_probability: f64,
    lowest: usize,
    /// The node whose output tells of the next choice.
    node: Node,
    to: To,
}

impl<'n> Search<'n> {
    /// Starts after a prompt's last token.
    pub(super) fn new(names: &'n Names, best: usize, prompt: Node) -> Self {
        let start = Partial { log_probability: 0.0, lowest: 0, node: prompt, to: names.root };
        Self { names, best: best.max(1), beam: vec![start], computed: 0 }
    }

    /// The branches to be chosen at, each with the node whose output is needed.
    pub(super) fn open(&self) -> impl Iterator<Item = (Node, usize)> {
        self.beam.iter().filter_map(|partial| match partial.to {
            To::Branch(branch) => Some((partial.node, branch)),
            To::Name(_) => None,
        })
    }

    /// Takes the scores of the open branches' edges, in their order.
    pub(super) fn advance(&mut self, scores: impl IntoIterator<Item = Vec<f32>>, tree: &mut Tree) {
        let mut scores = scores.into_iter();
        let mut next: Vec<(Partial, Option<&Edge>)> = Vec::new();
        for &partial in &self.beam {
            let To::Branch(branch) = partial.to else {
                next.push((partial, None));
                continue;
            };
            let edges = &self.names.branches[branch];
            let logs = log_softmax(&scores.next().unwrap_or_default());
            next.extend(edges.iter().zip(logs).map(|(edge, log)| {
                let log_probability = partial.log_probability + log;
                (Partial { log_probability, lowest: edge.lowest, node: partial.node, to: edge.to }, Some(edge))
            }));
        }
        next.sort_unstable_by(|(one, _), (other, _)| {
            other.log_probability.total_cmp(&one.log_probability).then(one.lowest.cmp(&other.lowest))
        });
        next.truncate(self.best);
        self.beam = next.into_iter().map(|(partial, edge)| self.step(partial, edge, tree)).collect();
    }

    /// Adds an edge's tokens where a choice follows them.
    fn step(&mut self, partial: Partial, edge: Option<&Edge>, tree: &mut Tree) -> Partial {
        match (partial.to, edge) {
            (To::Branch(_), Some(edge)) => {
                let (node, shared) = tree.extend(Some(partial.node), &edge.tokens);
                self.computed += (edge.tokens.len() - shared) as u64;
                Partial { node: node.unwrap_or(partial.node), ..partial }
            }
            _ => partial,
        }
    }

    /// The names found with their probabilities, best first.
    pub(super) fn found(&self) -> impl Iterator<Item = (&'n str, f64)> {
        self.beam.iter().filter_map(|partial| match partial.to {
            To::Name(name) => Some((self.names.texts[name].as_str(), partial.log_probability.exp())),
            To::Branch(_) => None,
        })
    }
}

fn log_softmax(scores: &[f32]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|score| f64::from(score - highest).exp()).sum();
    scores.iter().map(|score| f64::from(score - highest) - sum.ln()).collect()
}
