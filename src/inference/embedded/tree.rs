//! Texts as one tree of tokens: what several have in common from their start is computed once.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::{Result, Tensor};

use super::llama::{KeyValues, Llama, Rows};

/// The most rows of one pass. More are not faster, and the scores of attention take rows x slots x heads x 4 bytes.
const ROWS: usize = 256;

/// A token in its text: the index of its slot.
pub(super) type Node = usize;

/// Tokens, each after its parent, with the keys and values of those that are computed.
pub(super) struct Tree<'m> {
    model: &'m Llama,
    tokens: Vec<u32>,
    parents: Vec<Option<Node>>,
    depths: Vec<u32>,
    /// The newest node for each token after each parent.
    children: HashMap<(Option<Node>, u32), Node>,
    /// Slots before this one are computed.
    computed: usize,
    room: Vec<KeyValues>,
    slots: usize,
}

impl<'m> Tree<'m> {
    pub(super) fn new(model: &'m Llama) -> Self {
        let (tokens, parents, depths) = (Vec::new(), Vec::new(), Vec::new());
        Self { model, tokens, parents, depths, children: HashMap::new(), computed: 0, room: Vec::new(), slots: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Adds what is missing of `tokens` after `parent`; returns the last of them, whose output can then be asked for,
    /// and how many were there already. A last token that was computed earlier is added again: only keys and values
    /// are kept, no outputs.
    pub(super) fn extend(&mut self, parent: Option<Node>, tokens: &[u32]) -> (Option<Node>, usize) {
        let (mut at, mut shared) = (parent, 0);
        for (n, &token) in tokens.iter().enumerate() {
            let last = n + 1 == tokens.len();
            let known = self.children.get(&(at, token)).copied().filter(|&node| !last || node >= self.computed);
            shared += usize::from(known.is_some());
            at = Some(known.unwrap_or_else(|| self.push(at, token)));
        }
        (at, shared)
    }

    fn push(&mut self, parent: Option<Node>, token: u32) -> Node {
        let node = self.tokens.len();
        self.tokens.push(token);
        self.parents.push(parent);
        self.depths.push(parent.map_or(0, |parent| self.depths[parent] + 1));
        self.children.insert((parent, token), node);
        node
    }

    /// Computes all that is not computed; returns the outputs of the nodes `wanted`, in their order. All of them must
    /// have been added since the last call.
    pub(super) fn compute(&mut self, wanted: &[Node]) -> Result<Tensor> {
        let (from, to) = (self.computed, self.len());
        self.reserve(to)?;
        let mut outputs = Vec::new();
        for first in (from..to).step_by(ROWS) {
            outputs.push(self.model.forward(&self.rows(first..to.min(first + ROWS)), &self.room)?);
        }
        self.computed = to;
        let rows: Vec<u32> = wanted.iter().map(|&node| (node - from) as u32).collect();
        Tensor::cat(&outputs, 0)?.index_select(&Tensor::from_slice(&rows, rows.len(), self.model.device())?, 0)
    }

    fn rows(&self, nodes: Range<Node>) -> Rows {
        let (first, slots) = (nodes.start, nodes.end);
        let mut mask = vec![f32::NEG_INFINITY; nodes.len() * slots];
        for (node, row) in nodes.clone().zip(mask.chunks_exact_mut(slots)) {
            self.path(node).for_each(|seen| row[seen] = 0.0);
        }
        Rows { tokens: self.tokens[nodes.clone()].to_vec(), positions: self.depths[nodes].to_vec(), first, mask }
    }

    /// A node and all before it in its text, the last first.
    fn path(&self, node: Node) -> impl Iterator<Item = Node> {
        std::iter::successors(Some(node), |&node| self.parents[node])
    }

    /// Forgets all but the text that ends at `node`.
    pub(super) fn keep(&mut self, node: Node) -> Result<()> {
        let mut path: Vec<Node> = self.path(node).filter(|&node| node < self.computed).collect();
        path.reverse();
        let tokens: Vec<u32> = path.iter().map(|&node| self.tokens[node]).collect();
        (self.tokens, self.parents, self.depths) = (Vec::new(), Vec::new(), Vec::new());
        (self.children, self.computed) = (HashMap::new(), 0);
        if path.is_empty() {
            return Ok(());
        }
        let slots: Vec<u32> = path.iter().map(|&node| node as u32).collect();
        let slots = Tensor::from_slice(&slots, slots.len(), self.model.device())?;
        for layer in &self.room {
            for side in [&layer.keys, &layer.values] {
                side.slice_set(&side.index_select(&slots, 1)?, 1, 0)?;
            }
        }
        self.extend(None, &tokens);
        self.computed = self.len();
        Ok(())
    }

    /// Room for that many slots, at least half as much again as there was.
    fn reserve(&mut self, slots: usize) -> Result<()> {
        if slots <= self.slots {
            return Ok(());
        }
        let slots = slots.max(self.slots * 3 / 2);
        let room = self.model.room(slots)?;
        for (new, old) in room.iter().zip(&self.room).filter(|_| self.computed > 0) {
            for (new, old) in [(&new.keys, &old.keys), (&new.values, &old.values)] {
                new.slice_set(&old.narrow(1, 0, self.computed)?.contiguous()?, 1, 0)?;
            }
        }
        (self.room, self.slots) = (room, slots);
        Ok(())
    }
}
