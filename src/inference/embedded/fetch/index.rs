//! A Python package index by its simple API, as JSON or as HTML.

use std::io::Read;

use reqwest::Url;
use serde::Deserialize;

use super::http::{Client, parsed, shown};

/// The longest page of a project.
const MAX_PAGE: u64 = 4 << 20;

#[derive(Deserialize)]
struct Page {
    files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    filename: String,
    url: String,
}

/// The URL of a project's file, with the index's user where it lies on the same host: a link that leads elsewhere is
/// none of a password's business.
pub(super) fn find(client: &Client, index: &str, project: &str, file: &str) -> Result<Url, String> {
    let index = parsed(index)?;
    let mut url = index.clone();
    url.path_segments_mut().map_err(|()| "the package index has no path")?.pop_if_empty().extend([project, ""]);
    let here = shown(&url);
    let mut page = String::new();
    client.read(&url, MAX_PAGE)?.read_to_string(&mut page).map_err(|error| format!("{here}: {error}"))?;
    let listed = in_json(&page, file).or_else(|| in_html(&page, file));
    let mut found = listed.and_then(|link| here.join(&link).ok()).ok_or(format!("{here} does not list {file}"))?;
    if found.origin() == index.origin() && found.username().is_empty() {
        let with_user = found.set_username(index.username()).and_then(|()| found.set_password(index.password()));
        with_user.map_err(|()| format!("{here} lists a link without a host"))?;
    }
    Ok(found)
}

fn in_json(page: &str, file: &str) -> Option<String> {
    let page: Page = serde_json::from_str(page).ok()?;
    page.files.into_iter().find(|listed| listed.filename == file).map(|listed| listed.url)
}

/// The link whose last part is the file: `href="…/file#sha256=…"`.
fn in_html(page: &str, file: &str) -> Option<String> {
    let links = page.split("href=").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|c| ['"', '\''].contains(c))?;
        rest[1..].split(quote).next()
    });
    let mut targets = links.map(|link| link.split(['#', '?']).next().unwrap_or(link).replace("&amp;", "&"));
    targets.find(|target| target.rsplit('/').next() == Some(file))
}
