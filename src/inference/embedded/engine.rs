//! Questions to answers, many in one pass.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;
use xxhash_rust::xxh3::xxh3_64;

use super::chat::Chat;
use super::drawing::Drawing;
use super::error::LoadError;
use super::llama::{Llama, scores};
use super::names::{Edge, Names};
use super::search::Search;
use super::tokens::Tokens;
use super::tree::{Node, Tree};
use super::weights::Weights;
use crate::inference::{Answer, Candidate, Decoding, ModelError, Question, Usage};

/// Tokens after the first prompt's beyond which no further question joins a tree: every row of a pass looks at every
/// slot.
const TREE: usize = 1024;
/// The most candidates or samples of one question.
const MAX_WIDTH: usize = 256;

/// A model with the names it chooses from.
pub(super) struct Engine {
    llama: Llama,
    tokens: Tokens,
    chat: Chat,
    names: Names,
    /// For each branch of the names, the rows of the head that score its edges.
    heads: Vec<Tensor>,
}

/// The part of the head that scores what can come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Head {
    Branch(usize),
    Whole,
}

/// A question on its way.
struct Task<'n> {
    id: u64,
    usage: Usage,
    decoder: Decoder<'n>,
}

enum Decoder<'n> {
    Search(Search<'n>),
    Drawing(Drawing),
}

impl Engine {
    pub(super) fn load(model: &Path, adapter: Option<&Path>, names: Vec<String>) -> Result<Self, LoadError> {
        let mut weights = Weights::open(model, adapter)?;
        let llama = Llama::load(&mut weights)?;
        let tokens = Tokens::read(&weights.base, llama.shape.vocabulary)?;
        let chat = Chat::read(&weights.base)?;
        weights.finish()?;
        let encoded: Result<_, String> = names.iter().map(|name| tokens.encode(name)).collect();
        let names =
            encoded.and_then(|encoded| Names::new(names, encoded, tokens.ends()[0])).map_err(LoadError::Names)?;
        if names.longest > llama.shape.context / 2 {
            let (longest, context) = (names.longest, llama.shape.context);
            let problem =
                format!("a description has {longest} tokens, more than half of the model's {context}: shorten it");
            return Err(LoadError::Names(problem));
        }
        let heads = heads(&names, &llama.head).map_err(|error| LoadError::file(model, error))?;
        Ok(Self { llama, tokens, chat, names, heads })
    }

