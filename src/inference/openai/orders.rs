//! Orders that are paid for: placed once, and found again in the endpoint's lists.

use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::http::{Failure, Http, MAX_BODY, Trouble, read};

/// Entries of one page of a list, and the most pages that are read.
const PAGE: usize = 100;
pub(super) const MAX_PAGES: usize = 50;
/// The longest id or model name.
const MAX_NAME: usize = 300;

/// A page of a list, the newest first.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// What every entry of a list has.
#[derive(Deserialize)]
pub(super) struct Listed<T> {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) of: T,
}

/// Places an order by `make`. Where it cannot be told whether that was done, it is looked for by `find` before it is placed
/// again.
pub(super) async fn once<T, F>(
    http: &Http,
    make: impl Fn(&Client, &str) -> RequestBuilder,
    read: impl Fn(&[u8]) -> Result<T, Failure>,
    find: impl Fn() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<Option<T>, Failure>>,
{
    let mut attempt = 0;
    loop {
        let problem = match http.attempt(&make).await {
            Err(Trouble::ForGood(failure)) => return Err(failure),
            Err(trouble) => http.wait(trouble, attempt).await.err(),
            // What cannot be read may be the answer to an order that was placed.
            Ok(body) => match read(&body) {
                Ok(placed) => return Ok(placed),
                Err(failure) => Some(failure),
            },
        };
        if let Some(placed) = find().await? {
            return Ok(placed);
        }
        if let Some(failure) = problem {
            return Err(failure);
        }
        attempt += 1;
    }
}

/// The id of the newest entry of the list at `path` for which `is` holds, where there is one.
pub(super) async fn find<T: DeserializeOwned>(
    http: &Http,
    path: &str,
    is: impl Fn(&T) -> bool,
) -> Result<Option<String>, Failure> {
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let Page { data, has_more } = page::<Listed<T>>(http, path, after.as_deref()).await?;
        if let Some(found) = data.iter().find(|listed| is(&listed.of)) {
            return checked(found.id.clone()).map(Some);
        }
        after = data.last().map(|listed| listed.id.clone()).filter(|_| has_more);
        if after.is_none() {
            return Ok(None);
        }
    }
    let seen = PAGE * MAX_PAGES;
    Err(Failure::Endpoint(format!("what was ordered is not among the newest {seen} of {path}: look there by hand")))
}

pub(super) async fn page<T: DeserializeOwned>(
    http: &Http,
    path: &str,
    after: Option<&str>,
) -> Result<Page<T>, Failure> {
    let after = after.map(|after| checked(after.to_owned())).transpose()?;
    let after = after.map_or(String::new(), |after| format!("&after={after}"));
    let get = |client: &Client, url: &str| client.get(format!("{url}/{path}?limit={PAGE}{after}"));
    read(&http.body(0, MAX_BODY, get).await?)
}

pub(super) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control)
}

/// An id becomes part of a path.
pub(super) fn checked(id: String) -> Result<String, Failure> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if is_name(&id) && id.chars().all(fine) {
        Ok(id)
    } else {
        let quoted: String = id.chars().take(40).filter(|c| !c.is_control()).collect();
        Err(Failure::Endpoint(format!("the endpoint names something `{quoted}`, which is no id")))
    }
}
