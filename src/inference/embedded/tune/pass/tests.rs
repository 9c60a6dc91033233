//! Gradients beside how the loss changes.

use candle_core::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::inference::embedded::llama::Linear;
use crate::inference::embedded::tune::Config;
use crate::inference::embedded::tune::batch::Encoded;

const SHAPE: Shape = Shape {
    vocabulary: 11,
    width: 8,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    head_width: 2,
    inner: 12,
    context: 32,
    epsilon: 1e-5,
    rope_base: 10_000.0,
};

/// Numbers between -1 and 1.
fn drawn(chance: &mut ChaCha8Rng, rows: usize, columns: usize) -> Tensor {
    let numbers: Vec<f32> = (0..rows * columns).map(|_| 2.0 * chance.random::<f32>() - 1.0).collect();
    Tensor::from_vec(numbers, (rows, columns), &Device::Cpu).unwrap()
}

fn llama(chance: &mut ChaCha8Rng) -> Llama {
    let mut matrix = |rows, columns| drawn(chance, rows, columns);
    let one = |_| Layer {
        attention_norm: (matrix(1, 8).squeeze(0).unwrap() + 1.5).unwrap(),
        query_key_value: Linear(matrix(16, 8)),
        output: Linear(matrix(8, 8)),
        inner_norm: (matrix(1, 8).squeeze(0).unwrap() + 1.5).unwrap(),
        gate_up: Linear(matrix(24, 8)),
        down: Linear(matrix(8, 12)),
    };
    let layers = (0..2).map(one).collect();
    let embedding = matrix(11, 8);
    let angles = matrix(32, 1);
    Llama {
        shape: SHAPE,
        head: embedding.clone(),
        embedding,
        layers,
        norm: Tensor::ones(8, candle_core::DType::F32, &Device::Cpu).unwrap(),
        cos: angles.cos().unwrap(),
        sin: angles.sin().unwrap(),
    }
}

#[test]
fn gradients_are_how_the_loss_changes() {
    let mut chance = ChaCha8Rng::seed_from_u64(3);
    let llama = llama(&mut chance);
    let mut lora = Lora::new(&Config { rank: 2, alpha: 2.0, ..Config::default() }, &SHAPE, &Device::Cpu).unwrap();
    for tensor in &mut lora.tensors {
        let (rows, columns) = tensor.dims2().unwrap();
        *tensor = (drawn(&mut chance, rows, columns) * 0.3).unwrap();
    }
    let sample = |tokens: &[u32]| Encoded { tokens: tokens.to_vec(), prompt: 3 };
    let samples = [sample(&[1, 2, 3, 4]), sample(&[1, 2, 3, 5, 6]), sample(&[1, 2, 7, 5, 6]), sample(&[8, 2, 7, 4])];
    let network = Network::new(&llama, &lora);
    let (batch, _) = Batch::cut(&samples, 100);
    let mut gradients = Gradients::none(&lora);
    let loss = network.learn(&batch, &lora, 1.0, &mut gradients).unwrap();
    assert!((loss - network.loss(&batch, &lora).unwrap()).abs() < 1e-4);
    let alone: f64 = samples.chunks(1).map(|sample| network.loss(&Batch::cut(sample, 100).0, &lora).unwrap()).sum();
    assert!((loss - alone).abs() < 1e-4, "sharing changes no loss: {loss} {alone}");
    for at in 0..lora.tensors.len() {
        let gradient = gradients.0[at].clone().unwrap();
        let way = drawn(&mut chance, gradient.dims()[0], gradient.dims()[1]);
        let expected: f32 = (&gradient * &way).unwrap().sum_all().unwrap().to_scalar().unwrap();
        let kept = lora.tensors[at].clone();
        let mut moved = |by: f64| {
            lora.tensors[at] = (&kept + (&way * by).unwrap()).unwrap();
            network.loss(&batch, &lora).unwrap()
        };
        let found = (moved(2e-3) - moved(-2e-3)) / 4e-3;
        lora.tensors[at] = kept;
        let error = (found - f64::from(expected)).abs();
        assert!(error < 0.01 + 0.02 * found.abs(), "{}: {found} {expected}", lora.names[at]);
    }
}
