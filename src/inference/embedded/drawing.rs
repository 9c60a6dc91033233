//! Free decoding: what the model says, greedily or drawn by its probabilities.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tree::{Node, Tree};

/// Several answers to one question, drawn side by side. Where they agree so far they are computed once.
pub(super) struct Drawing {
    answers: Vec<Drawn>,
    temperature: f32,
    max_tokens: usize,
    /// Tokens that were computed for the answers.
    pub(super) computed: u64,
}

struct Drawn {
    tokens: Vec<u32>,
    node: Node,
    chance: ChaCha8Rng,
    ended: bool,
}

impl Drawing {
    /// `samples` answers after a prompt's last token. What is drawn depends on `seed`, the prompt's name and the answer's
    /// number, not on what else is asked, nor when.
    pub(super) fn new(prompt: Node, name: u64, samples: usize, temperature: f32, seed: u64, max_tokens: usize) -> Self {
        let drawn = |sample: usize| {
            let mut chance = ChaCha8Rng::seed_from_u64(seed);
            chance.set_stream(name);
            chance.set_word_pos((sample as u128) << 40);
            Drawn { tokens: Vec::new(), node: prompt, chance, ended: max_tokens == 0 }
        };
        Self { answers: (0..samples).map(drawn).collect(), temperature, max_tokens, computed: 0 }
    }

    /// The nodes whose outputs are needed.
    pub(super) fn open(&self) -> impl Iterator<Item = Node> {
        self.answers.iter().filter(|answer| !answer.ended).map(|answer| answer.node)
    }

    /// Takes the scores of all tokens for the open nodes, in their order.
    pub(super) fn advance(&mut self, scores: impl IntoIterator<Item = Vec<f32>>, ends: &[u32], tree: &mut Tree) {
        let open = self.answers.iter_mut().filter(|answer| !answer.ended);
        for (answer, scores) in open.zip(scores) {
            let token = pick(&scores, self.temperature, &mut answer.chance);
            answer.ended = ends.contains(&token);
            if answer.ended {
                continue;
            }
            answer.tokens.push(token);
            answer.ended = answer.tokens.len() == self.max_tokens;
            if !answer.ended {
                let (node, shared) = tree.extend(Some(answer.node), &[token]);
                answer.node = node.unwrap_or(answer.node);
                self.computed += 1 - shared as u64;
            }
        }
    }

    /// The tokens of each answer.
    pub(super) fn drawn(&self) -> impl Iterator<Item = &[u32]> {
        self.answers.iter().map(|answer| answer.tokens.as_slice())
    }
}

/// The best token, the lowest of equals; above a temperature of 0, one by its probability.
fn pick(scores: &[f32], temperature: f32, chance: &mut impl Rng) -> u32 {
    let better = |best: usize, next: usize| if scores[next] > scores[best] { next } else { best };
    let best = (0..scores.len()).reduce(better).unwrap_or(0);
    if temperature <= 0.0 {
        return best as u32;
    }
    let highest = scores.get(best).copied().unwrap_or(0.0);
    let weight = |score: f32| f64::from((score - highest) / temperature).exp();
    let mut left = chance.random::<f64>() * scores.iter().copied().map(weight).sum::<f64>();
    let fallen = scores.iter().position(|&score| {
        left -= weight(score);
        left < 0.0
    });
    fallen.unwrap_or(best) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_takes_the_lowest_of_equals_and_chance_follows_the_probabilities() {
        let mut chance = ChaCha8Rng::seed_from_u64(7);
        assert_eq!(pick(&[0.0, 2.0, 2.0], 0.0, &mut chance), 1);
        // Probabilities of 1/4 and 3/4.
        let scores = [0.0, 3f32.ln(), f32::NEG_INFINITY];
        let mut seen = [0; 3];
        (0..4_000).for_each(|_| seen[pick(&scores, 1.0, &mut chance) as usize] += 1);
        assert!((900..1_100).contains(&seen[0]) && seen[2] == 0, "{seen:?}");
    }
}