    pub(super) fn tree(&self) -> Tree<'_> {
        Tree::new(&self.llama)
    }

    /// Answers all, in the order in which they are done.
    pub(super) fn answer(
        &self,
        questions: Vec<Question>,
        tree: &mut Tree,
        mut tell: impl FnMut(Result<Answer, ModelError>),
    ) {
        let mut questions = questions.into_iter().peekable();
        while questions.peek().is_some() {
            let (mut tasks, mut last, mut full) = (Vec::new(), None, usize::MAX);
            while tree.len() < full
                && let Some(question) = questions.next()
            {
                match self.plant(&question, tree) {
                    Ok((task, node)) => {
                        last = Some(node);
                        tasks.push(task);
                        // However long the first prompt is, others can share it.
                        full = full.min(tree.len() + TREE);
                    }
                    Err(problem) => tell(Err(ModelError { question: Some(question.id), problem })),
                }
            }
            let Some(last) = last else { continue };
            match self.decode(&mut tasks, tree).and_then(|()| tree.keep(last)) {
                Ok(()) => tasks.iter().for_each(|task| tell(self.told(task))),
                Err(error) => return tell(Err(ModelError { question: None, problem: format!("the model: {error}") })),
            }
        }
    }

    /// Puts a question's prompt into the tree; returns its last node too.
    fn plant(&self, question: &Question, tree: &mut Tree) -> Result<(Task<'_>, Node), String> {
        let prompt = self.chat.tokens(&question.messages, &self.tokens)?;
        let answer = match question.decoding {
            Decoding::Constrained { .. } => self.names.longest,
            Decoding::Free { max_tokens, .. } => max_tokens,
        };
        let (whole, context) = (prompt.len().saturating_add(answer), self.llama.shape.context);
        if whole > context {
            let asked = format!("a prompt of {} tokens and an answer of {answer}", prompt.len());
            return Err(format!("{asked} do not fit the model's {context}: shorten the prompt or the answer"));
        }
        let (node, shared) = tree.extend(None, &prompt);
        let node = node.ok_or("the prompt is empty: give it a message")?;
        let usage = Usage { prompt: (prompt.len() - shared) as u64, shared: shared as u64, answer: 0 };
        let decoder = match question.decoding {
            Decoding::Constrained { best: wide } | Decoding::Free { samples: wide, .. } if wide > MAX_WIDTH => {
                return Err(format!("{wide} answers to one question are more than {MAX_WIDTH}: ask for fewer"));
            }
            Decoding::Constrained { best } => {
                let (node, _) = tree.extend(Some(node), &self.names.stem);
                Decoder::Search(Search::new(&self.names, best, node.unwrap_or_default()))
            }
            Decoding::Free { samples, temperature, seed, max_tokens } => {
                Decoder::Drawing(Drawing::new(node, named(&prompt), samples, temperature, seed, max_tokens))
            }
        };
        Ok((Task { id: question.id, usage, decoder }, node))
    }

    /// Goes on until no task has a choice left.
    fn decode(&self, tasks: &mut [Task], tree: &mut Tree) -> candle_core::Result<()> {
        loop {
            let open: Vec<(Node, Head)> = tasks.iter().flat_map(|task| task.decoder.open()).collect();
            if open.is_empty() {
                return Ok(());
            }
            let nodes: Vec<Node> = open.iter().map(|&(node, _)| node).collect();
            let out = tree.compute(&nodes)?;
            let mut scores = self.score(&out, &open)?.into_iter();
            for task in tasks.iter_mut() {
                let wanted = task.decoder.open().count();
                let scores = scores.by_ref().take(wanted);
                match &mut task.decoder {
                    Decoder::Search(search) => search.advance(scores, tree),
                    Decoder::Drawing(drawing) => drawing.advance(scores, self.tokens.ends(), tree),
                }
            }
        }
    }

    /// Scores each row with its part of the head; rows of the same part in one product.
    fn score(&self, out: &Tensor, open: &[(Node, Head)]) -> candle_core::Result<Vec<Vec<f32>>> {
        let mut by_head: BTreeMap<Head, Vec<u32>> = BTreeMap::new();
        for (row, &(_, head)) in (0..).zip(open) {
            by_head.entry(head).or_default().push(row);
        }
        let mut all = vec![Vec::new(); open.len()];
        for (head, rows) in by_head {
            let head = match head {
                Head::Branch(branch) => &self.heads[branch],
                Head::Whole => &self.llama.head,
            };
            let chosen = out.index_select(&Tensor::from_slice(&rows, rows.len(), out.device())?, 0)?;
            for (row, scores) in rows.into_iter().zip(scores(&chosen, head)?) {
                all[row as usize] = scores;
            }
        }
        Ok(all)
    }

    fn told(&self, task: &Task) -> Result<Answer, ModelError> {
        let mut usage = task.usage;
        let candidates = match &task.decoder {
            Decoder::Search(search) => {
                usage.answer = search.computed;
                let candidate =
                    |(text, probability): (&str, _)| Candidate { text: text.into(), probability: Some(probability) };
                Ok(search.found().map(candidate).collect())
            }
            Decoder::Drawing(drawing) => {
                usage.answer = drawing.computed;
                let candidate = |tokens| Ok(Candidate { text: self.tokens.decode(tokens)?, probability: None });
                drawing.drawn().map(candidate).collect()
            }
        };
        let candidates = candidates.map_err(|problem| ModelError { question: Some(task.id), problem })?;
        Ok(Answer { id: task.id, candidates, usage })
    }
}

impl Decoder<'_> {
    /// The nodes whose outputs are needed, each with the part of the head that scores it.
    fn open(&self) -> impl Iterator<Item = (Node, Head)> {
        let (search, drawing) = match self {
            Self::Search(search) => (Some(search), None),
            Self::Drawing(drawing) => (None, Some(drawing)),
        };
        let searched = search.into_iter().flat_map(Search::open).map(|(node, branch)| (node, Head::Branch(branch)));
        searched.chain(drawing.into_iter().flat_map(Drawing::open).map(|node| (node, Head::Whole)))
    }
}

/// A prompt's name among the streams of chance.
fn named(prompt: &[u32]) -> u64 {
    xxh3_64(&prompt.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>())
}

fn heads(names: &Names, head: &Tensor) -> candle_core::Result<Vec<Tensor>> {
    let rows = |edges: &Vec<Edge>| {
        let tokens: Vec<u32> = edges.iter().map(|edge| edge.tokens[0]).collect();
        head.index_select(&Tensor::from_slice(&tokens, tokens.len(), head.device())?, 0)
    };
    names.branches.iter().map(rows).collect()
}
