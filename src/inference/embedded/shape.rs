//! The sizes of a Llama, as its file's head gives them.

use super::error::LoadError;
use super::gguf::Gguf;

/// The numbers that a file's head gives.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) vocabulary: usize,
    pub(super) width: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    /// Heads of keys and values; each serves `heads / kv_heads` heads.
    pub(super) kv_heads: usize,
    pub(super) head_width: usize,
    pub(super) inner: usize,
    /// The longest text, in tokens.
    pub(super) context: usize,
    pub(super) epsilon: f32,
    pub(super) rope_base: f32,
}

impl Shape {
    pub(super) fn read(gguf: &Gguf) -> Result<Self, LoadError> {
        let architecture = gguf.text("general.architecture")?;
        if architecture != "llama" || gguf.has("llama.expert_count") || gguf.has("llama.rope.scaling.type") {
            let found = format!("is a `{architecture}` model of a kind that is not supported");
            return Err(gguf.error(format!("{found}: use a dense Llama-family GGUF without rope scaling")));
        }
        let count = |key: &str| gguf.count(&format!("llama.{key}"));
        let heads = count("attention.head_count")?;
        let kv_heads =
            if gguf.has("llama.attention.head_count_kv") { count("attention.head_count_kv")? } else { heads };
        let width = count("embedding_length")?;
        let vocabulary = gguf.dims("token_embd.weight").and_then(|dims| dims.first()).copied().unwrap_or(0);
        let base = "llama.rope.freq_base";
        let shape = Self {
            vocabulary,
            width,
            layers: count("block_count")?,
            heads,
            kv_heads,
            head_width: width / heads.max(1),
            inner: count("feed_forward_length")?,
            context: count("context_length")?,
            epsilon: gguf.real("llama.attention.layer_norm_rms_epsilon")?,
            rope_base: if gguf.has(base) { gguf.real(base)? } else { 10_000.0 },
        };
        shape.check().map_err(|problem| gguf.error(problem))?;
        Ok(shape)
    }

    fn check(&self) -> Result<(), String> {
        let sizes = [self.vocabulary, self.width, self.layers, self.heads, self.kv_heads, self.inner, self.context];
        let fits = sizes.iter().all(|&size| size > 0 && size <= 1 << 20)
            && self.heads * self.head_width == self.width
            && self.head_width.is_multiple_of(2)
            && self.heads.is_multiple_of(self.kv_heads);
        if fits { Ok(()) } else { Err(format!("its sizes do not fit together: {self:?}")) }
    }
}
