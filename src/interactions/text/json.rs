//! JSON lines: one object a line; of its fields those that are strings, numbers or booleans.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, BufRead, BufReader};

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::input::Input;
use super::{Reader, Row};

pub(super) struct JsonReader {
    input: BufReader<Input>,
    wanted: HashMap<String, usize>,
    bytes: Vec<u8>,
    line: u64,
}

impl JsonReader {
    pub(super) fn new(input: Input, wanted: &[String]) -> Self {
        let wanted = wanted.iter().enumerate().map(|(field, name)| (name.clone(), field)).collect();
        Self { input: BufReader::with_capacity(1 << 18, input), wanted, bytes: Vec::new(), line: 0 }
    }

    /// The next line that is not blank; `None` at the end.
    fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            self.bytes.clear();
            if self.input.read_until(b'\n', &mut self.bytes)? == 0 {
                return Ok(None);
            }
            self.input.get_mut().record_done();
            self.line += 1;
            if !self.bytes.trim_ascii().is_empty() {
                return Ok(Some(strip_mark(self.bytes.trim_ascii())));
            }
        }
    }

    /// The names of the fields of the next `lines` lines.
    pub(super) fn names(&mut self, lines: usize) -> io::Result<Vec<String>> {
        let mut names = BTreeMap::new();
        for _ in 0..lines {
            let Some(line) = self.next_line()? else { break };
            if let Ok(fields) = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(line) {
                names.extend(fields);
            }
        }
        Ok(names.into_keys().collect())
    }
}

/// Some editors begin a file with a byte order mark.
fn strip_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

impl Reader for JsonReader {
    fn read(&mut self, row: &mut Row) -> io::Result<bool> {
        if self.next_line()?.is_none() {
            return Ok(false);
        }
        let line = strip_mark(self.bytes.trim_ascii());
        row.clear(self.line, self.wanted.len());
        let mut json = serde_json::Deserializer::from_slice(line);
        let fields = Fields { wanted: &self.wanted, row };
        let parsed = json.deserialize_map(fields).and_then(|()| json.end());
        if parsed.is_err() || str::from_utf8(line).is_err() {
            row.break_off(line);
        }
        Ok(true)
    }
}

/// Puts the wanted fields of an object into a row.
struct Fields<'a> {
    wanted: &'a HashMap<String, usize>,
    row: &'a mut Row,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(field) = map.next_key_seed(Name(self.wanted))? {
            match field {
                Some(field) => map.next_value_seed(Scalar { field, row: self.row })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Looks a name up without copying it.
struct Name<'a>(&'a HashMap<String, usize>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.get(name).copied())
    }
}

/// Writes a value into its field as text; null, arrays and objects leave it null.
struct Scalar<'a> {
    field: usize,
    row: &'a mut Row,
}

impl<'de> DeserializeSeed<'de> for Scalar<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.row.set(self.field, text);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.row.set(self.field, if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.row.set(self.field, &number.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.row.set(self.field, &number.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.row.set(self.field, &number.to_string());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut values: S) -> Result<(), S::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<(), M::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
