//! What a run may take, what it is going to take, and what it took.

use std::fmt;
use std::time::Duration;

use super::config::BudgetConfig;
use super::model::{Decoding, Message, Usage};

/// Tokens of a question before its answer tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Of the prompt.
    pub prompt: u64,
    /// Of the answer.
    pub answer: u64,
}

impl Estimate {
    /// By the length of the text. `longest` is the longest description, in [`tokens`].
    pub(super) fn of(messages: &[Message], decoding: Decoding, longest: u64) -> Self {
        // A turn of a chat has marks around it.
        let prompt = messages.iter().map(|message| tokens(&message.content) + 4).sum();
        let answer = match decoding {
            Decoding::Constrained { best } => longest * best as u64,
            Decoding::Free { samples, max_tokens, .. } => (longest + 4).min(max_tokens as u64) * samples as u64,
        };
        Self { prompt, answer }
    }
}

/// A guess at the tokens of a text: four letters of Latin script each, one letter of any other.
pub fn tokens(text: &str) -> u64 {
    let latin = text.chars().filter(char::is_ascii).count() as u64;
    latin.div_ceil(4) + (text.chars().count() as u64 - latin)
}

/// The longest of `names`, in [`tokens`].
pub(super) fn longest(names: &[String]) -> u64 {
    names.iter().map(|name| tokens(name)).max().unwrap_or(0)
}

/// What was taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Questions sent.
    pub questions: u64,
    /// Their tokens.
    pub usage: Usage,
    /// Their price.
    pub cost: f64,
}

/// Admits questions while they fit the caps. A question counts with its estimate from when it is sent until its answer
/// tells its tokens: the caps can be exceeded by no more than the error of the estimates of what is under way.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    config: BudgetConfig,
    spent: Spent,
    under_way: Estimate,
    refused: bool,
}

impl Budget {
    pub(super) fn new(config: BudgetConfig) -> Self {
        Self { config, spent: Spent::default(), under_way: Estimate::default(), refused: false }
    }

    /// Takes a question in, unless it could exceed a cap.
    pub(super) fn admit(&mut self, estimate: Estimate) -> bool {
        let prompt = self.spent.usage.prompt + self.spent.usage.shared + self.under_way.prompt + estimate.prompt;
        let answer = self.spent.usage.answer + self.under_way.answer + estimate.answer;
        let BudgetConfig { max_questions, max_tokens, max_cost, .. } = self.config;
        let fits = max_questions.is_none_or(|max| self.spent.questions < max)
            && max_tokens.is_none_or(|max| prompt + answer <= max)
            && max_cost.is_none_or(|max| self.price(prompt, answer) <= max);
        if fits {
            self.spent.questions += 1;
            self.under_way.prompt += estimate.prompt;
            self.under_way.answer += estimate.answer;
        }
        self.refused |= !fits;
        fits
    }

    /// The question of `estimate` has ended: with what it took, where that is known.
    pub(super) fn settle(&mut self, estimate: Estimate, usage: Usage) {
        self.under_way.prompt = self.under_way.prompt.saturating_sub(estimate.prompt);
        self.under_way.answer = self.under_way.answer.saturating_sub(estimate.answer);
        let told = usage != Usage::default();
        let usage = if told { usage } else { Usage { prompt: estimate.prompt, shared: 0, answer: estimate.answer } };
        let spent = &mut self.spent.usage;
        spent.prompt += usage.prompt;
        spent.shared += usage.shared;
        spent.answer += usage.answer;
        self.spent.cost = self.price(self.spent.usage.prompt + self.spent.usage.shared, self.spent.usage.answer);
    }

    /// Whether anything was refused so far.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    pub(super) fn spent(&self) -> Spent {
        self.spent
    }

    pub(super) fn price(&self, prompt: u64, answer: u64) -> f64 {
        (prompt as f64 * self.config.prompt_price + answer as f64 * self.config.answer_price) / 1e6
    }
}

/// What a run is going to ask, told before it does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Keys asked for.
    pub keys: u64,
    /// Those whose answers are known already.
    pub known: u64,
    /// Questions to ask, before any is asked again.
    pub questions: u64,
    /// Questions that the caps leave out.
    pub left_out: u64,
    /// Tokens, estimated.
    pub tokens: Estimate,
    /// Their price.
    pub cost: f64,
    /// How long it takes at the pace last measured; `None` before there was one.
    pub time: Option<Duration>,
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keys, known, questions, left_out, tokens: Estimate { prompt, answer }, cost, time } = self;
        write!(f, "{questions} questions to ask about {keys} keys ({known} known")?;
        if *left_out > 0 {
            write!(f, ", {left_out} over the budget")?;
        }
        write!(f, "), about {prompt} + {answer} tokens")?;
        if *cost > 0.0 {
            write!(f, " for {cost:.2}")?;
        }
        match time {
            Some(time) => write!(f, ", about {}", humantime::format_duration(Duration::from_secs(time.as_secs()))),
            None => write!(f, ", for a time not known yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Estimate = Estimate { prompt: 100, answer: 10 };

    fn admitted(config: BudgetConfig) -> usize {
        let mut budget = Budget::new(BudgetConfig { max_questions: None, ..config });
        (0..100).take_while(|_| budget.admit(ONE)).count()
    }

    #[test]
    fn each_cap_holds_by_itself() {
        let open = BudgetConfig { prompt_price: 1.0, answer_price: 10.0, ..BudgetConfig::default() };
        assert_eq!(admitted(open), 100);
        assert_eq!(admitted(BudgetConfig { max_tokens: Some(1100), ..open }), 10);
        assert_eq!(admitted(BudgetConfig { max_tokens: Some(1099), ..open }), 9);
        // A question costs 200 millionths.
        assert_eq!(admitted(BudgetConfig { max_cost: Some(0.0013), ..open }), 6);
        let mut budget = Budget::new(BudgetConfig { max_questions: Some(2), ..open });
        assert_eq!([budget.admit(ONE), budget.admit(ONE), budget.admit(ONE)], [true, true, false]);
    }

    #[test]
    fn what_an_answer_took_replaces_its_estimate() {
        let config = BudgetConfig { max_tokens: Some(250), prompt_price: 1.0, ..BudgetConfig::default() };
        let mut budget = Budget::new(config);
        assert!(budget.admit(ONE) && budget.admit(ONE) && !budget.admit(ONE));
        budget.settle(ONE, Usage { prompt: 30, shared: 50, answer: 5 });
        assert!(!budget.admit(ONE), "85 + 110 + 110");
        budget.settle(ONE, Usage { prompt: 20, shared: 0, answer: 5 });
        assert!(budget.admit(ONE) && budget.refused(), "110 + 110");
        assert_eq!((budget.spent().questions, budget.spent().cost), (3, 100.0 / 1e6));
        budget.settle(ONE, Usage::default());
        assert_eq!(budget.spent().usage, Usage { prompt: 150, shared: 50, answer: 20 }, "untold: the estimate");
    }

    #[test]
    fn tokens_are_guessed_by_script() {
        assert_eq!([tokens(""), tokens("jazz"), tokens("jazz, piano"), tokens("ジャズ")], [0, 1, 3, 3]);
    }
}
