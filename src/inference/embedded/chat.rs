//! Messages to the tokens of a prompt, by the chat template of the model's file.
//!
//! The template is rendered over stand-ins, and what the messages say takes their places afterwards: so it is always
//! plain text to the tokenizer, and cannot end a turn or open one.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, context};

use super::error::LoadError;
use super::gguf::Gguf;
use super::tokens::{Piece, Tokens};
use crate::inference::{Message, Role};

/// Around a stand-in's number: no template has this character.
const EDGE: char = '\u{F8FF}';
/// What rendering may cost, in minijinja's steps.
const FUEL: u64 = 100_000;
const TEMPLATE: &str = "tokenizer.chat_template";

/// A chat template.
pub(super) struct Chat {
    templates: Environment<'static>,
    start: String,
    end: String,
}

impl Chat {
    pub(super) fn read(gguf: &Gguf) -> Result<Self, LoadError> {
        let source = gguf
            .text(TEMPLATE)
            .map_err(|_| gguf.error("has no chat template: a base model cannot be asked, use an instruct model"))?;
        if source.contains(EDGE) {
            return Err(gguf.error("its chat template holds U+F8FF, which stands for messages here"));
        }
        let mut templates = Environment::new();
        templates.set_fuel(Some(FUEL));
        // What chat templates are written for.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        templates.set_syntax(syntax.map_err(|error| gguf.error(error))?);
        templates.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        templates.add_function("raise_exception", |problem: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, problem))
        });
        let added = templates.add_template_owned("chat", source.to_owned());
        added.map_err(|error| gguf.error(format!("its chat template: {error}")))?;
        let texts = gguf.texts("tokenizer.ggml.tokens")?;
        let token = |key: &str| gguf.count(key).ok().and_then(|id| texts.get(id)).cloned().unwrap_or_default();
        let (start, end) = (token("tokenizer.ggml.bos_token_id"), token("tokenizer.ggml.eos_token_id"));
        Ok(Self { templates, start, end })
    }

    /// The prompt, up to where the model begins to speak.
    pub(super) fn tokens(&self, messages: &[Message], tokens: &Tokens) -> Result<Vec<u32>, String> {
        let rendered = self.render(messages).map_err(|error| format!("the model's chat template: {error}"))?;
        let mut prompt = Prompt { tokens, text: String::new(), ids: Vec::new() };
        for (n, part) in rendered.split(EDGE).enumerate() {
            if n.is_multiple_of(2) {
                prompt.template(part)?;
            } else {
                let message = part.parse::<usize>().ok().and_then(|number| messages.get(number));
                prompt.text += &message.ok_or("the model's chat template changes what messages say")?.content;
            }
        }
        prompt.flush()?;
        let start = tokens.start().filter(|start| prompt.ids.first() != Some(start));
        Ok(start.into_iter().chain(prompt.ids).collect())
    }

    fn render(&self, messages: &[Message]) -> Result<String, Error> {
        let turn = |(number, message): (usize, &Message)| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
            };
            context! { role, content => format!("{EDGE}{number}{EDGE}") }
        };
        let messages: Vec<_> = messages.iter().enumerate().map(turn).collect();
        let (bos_token, eos_token) = (&self.start, &self.end);
        let context = context! { messages, bos_token, eos_token, add_generation_prompt => true };
        self.templates.get_template("chat")?.render(context)
    }
}

/// A prompt on its way to tokens. Text is held back until a mark ends it, so that it is cut as a whole.
struct Prompt<'t> {
    tokens: &'t Tokens,
    text: String,
    ids: Vec<u32>,
}

impl Prompt<'_> {
    fn template(&mut self, part: &str) -> Result<(), String> {
        for piece in self.tokens.pieces(part) {
            match piece {
                Piece::Text(text) => self.text += text,
                Piece::Mark(id) => {
                    self.flush()?;
                    self.ids.push(id);
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        self.ids.extend(self.tokens.encode(&std::mem::take(&mut self.text))?);
        Ok(())
    }
}
