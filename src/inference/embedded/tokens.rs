//! Text to tokens and back, as a model file says.
//!
//! Text is always plain: what looks like a mark of the chat (`<|im_end|>`) becomes the tokens of its letters. Only the
//! chat template's own marks become the special tokens.

use tokenizers::decoders::byte_level::ByteLevel as Bytes;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

use super::error::LoadError;
use super::gguf::Gguf;

/// How the Llama 3 family cuts text before it merges bytes.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Kinds of token that stand for no text of their own: control marks, and those that a model's makers added.
const MARKS: [usize; 2] = [3, 4];
/// Marks that end a turn, whatever the file names as its end.
const ENDS: [&str; 5] = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "</s>"];

/// A model's vocabulary.
pub(super) struct Tokens {
    plain: Tokenizer,
    /// Marks of the chat, the longest first.
    marks: Vec<(String, u32)>,
    /// Ends an answer; the first is the one that the model's makers name.
    ends: Vec<u32>,
    /// Stands before every text, where the model was trained so.
    start: Option<u32>,
}

/// A stretch of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Mark(u32),
    Text(&'t str),
}

impl Tokens {
    /// Reads the vocabulary of `size` tokens.
    pub(super) fn read(gguf: &Gguf, size: usize) -> Result<Self, LoadError> {
        let texts = gguf.texts("tokenizer.ggml.tokens")?;
        if texts.len() != size {
            return Err(gguf.error(format!("names {} tokens and has weights for {size}", texts.len())));
        }
        let kinds = gguf.counts("tokenizer.ggml.token_type")?;
        let mut marks: Vec<(String, u32)> = texts
            .iter()
            .zip(0..)
            .zip(&kinds)
            .filter(|((text, _), kind)| MARKS.contains(kind) && !text.is_empty())
            .map(|((text, id), _)| (text.clone(), id))
            .collect();
        marks.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        let token = |key: &str| gguf.count(key).ok().filter(|&id| id < size).map(|id| id as u32);
        let named = ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eos_token_id"].map(token);
        let known = marks.iter().filter(|(text, _)| ENDS.contains(&text.as_str())).map(|&(_, id)| id);
        let ends: Vec<u32> = named.into_iter().flatten().chain(known).collect();
        if ends.is_empty() {
            return Err(gguf.error("names no token that ends an answer (tokenizer.ggml.eos_token_id)"));
        }
        let start = token("tokenizer.ggml.bos_token_id").filter(|_| gguf.flag("tokenizer.ggml.add_bos_token"));
        Ok(Self { plain: plain(gguf, texts)?, marks, ends, start })
    }

    /// The tokens of plain text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.plain.encode_fast(text, false).map_err(|error| format!("{text:?}: {error}"))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of tokens; bytes that are no UTF-8 become U+FFFD.
    pub(super) fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        self.plain.decode(tokens, false).map_err(|error| error.to_string())
    }

    /// Cuts a template at its marks.
    pub(super) fn pieces<'t>(&self, mut text: &'t str) -> Vec<Piece<'t>> {
        let mut pieces = Vec::new();
        let next = |text: &str| {
            let found = self.marks.iter().filter_map(|(mark, id)| Some((text.find(mark.as_str())?, mark.len(), *id)));
            found.min_by_key(|&(at, len, _)| (at, std::cmp::Reverse(len)))
        };
        while let Some((at, len, id)) = next(text) {
            pieces.extend((at > 0).then(|| Piece::Text(&text[..at])));
            pieces.push(Piece::Mark(id));
            text = &text[at + len..];
        }
        pieces.extend((!text.is_empty()).then_some(Piece::Text(text)));
        pieces
    }

    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }

    pub(super) fn start(&self) -> Option<u32> {
        self.start
    }
}

/// The merging of bytes, without any mark.
fn plain(gguf: &Gguf, texts: Vec<String>) -> Result<Tokenizer, LoadError> {
    let model = gguf.text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        return Err(gguf.error(format!("has a tokenizer of kind `{model}`: only byte-level BPE (`gpt2`) is supported")));
    }
    let merge = |line: String| {
        let (left, right) = line.split_once(' ').ok_or_else(|| gguf.error(format!("`{line}` is no merge")))?;
        Ok((left.to_owned(), right.to_owned()))
    };
    let merges = gguf.texts("tokenizer.ggml.merges")?.into_iter().map(merge).collect::<Result<Vec<_>, LoadError>>()?;
    let vocabulary: tokenizers::models::bpe::Vocab = texts.into_iter().zip(0..).collect();
    let (cut, whole_words) = cut(gguf)?;
    let bpe = BPE::builder().vocab_and_merges(vocabulary, merges).ignore_merges(whole_words).build();
    let mut tokenizer = Tokenizer::new(bpe.map_err(|error| gguf.error(error))?);
    tokenizer.with_pre_tokenizer(Some(cut));
    tokenizer.with_decoder(Some(Bytes::default()));
    Ok(tokenizer)
}

/// How text is cut before bytes are merged, and whether a piece that is a token needs no merging.
fn cut(gguf: &Gguf) -> Result<(PreTokenizerWrapper, bool), LoadError> {
    let bytes = |regex| ByteLevel::new(false, true, regex);
    match gguf.text("tokenizer.ggml.pre")? {
        "gpt-2" => Ok((bytes(true).into(), false)),
        "smollm" => Ok((Sequence::new(vec![Digits::new(true).into(), bytes(true).into()]).into(), false)),
        "llama-bpe" => {
            let split = Split::new(SplitPattern::Regex(LLAMA3.into()), SplitDelimiterBehavior::Isolated, false);
            let split = split.map_err(|error| gguf.error(error))?;
            Ok((Sequence::new(vec![split.into(), bytes(false).into()]).into(), true))
        }
        other => {
            let known = "`smollm`, `gpt-2` and `llama-bpe` are supported";
            Err(gguf.error(format!("cuts text in the way of `{other}` (tokenizer.ggml.pre): {known}")))
        }
    }
}
