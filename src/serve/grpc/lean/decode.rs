//! `LookupRequest` and `BatchLookupRequest`, read in place: what generated code puts into two vectors for each question
//! goes into two for all, which the next message uses again.

use std::ops::Range;

use prost::encoding::{DecodeContext, WireType, check_wire_type, decode_key, decode_varint, skip_field, string};
use prost::{DecodeError, Message};

use crate::lookup::Query;
use crate::proto::{BatchLookupRequest, LookupRequest};
use crate::serve::lookups::Question;

/// The questions of one message.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// The histories of all questions, one behind the other, and what they exclude: a list each, so that whatever order
    /// fields come in, every question's lists lie in one piece.
    histories: Vec<u32>,
    excludes: Vec<u32>,
    asked: Vec<Asked>,
}

/// One `LookupRequest`: where its lists lie, and its texts in the message.
#[derive(Debug, Default)]
struct Asked {
    history: Range<usize>,
    exclude: Range<usize>,
    limit: u32,
    channel: Range<usize>,
    unit: Range<usize>,
}

/// Longer lists are not kept for the next message.
const KEPT: usize = 1 << 16;

impl Questions {
    /// Reads a `LookupRequest`.
    pub(super) fn read_one(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        self.clear();
        // Generated code names the field that is at fault.
        self.read(message, message.len()).map_err(|error| LookupRequest::decode(message).err().unwrap_or(error))
    }

    /// Reads the lookups of a `BatchLookupRequest`, in order.
    pub(super) fn read_batch(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        self.clear();
        self.read_all(message).map_err(|error| BatchLookupRequest::decode(message).err().unwrap_or(error))
    }

    /// The questions, in order; `message` is what they were read from.
    pub(super) fn iter<'m>(&'m self, message: &'m [u8]) -> impl ExactSizeIterator<Item = Question<'m>> + Clone {
        self.asked.iter().map(move |asked| {
            let (history, exclude) = (&self.histories[asked.history.clone()], &self.excludes[asked.exclude.clone()]);
            let text = |range: &Range<usize>| match &message[range.clone()] {
                [] => "",
                // It was found to be text when it was read.
                bytes => str::from_utf8(bytes).unwrap_or_default(),
            };
            let (channel, unit) = (text(&asked.channel), text(&asked.unit));
            Question { query: Query { history, limit: asked.limit, exclude }, channel, unit }
        })
    }

    fn clear(&mut self) {
        self.asked.clear();
        self.asked.shrink_to(KEPT);
        for list in [&mut self.histories, &mut self.excludes] {
            list.clear();
            list.shrink_to(KEPT);
        }
    }

    fn read_all(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let mut rest = message;
        while !rest.is_empty() {
            match decode_key(&mut rest)? {
                (1, found) => {
                    let lookup = payload(found, &mut rest)?;
                    self.read(lookup, message.len() - rest.len())?;
                }
                (tag, found) => skip_field(found, tag, &mut rest, DecodeContext::default())?,
            }
        }
        Ok(())
    }

    /// Reads one `LookupRequest`, whose bytes end at `end` in the message.
    fn read(&mut self, mut rest: &[u8], end: usize) -> Result<(), DecodeError> {
        let (histories, excludes) = (self.histories.len(), self.excludes.len());
        let mut asked = Asked::default();
        while !rest.is_empty() {
            match decode_key(&mut rest)? {
                (1, found) => read_list(&mut self.histories, found, &mut rest)?,
                (2, found) => asked.limit = number(found, &mut rest)?,
                (3, found) => read_list(&mut self.excludes, found, &mut rest)?,
                (4, found) => {
                    let channel = text(found, &mut rest)?;
                    asked.channel = end - rest.len() - channel.len()..end - rest.len();
                }
                (5, found) => {
                    let unit = text(found, &mut rest)?;
                    asked.unit = end - rest.len() - unit.len()..end - rest.len();
                }
                (tag, found) => skip_field(found, tag, &mut rest, DecodeContext::default())?,
            }
        }
        asked.history = histories..self.histories.len();
        asked.exclude = excludes..self.excludes.len();
        self.asked.push(asked);
        Ok(())
    }
}

/// Adds what one field holds to a list: one number, or many packed.
fn read_list(list: &mut Vec<u32>, found: WireType, rest: &mut &[u8]) -> Result<(), DecodeError> {
    if found != WireType::LengthDelimited {
        list.push(number(found, rest)?);
        return Ok(());
    }
    let mut packed = payload(found, rest)?;
    while !packed.is_empty() {
        list.push(decode_varint(&mut packed)? as u32);
    }
    Ok(())
}

/// A `uint32`; what is longer loses its upper bits, as generated code has it.
fn number(found: WireType, rest: &mut &[u8]) -> Result<u32, DecodeError> {
    check_wire_type(WireType::Varint, found)?;
    Ok(decode_varint(rest)? as u32)
}

/// The bytes of a string, a message or packed numbers.
fn payload<'m>(found: WireType, rest: &mut &'m [u8]) -> Result<&'m [u8], DecodeError> {
    check_wire_type(WireType::LengthDelimited, found)?;
    let mut from_bytes = *rest;
    let len = decode_varint(&mut from_bytes)? as usize;
    let Some((bytes, behind)) = from_bytes.split_at_checked(len) else {
        // It says what is wrong; its tag matters to groups only.
        skip_field(found, 1, rest, DecodeContext::default())?;
        return Ok(&[]);
    };
    *rest = behind;
    Ok(bytes)
}

fn text<'m>(found: WireType, rest: &mut &'m [u8]) -> Result<&'m [u8], DecodeError> {
    let mut from_length = *rest;
    let bytes = payload(found, rest)?;
    if str::from_utf8(bytes).is_err() {
        string::merge(found, &mut String::new(), &mut from_length, DecodeContext::default())?;
    }
    Ok(bytes)
}
