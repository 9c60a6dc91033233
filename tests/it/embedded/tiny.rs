//! A Llama of two layers over single bytes, and adapters for it, written as GGUF files.

use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{Value, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use segue::inference::embedded::{Config, Embedded, LoadError};
use tempfile::TempDir;

pub(crate) const WIDTH: usize = 32;
const INNER: usize = 64;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const NARROW: usize = WIDTH / HEADS * KV_HEADS;
const LAYERS: usize = 2;
const CONTEXT: u32 = 512;
const MARKS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const TEMPLATE: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + \
                        '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// A model's file, to be changed before it is written.
pub(crate) struct Tiny {
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) tensors: Vec<(String, Tensor)>,
}

impl Tiny {
    /// Weights drawn from `seed`; 0 makes all of them 0, so that everything is equally likely.
    pub(crate) fn new(seed: u64) -> Self {
        let vocabulary = 256 + MARKS.len();
        let mut draw = Draw(seed);
        let mut tensors = vec![
            ("token_embd.weight".to_owned(), draw.matrix(vocabulary, WIDTH)),
            ("output_norm.weight".to_owned(), ones()),
        ];
        for n in 0..LAYERS {
            let matrices = [
                ("attn_q", WIDTH, WIDTH),
                ("attn_k", NARROW, WIDTH),
                ("attn_v", NARROW, WIDTH),
                ("attn_output", WIDTH, WIDTH),
                ("ffn_gate", INNER, WIDTH),
                ("ffn_up", INNER, WIDTH),
                ("ffn_down", WIDTH, INNER),
            ];
            tensors.extend(
                matrices.map(|(part, rows, columns)| (format!("blk.{n}.{part}.weight"), draw.matrix(rows, columns))),
            );
            tensors.extend(["attn_norm", "ffn_norm"].map(|part| (format!("blk.{n}.{part}.weight"), ones())));
        }
        Self { metadata: metadata(), tensors }
    }

    pub(crate) fn set(&mut self, key: &str, value: Option<Value>) {
        self.metadata.retain(|(known, _)| known != key);
        self.metadata.extend(value.map(|value| (key.to_owned(), value)));
    }

    pub(crate) fn write(&self, path: &Path) {
        let quantized: Vec<_> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), QTensor::quantize(tensor, GgmlDType::F32).unwrap()))
            .collect();
        let tensors: Vec<_> = quantized.iter().map(|(name, tensor)| (*name, tensor)).collect();
        let metadata: Vec<_> = self.metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
        write(&mut std::fs::File::create(path).unwrap(), &metadata, &tensors).unwrap();
    }

    /// Loads it with these names.
    pub(crate) fn load(&self, names: Vec<String>) -> Result<Embedded, LoadError> {
        self.load_with(names, |_| None, Config::default())
    }

    /// The same with an adapter, which `adapter` writes to a directory.
    pub(crate) fn load_with(
        &self,
        names: Vec<String>,
        adapter: impl FnOnce(&Path) -> Option<PathBuf>,
        config: Config,
    ) -> Result<Embedded, LoadError> {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("tiny.gguf");
        self.write(&path);
        Embedded::load(&Config { model: Some(path), adapter: adapter(dir.path()), ..config }, names)
    }
}

/// A random model with names.
pub(crate) fn tiny(names: &[&str]) -> Embedded {
    Tiny::new(5).load(super::strings(names)).unwrap()
}

/// A fixed sequence of numbers between -1 and 1, all 0 from a seed of 0.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    fn next(&mut self) -> f32 {
        // A multiplicative generator: from 0 comes 0.
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).rotate_left(29);
        if self.0 == 0 { 0.0 } else { (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0 }
    }

    pub(crate) fn matrix(&mut self, rows: usize, columns: usize) -> Tensor {
        let values: Vec<f32> = (0..rows * columns).map(|_| self.next()).collect();
        Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
    }
}

fn ones() -> Tensor {
    Tensor::ones(WIDTH, candle_core::DType::F32, &Device::Cpu).unwrap()
}

fn metadata() -> Vec<(String, Value)> {
    let texts = |texts: Vec<String>| Value::Array(texts.into_iter().map(Value::String).collect());
    let tokens: Vec<String> = MARKS.map(String::from).into_iter().chain((0..=255).map(letter)).collect();
    let kinds = [3; 3].into_iter().chain([1; 256]).map(Value::I32).collect();
    let pairs = [
        ("general.architecture", Value::String("llama".into())),
        ("llama.block_count", Value::U32(LAYERS as u32)),
        ("llama.context_length", Value::U32(CONTEXT)),
        ("llama.embedding_length", Value::U32(WIDTH as u32)),
        ("llama.feed_forward_length", Value::U32(INNER as u32)),
        ("llama.attention.head_count", Value::U32(HEADS as u32)),
        ("llama.attention.head_count_kv", Value::U32(KV_HEADS as u32)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("tokenizer.ggml.model", Value::String("gpt2".into())),
        ("tokenizer.ggml.pre", Value::String("smollm".into())),
        ("tokenizer.ggml.tokens", texts(tokens)),
        ("tokenizer.ggml.token_type", Value::Array(kinds)),
        // One merge, so that the list has a type.
        ("tokenizer.ggml.merges", texts(vec![])),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        ("tokenizer.chat_template", Value::String(TEMPLATE.into())),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value)).into()
}

/// How byte-level BPE writes a byte: those without a look of their own come after the first 256 characters.
fn letter(byte: u8) -> String {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let moved = (0..byte).filter(|&earlier| !plain(earlier)).count() as u32;
    char::from_u32(if plain(byte) { byte.into() } else { 256 + moved }).unwrap().to_string()
}
