//! Column names: what a file has, and which of them was probably meant.

use std::collections::HashSet;

/// How many columns a message lists at most.
const LISTED: usize = 30;

/// The clause of a message that helps to mend a misspelt column: `did you mean ...? It has ...`.
pub(super) fn known<'a>(wanted: &str, columns: impl IntoIterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.into_iter().collect();
    let mut listed = columns.iter().take(LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if columns.len() > LISTED {
        listed.push_str(", ...");
    }
    match nearest(wanted, &columns) {
        _ if columns.is_empty() => {
            "it has none at all: expected CSV under a header, or JSON with one object a line".to_owned()
        }
        Some(near) => format!("did you mean `{near}`? The columns are {listed}"),
        None => format!("the columns are {listed}"),
    }
}

fn nearest<'a>(wanted: &str, columns: &[&'a str]) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase());
    let best = columns.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.7).then_some(best)
}

/// The first name that stands twice.
pub(super) fn duplicate<'a>(columns: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    columns.into_iter().find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first() {
        assert_eq!(known("user_id", ["time", "userid"]), "did you mean `userid`? The columns are `time`, `userid`");
        assert_eq!(known("user_id", ["x"]), "the columns are `x`");
        assert_eq!(known("Rating", ["rating", "r"]), "did you mean `rating`? The columns are `rating`, `r`");
        assert!(known("x", []).starts_with("it has none at all"));
        assert!(known("x", (0..99).map(|_| "y")).ends_with(", ..."));
    }
}
