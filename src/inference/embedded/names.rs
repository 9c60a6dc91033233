//! The vocabulary of answers: all descriptions as a trie of tokens, with a branch only where names part.

use std::ops::Range;

/// Where a text leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// One name is left, by its number.
    Name(usize),
    /// The model has to choose, at this branch.
    Branch(usize),
}

/// A way on from a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// What the model says to take it, and what follows without a choice up to the next branch.
    pub(super) tokens: Vec<u32>,
    pub(super) to: To,
    /// The lowest name that it leads to: breaks ties.
    pub(super) lowest: usize,
}

/// Descriptions that differ in their tokens.
pub(super) struct Names {
    pub(super) texts: Vec<String>,
    /// What all names begin with.
    pub(super) stem: Vec<u32>,
    pub(super) root: To,
    pub(super) branches: Vec<Vec<Edge>>,
    /// Tokens of the longest name.
    pub(super) longest: usize,
}

impl Names {
    /// A trie of `texts`, each with its tokens; `end` ends a name that others begin with. The error names what cannot be
    /// told apart.
    pub(super) fn new(texts: Vec<String>, tokens: Vec<Vec<u32>>, end: u32) -> Result<Self, String> {
        let mut sorted: Vec<(Vec<u32>, usize)> = tokens.into_iter().zip(0..).collect();
        sorted.iter_mut().for_each(|(tokens, _)| tokens.push(end));
        sorted.sort_unstable();
        if let Some([(_, one), (_, other)]) = sorted.array_windows().find(|[(one, _), (other, _)]| one == other) {
            let (one, other) = (&texts[*one], &texts[*other]);
            return Err(format!("the model cannot tell {one:?} from {other:?}: give one of them another keyword"));
        }
        let longest = sorted.iter().map(|(tokens, _)| tokens.len()).max().ok_or("there is no name to choose from")?;
        let mut branches = Vec::new();
        let (stem, root) = grow(&sorted, 0..sorted.len(), 0, &mut branches);
        Ok(Self { texts, stem, root, branches, longest })
    }
}

/// What the names of a range have in common from `depth` on, and where that leads.
fn grow(
    names: &[(Vec<u32>, usize)],
    range: Range<usize>,
    depth: usize,
    branches: &mut Vec<Vec<Edge>>,
) -> (Vec<u32>, To) {
    let (first, last) = (&names[range.start].0, &names[range.end - 1].0);
    if range.len() == 1 {
        return (Vec::new(), To::Name(names[range.start].1));
    }
    // Sorted: what the first and the last share, all between them share.
    let common = first[depth..].iter().zip(&last[depth..]).take_while(|(one, other)| one == other).count();
    let at = depth + common;
    let branch = branches.len();
    branches.push(Vec::new());
    let mut edges = Vec::new();
    let mut start = range.start;
    for group in names[range].chunk_by(|(one, _), (other, _)| one[at] == other[at]) {
        let (chain, to) = grow(names, start..start + group.len(), at + 1, branches);
        let tokens = std::iter::once(group[0].0[at]).chain(chain).collect();
        let lowest = group.iter().map(|&(_, name)| name).min().unwrap_or(usize::MAX);
        edges.push(Edge { tokens, to, lowest });
        start += group.len();
    }
    branches[branch] = edges;
    (first[depth..at].to_vec(), To::Branch(branch))
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: u32 = 0;

    fn names(tokens: &[&[u32]]) -> Names {
        let texts = tokens.iter().map(|tokens| format!("{tokens:?}")).collect();
        Names::new(texts, tokens.iter().map(|tokens| tokens.to_vec()).collect(), END).unwrap()
    }

    #[test]
    fn a_name_that_others_begin_with_is_ended_by_the_end_of_turn() {
        let names = names(&[&[7, 8], &[7], &[9]]);
        assert_eq!((names.stem.as_slice(), names.root), ([].as_slice(), To::Branch(0)));
        let edge = |tokens: &[u32], to, lowest| Edge { tokens: tokens.to_vec(), to, lowest };
        assert_eq!(names.branches[0], [edge(&[7], To::Branch(1), 0), edge(&[9], To::Name(2), 2)]);
        assert_eq!(names.branches[1], [edge(&[END], To::Name(1), 1), edge(&[8], To::Name(0), 0)]);
    }

    #[test]
    fn what_follows_without_a_choice_is_one_edge() {
        let names = names(&[&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 6], &[1, 7, 3]]);
        assert_eq!((names.stem.as_slice(), names.root), ([1].as_slice(), To::Branch(0)));
        assert_eq!(names.branches[0][0].tokens, [2, 3, 4]);
        assert_eq!(names.branches[0][1], Edge { tokens: vec![7], to: To::Name(2), lowest: 2 });
        assert_eq!(names.longest, 6);
    }

    #[test]
    fn one_name_needs_no_choice_and_equal_ones_are_refused() {
        assert_eq!(names(&[&[4, 4]]).root, To::Name(0));
        let twice = Names::new(vec!["a".into(), "b".into()], vec![vec![1], vec![1]], END);
        assert!(twice.err().unwrap().contains("\"a\" from \"b\""));
        assert!(Names::new(vec![], vec![], END).is_err());
    }
}
