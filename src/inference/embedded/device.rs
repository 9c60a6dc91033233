//! What computes: this machine's processor, or its GPU in a build with the feature `cuda` or `metal`.

use candle_core::Device;

use super::error::LoadError;

/// The first GPU of a build that is made for one, which is refused where there is none; else the processor.
pub(super) fn device() -> Result<Device, LoadError> {
    let made = if cfg!(feature = "cuda") {
        Device::new_cuda(0)
    } else if cfg!(feature = "metal") {
        Device::new_metal(0)
    } else {
        Ok(Device::Cpu)
    };
    made.map_err(|error| LoadError::Device(error.to_string().lines().next().unwrap_or_default().to_owned()))
}
