//! Samples as one tree of tokens: what several have in common from their start is one row, forwards and backwards.

use std::ops::Range;

/// Rows that look at the tree together. They see the union of what each sees: the fewer, the less is computed in vain.
const TOGETHER: usize = 128;

/// A sample in tokens.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    /// The prompt's, then the answer's, up to the mark that ends it.
    pub(super) tokens: Vec<u32>,
    /// How many are the prompt's.
    pub(super) prompt: usize,
}

impl Encoded {
    /// Answer tokens, the ending mark included.
    pub(super) fn answer(&self) -> usize {
        self.tokens.len() - self.prompt
    }
}

/// What one pass computes. Rows come in the order of the samples' tokens, each after the one before it in its text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch {
    pub(super) tokens: Vec<u32>,
    /// How many tokens stand before each in its text.
    pub(super) positions: Vec<u32>,
    pub(super) views: Vec<View>,
    /// Rows whose outputs are asked for, each with what should come out, once a sample.
    pub(super) asked: Vec<u32>,
    pub(super) wanted: Vec<Vec<u32>>,
    /// Tokens that the samples have, shared or not.
    pub(super) whole: usize,
}

/// A stretch of rows, and what they see.
#[derive(Debug, PartialEq)]
pub(super) struct View {
    pub(super) rows: Range<usize>,
    /// The rows that any of them sees, ascending.
    pub(super) slots: Vec<u32>,
    /// Rows by slots: 0 where a row sees a slot, minus infinity where not.
    pub(super) mask: Vec<f32>,
}

impl Batch {
    /// As many of `samples`, which are sorted by their tokens, as have up to `most` rows, one at least; and the others.
    pub(super) fn cut(samples: &[Encoded], most: usize) -> (Self, &[Encoded]) {
        let (mut batch, mut parents, mut path) = (Self::default(), Vec::new(), Vec::<usize>::new());
        let mut taken = 0;
        for sample in samples {
            // Nothing is asked of the last token.
            let text = &sample.tokens[..sample.tokens.len() - 1];
            let shared = path.iter().zip(text).take_while(|&(&row, token)| batch.tokens[row] == *token).count();
            if taken > 0 && batch.tokens.len() + text.len() - shared > most {
                break;
            }
            path.truncate(shared);
            for (position, &token) in text.iter().enumerate().skip(shared) {
                parents.push(path.last().copied());
                path.push(batch.tokens.len());
                batch.tokens.push(token);
                batch.positions.push(position as u32);
            }
            batch.whole += text.len();
            for (&row, &token) in path[sample.prompt - 1..].iter().zip(&sample.tokens[sample.prompt..]) {
                batch.want(row as u32, token);
            }
            taken += 1;
        }
        let rows = batch.tokens.len();
        let stretch = |first| View::of(first..rows.min(first + TOGETHER), &parents);
        batch.views = (0..rows).step_by(TOGETHER).map(stretch).collect();
        (batch, &samples[taken..])
    }

    /// What is asked of one row for several samples is scored once.
    fn want(&mut self, row: u32, token: u32) {
        match self.asked.iter().rposition(|&asked| asked == row) {
            Some(at) => self.wanted[at].push(token),
            None => {
                self.asked.push(row);
                self.wanted.push(vec![token]);
            }
        }
    }
}

impl View {
    fn of(rows: Range<usize>, parents: &[Option<usize>]) -> Self {
        let path = |row: usize| std::iter::successors(Some(row), |&row| parents[row]);
        let mut seen = vec![false; rows.end];
        // Whoever is seen already has all before it seen too.
        for row in rows.clone() {
            path(row).take_while(|&row| !std::mem::replace(&mut seen[row], true)).for_each(drop);
        }
        let mut places = vec![0; rows.end];
        let mut slots = Vec::new();
        for row in (0..rows.end).filter(|&row| seen[row]) {
            places[row] = slots.len();
            slots.push(row as u32);
        }
        let mut mask = vec![f32::NEG_INFINITY; rows.len() * slots.len()];
        for (row, mask) in rows.clone().zip(mask.chunks_exact_mut(slots.len())) {
            path(row).for_each(|seen| mask[places[seen]] = 0.0);
        }
        Self { rows, slots, mask }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(tokens: &[u32], prompt: usize) -> Encoded {
        Encoded { tokens: tokens.to_vec(), prompt }
    }

    #[test]
    fn what_is_shared_is_one_row_and_each_row_sees_its_own_text() {
        let samples = [sample(&[1, 2, 3, 9], 3), sample(&[1, 2, 3, 9], 3), sample(&[1, 2, 4, 8, 9], 3)];
        let (batch, rest) = Batch::cut(&samples, 100);
        assert!(rest.is_empty());
        assert_eq!((batch.tokens, batch.positions), (vec![1, 2, 3, 4, 8], vec![0, 1, 2, 2, 3]));
        assert_eq!((batch.asked, batch.wanted), (vec![2, 3, 4], vec![vec![9, 9], vec![8], vec![9]]));
        assert_eq!(batch.whole, 3 + 3 + 4);
        let seen: Vec<Vec<usize>> =
            batch.views[0].mask.chunks(5).map(|row| (0..5).filter(|&slot| row[slot] == 0.0).collect()).collect();
        assert_eq!(seen, [vec![0], vec![0, 1], vec![0, 1, 2], vec![0, 1, 3], vec![0, 1, 3, 4]]);
    }

    #[test]
    fn a_pass_takes_one_sample_at_least_and_no_more_rows_than_told() {
        let samples = [sample(&[1, 2, 9], 1), sample(&[1, 3, 9], 1), sample(&[5, 9], 1)];
        let cut = |samples, most| {
            let (batch, rest) = Batch::cut(samples, most);
            (batch.tokens.len(), rest.len())
        };
        assert_eq!(cut(&samples, 1), (2, 2));
        assert_eq!(cut(&samples, 3), (3, 1));
        assert_eq!(cut(&samples[2..], 1), (1, 0));
    }

    #[test]
    fn stretches_far_down_see_their_beginnings_only() {
        let long: Vec<Encoded> = (0..9).map(|n| sample(&[&[1, 2][..], &[n + 3; 60][..]].concat(), 2)).collect();
        let (batch, _) = Batch::cut(&long, 10_000);
        let last = batch.views.last().unwrap();
        assert!(last.slots.starts_with(&[0, 1]) && last.slots.len() < TOGETHER + 64, "{:?}", last.slots.len());
    }
}
