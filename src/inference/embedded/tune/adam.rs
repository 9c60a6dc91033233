//! AdamW, its step width over time, and the length of gradients.

use std::f64::consts::PI;

use candle_core::{Result, Tensor};

use super::config::Config;
use super::lora::{Gradients, Lora};

const BETA: (f64, f64) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// The running means of what is learnt, in the order of [`Lora::tensors`].
pub(super) struct Adam {
    pub(super) means: Vec<Vec<f32>>,
    pub(super) squares: Vec<Vec<f32>>,
}

/// How wide a step is: it rises to `learning_rate`, and falls to 0 along a cosine. `step` counts from 1.
pub(super) fn width(config: &Config, step: usize, steps: usize) -> f64 {
    let rise = (config.warmup * steps as f64).max(1.0);
    let step = step as f64;
    if step <= rise {
        return config.learning_rate * step / rise;
    }
    let gone = (step - rise) / (steps as f64 - rise).max(1.0);
    config.learning_rate * 0.5 * (1.0 + (PI * gone.min(1.0)).cos())
}

impl Adam {
    pub(super) fn new(lora: &Lora) -> Self {
        let zeros = || lora.tensors.iter().map(|tensor| vec![0.0; tensor.elem_count()]).collect();
        Self { means: zeros(), squares: zeros() }
    }

    /// One step, the `step`th, counted from 1.
    pub(super) fn step(
        &mut self,
        lora: &mut Lora,
        gradients: Gradients,
        config: &Config,
        step: usize,
        steps: usize,
    ) -> Result<()> {
        let flat = |gradient: Option<Tensor>| match gradient {
            None => Ok(Vec::new()),
            Some(gradient) => gradient.flatten_all()?.to_vec1::<f32>(),
        };
        let gradients = gradients.0.into_iter().map(flat).collect::<Result<Vec<_>>>()?;
        let length = gradients.iter().flatten().map(|&one| f64::from(one).powi(2)).sum::<f64>().sqrt();
        let shorter = (config.clip / length.max(f64::MIN_POSITIVE)).min(1.0) as f32;
        let width = width(config, step, steps);
        let lasting = (1.0 - width * config.weight_decay) as f32;
        let whole = |beta: f64| (1.0 - beta.powf(step as f64)) as f32;
        let (whole_mean, whole_square) = (whole(BETA.0), whole(BETA.1));
        let (beta_mean, beta_square) = (BETA.0 as f32, BETA.1 as f32);
        for (n, gradient) in gradients.iter().enumerate().filter(|(_, gradient)| !gradient.is_empty()) {
            let mut numbers: Vec<f32> = lora.tensors[n].flatten_all()?.to_vec1()?;
            let running = self.means[n].iter_mut().zip(&mut self.squares[n]);
            for ((number, gradient), (mean, square)) in numbers.iter_mut().zip(gradient).zip(running) {
                let gradient = gradient * shorter;
                *mean = beta_mean * *mean + (1.0 - beta_mean) * gradient;
                *square = beta_square * *square + (1.0 - beta_square) * gradient * gradient;
                let along = *mean / whole_mean / ((*square / whole_square).sqrt() + EPSILON);
                *number = *number * lasting - width as f32 * along;
            }
            let tensor = &mut lora.tensors[n];
            *tensor = Tensor::from_vec(numbers, tensor.shape(), tensor.device())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_widens_to_the_highest_and_narrows_to_nothing() {
        let config = Config { learning_rate: 1.0, warmup: 0.1, ..Config::default() };
        let widths: Vec<f64> = (1..=100).map(|step| width(&config, step, 100)).collect();
        assert!((widths[0] - 0.1).abs() < 1e-12 && (widths[9] - 1.0).abs() < 1e-12, "{widths:?}");
        assert!(widths[9..].is_sorted_by(|one, next| one > next) && widths[99] < 1e-12);
        assert!((widths[54] - 0.5).abs() < 1e-12, "half way");
        assert_eq!(width(&config, 1, 1), 1.0);
    }
}
