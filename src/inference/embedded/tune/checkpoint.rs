//! Where training stands, in one file: a GGUF of what is learnt, AdamW's means and the best adapter so far, with the
//! place as JSON, and behind it the xxh3 of all that.

use std::io::{Cursor, ErrorKind};
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::adam::Adam;
use super::lora::Lora;
use super::{Point, TuneError, file};

const KEY: &str = "segue.training";
const HASH: usize = size_of::<u128>();

/// The place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Names the base model, the samples and the settings.
    pub(super) run: String,
    /// Steps made.
    pub(super) step: usize,
    /// Losses since the last look at the validation samples.
    pub(super) losses: Vec<f32>,
    pub(super) curve: Vec<Point>,
    /// Looks since the smallest loss.
    pub(super) in_vain: usize,
}

/// All that training goes on from.
pub(super) struct Training {
    pub(super) place: Place,
    pub(super) lora: Lora,
    pub(super) adam: Adam,
    /// What had the smallest loss.
    pub(super) best: Vec<Tensor>,
}

impl Training {
    pub(super) fn new(run: String, lora: Lora) -> Self {
        let (adam, best) = (Adam::new(&lora), lora.tensors.clone());
        Self { place: Place { run, ..Place::default() }, lora, adam, best }
    }

    pub(super) fn save(&self, path: &Path) -> std::result::Result<(), TuneError> {
        let place = serde_json::to_string(&self.place).map_err(|error| TuneError::checkpoint(path, error))?;
        let mut tensors = Vec::new();
        for (n, name) in self.lora.names.iter().enumerate() {
            let shape = self.lora.tensors[n].shape();
            let like = |numbers: &[f32]| Tensor::from_slice(numbers, shape, &Device::Cpu);
            let (mean, square) = (like(&self.adam.means[n])?, like(&self.adam.squares[n])?);
            let all = [self.lora.tensors[n].clone(), self.best[n].clone(), mean, square];
            tensors.extend(PARTS.iter().zip(all).map(|(part, tensor)| (format!("{part}.{name}"), tensor)));
        }
        let mut bytes = file::bytes(&[(KEY, Value::String(place))], tensors.into_iter())?;
        let hash = xxh3_128(&bytes);
        bytes.extend(hash.to_le_bytes());
        file::put(path, &bytes)
    }

    /// Goes on from a checkpoint, where there is one.
    pub(super) fn resume(&mut self, path: &Path) -> std::result::Result<(), TuneError> {
        let wrong = |problem: String| TuneError::checkpoint(path, problem);
        let Some((place, content, bytes)) = open(path)? else { return Ok(()) };
        if place.run != self.place.run {
            return Err(wrong(
                "it is of another base model, other samples or settings: remove it, or name another directory".into(),
            ));
        }
        self.read(&content, &mut Cursor::new(&bytes)).map_err(|_| damaged(path))?;
        self.place = place;
        Ok(())
    }

    fn read(&mut self, content: &Content, bytes: &mut Cursor<&Vec<u8>>) -> Result<()> {
        for (n, name) in self.lora.names.iter().enumerate() {
            let mut tensor = |part: &str| {
                let tensor = content.tensor(bytes, &format!("{part}.{name}"), &Device::Cpu)?;
                tensor
                    .dequantize(&Device::Cpu)?
                    .reshape(self.lora.tensors[n].shape())?
                    .to_device(self.lora.tensors[n].device())
            };
            let [now, best, mean, square] =
                [tensor(PARTS[0])?, tensor(PARTS[1])?, tensor(PARTS[2])?, tensor(PARTS[3])?];
            self.adam.means[n] = mean.flatten_all()?.to_vec1()?;
            self.adam.squares[n] = square.flatten_all()?.to_vec1()?;
            self.best[n] = best;
            self.lora.tensors[n] = now;
        }
        Ok(())
    }
}

/// What a checkpoint tells of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Steps made.
    pub step: usize,
    /// How the loss fell.
    pub curve: Vec<Point>,
}

/// Where the training stands that keeps its checkpoint at `path`; `None` before the first.
pub fn standing(path: &Path) -> std::result::Result<Option<Standing>, TuneError> {
    Ok(open(path)?.map(|(Place { step, curve, .. }, ..)| Standing { step, curve }))
}

fn damaged(path: &Path) -> TuneError {
    TuneError::checkpoint(path, "it is damaged: remove it, and training begins anew")
}

/// A checkpoint's place, and its bytes, which are those that were written.
fn open(path: &Path) -> std::result::Result<Option<(Place, Content, Vec<u8>)>, TuneError> {
    let mut bytes = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| TuneError::checkpoint(path, error))?,
    };
    let (whole, hash) = bytes.split_last_chunk::<HASH>().ok_or_else(|| damaged(path))?;
    if xxh3_128(whole) != u128::from_le_bytes(*hash) {
        return Err(damaged(path));
    }
    bytes.truncate(bytes.len() - HASH);
    let content = Content::read(&mut Cursor::new(&bytes)).map_err(|_| damaged(path))?;
    let place = content.metadata.get(KEY).and_then(|value| value.to_string().ok()).ok_or_else(|| damaged(path))?;
    let place = serde_json::from_str(place).map_err(|_| damaged(path))?;
    Ok(Some((place, content, bytes)))
}

const PARTS: [&str; 4] = ["now", "best", "mean", "square"];
