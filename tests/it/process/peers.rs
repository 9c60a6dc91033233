//! The same model here and in llama.cpp's server: same weights, same questions, the likeliest token each time.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, write};
use candle_core::quantized::{GgmlDType, QTensor};

use super::harness::{Process, World};
use super::model;

/// Keys asked for: each takes a part of a second.
const KEYS: usize = 60;

/// Sums are added up in another order there, so a choice between two that are as likely may fall otherwise.
const LEAST_EQUAL: f64 = 0.95;

#[test]
#[ignore = "needs llama.cpp's server: `just peers` builds it and names it in SEGUE_LLAMA_SERVER"]
fn the_same_weights_answer_alike_in_another_engine() {
    let server = std::env::var_os("SEGUE_LLAMA_SERVER").expect("SEGUE_LLAMA_SERVER names no llama-server");
    let world = model::world().expect("the ratings are there");
    let address = free_address();
    let url = format!("inference.openai.url=http://{address}/v1");
    let asked = |version: &str, more: &[&str]| {
        let gates = ["exact_match", "recall", "collapse"].map(|gate| format!("evaluation.{gate}.severity=off"));
        let free = ["inference.decoding.constrained=false".to_owned(), "inference.decoding.retries=0".to_owned()];
        let settings = [&free[..], &[format!("inference.max_keys={KEYS}")]].concat();
        let settings = settings.iter().chain(&gates).map(String::as_str).chain(more.iter().copied());
        let args = ["refresh", "--to", "2013-10-01"].into_iter().chain(settings.flat_map(|set| ["--set", set]));
        let ran = world.run(&args.collect::<Vec<_>>());
        // What it says is no table to publish.
        assert_eq!(ran.code, Some(3), "{ran:?}");
        answers(&world, version)
    };
    let here = asked("v1", &[]);

    let widened = world.file("widened.gguf");
    widen(&fetched(), &widened);
    let _server = serve(Path::new(&server), &widened, address);
    let there = asked("v2", &["inference.backend=openai", "inference.openai.model=widened", &url]);

    let differing: Vec<_> = here.difference(&there).collect();
    let equal = 1.0 - differing.len() as f64 / here.len() as f64;
    println!("{} of {} answers are equal", here.len() - differing.len(), here.len());
    differing.iter().for_each(|(key, answer)| println!("only here: {key:?}: {answer}"));
    assert!(here.len() > 50 && equal >= LEAST_EQUAL, "{equal}");
}

/// What the model said for each key that was asked.
fn answers(world: &World, version: &str) -> BTreeSet<(Vec<u32>, String)> {
    let said = |key: Vec<u32>| {
        let history: Vec<String> = key.iter().map(u32::to_string).collect();
        let history = history.iter().map(String::as_str);
        let told = world.json(&["explain", "--version", version].into_iter().chain(history).collect::<Vec<_>>());
        Some((key, told["explanation"]["answer"].as_str()?.to_owned()))
    };
    model::keys(world).into_iter().take(KEYS).filter_map(said).collect()
}

/// The model that the first refresh fetched.
fn fetched() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models");
    let files = std::fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.extension().is_some_and(|of| of == "gguf")).expect("a model was fetched")
}

/// Writes a model with all weights as f32, which is what this process computes with.
fn widen(model: &Path, path: &Path) {
    let mut file = BufReader::new(File::open(model).unwrap());
    let content = Content::read(&mut file).unwrap();
    let mut tensor = |name: &String| {
        let wide = content.tensor(&mut file, name, &Device::Cpu).unwrap().dequantize(&Device::Cpu).unwrap();
        (name.clone(), QTensor::quantize(&wide, GgmlDType::F32).unwrap())
    };
    let tensors: Vec<(String, QTensor)> = content.tensor_infos.keys().map(&mut tensor).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let metadata: Vec<_> = content.metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    write(&mut File::create(path).unwrap(), &metadata, &tensors).unwrap();
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Starts the server and waits until it has loaded the model.
fn serve(server: &Path, model: &Path, address: SocketAddr) -> Process {
    let mut command = Command::new(server);
    command.arg("--model").arg(model).args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(["--ctx-size", "8192", "--parallel", "4"]).stdout(Stdio::null()).stderr(Stdio::null());
    let process = Process::start(&mut command);
    let began = Instant::now();
    while !is_healthy(address) {
        assert!(began.elapsed() < Duration::from_secs(60), "llama-server did not come up");
        sleep(Duration::from_millis(200));
    }
    process
}

fn is_healthy(address: SocketAddr) -> bool {
    let mut answer = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    asked.is_ok() && answer.starts_with("HTTP/1.1 200")
}
