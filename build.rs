//! Compiles the protos with a pure-Rust compiler, so that a build needs no `protoc`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use prost::Message;

const PROTOS: [&str; 2] = ["segue/v1/lookup.proto", "segue/v1/admin.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    // Reflection and metrics read the services' names from here at run time.
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("segue_v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
