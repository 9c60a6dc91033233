//! Compiles the protos with a pure-Rust compiler, so that a build needs no `protoc`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

const PROTOS: [&str; 2] = ["segue/v1/lookup.proto", "segue/v1/admin.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("segue_v1.bin"), prost_encode(&descriptors))?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

fn prost_encode(descriptors: &impl prost::Message) -> Vec<u8> {
    descriptors.encode_to_vec()
}
