//! The file, byte by byte. All numbers are little-endian; every row section starts at a multiple of 64.
//!
//! ```text
//! header, 64 bytes
//!   0  8  magic             89 53 45 47 55 45 0D 0A: not text, broken by a newline translation
//!   8  4  format version    1
//!  12  4  sections          k + 1: one row section per key length, longest first, then the archive
//!  16  4  k                 the longest key, 1 to 4
//!  20  4  width             candidates a row
//!  24  4  key bytes         8 or 16
//!  28  4  clusters          dense indices are 0 to clusters - 1
//!  32  8  file length
//!  40 16  zero
//!  56  8  checksum          XXH3-64 of bytes 0 to 56 and of the directory
//!
//! directory, 64 bytes for each section
//!   0  4  kind              1 archive, 2 rows
//!   4  4  key length        0 for the archive
//!   8  8  offset
//!  16  8  length            bytes
//!  24  8  rows              keys stored
//!  32  8  homes             slots that a hash can name; the section holds as many or a few more
//!  40  4  stride            bytes a slot
//!  44  4  longest probe     slots from a home to its farthest row
//!  48  8  checksum          XXH3-64 of the section
//!  56  8  zero
//!
//! rows: slots of `stride` bytes, in order of (hash, key), each at its home or as little behind it as the order allows
//!   0        key bytes   the key's dense indices, oldest lowest, `index bits` each
//!   .    4 x width       candidates' dense indices, best first
//!   .    2 x width       their scores, in 1/65535
//!   .    1 x width       their sources; 0 ends the row, and a slot whose first source is 0 is empty (all zero)
//!   .                    zero up to the stride, a multiple of 64
//!
//! archive: lineage, cluster ids, descriptions and the popular row, in rkyv's form (unaligned, 64-bit pointers)
//! ```
//!
//! A slot's home is `hash * homes / 2^64`, so that order of hash is order of home: a builder that merges sorted runs
//! writes the section front to back, and a reader stops at the first slot that is empty or whose hash is larger. No
//! probe wraps: rows pushed over the last home lie behind it.
//!
//! With at most 2^(64/k) clusters the key takes 8 bytes, and with the default width of 8 a slot is exactly one cache
//! line: a lookup is one cache miss at any size.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::error::OpenError;

/// What every table starts with.
pub const MAGIC: [u8; 8] = *b"\x89SEGUE\r\n";
/// The only format there is so far.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of the header, of a directory entry, and the alignment of sections and slots.
pub const LINE: usize = 64;
/// The longest key a table can hold.
pub const MAX_K: usize = 4;
/// The widest row a table can hold.
pub const MAX_WIDTH: usize = 1024;

const ARCHIVE: u32 = 1;
const ROWS: u32 = 2;
const HEADER_CHECKSUM_AT: usize = 56;

/// What the header says of the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) k: usize,
    pub(super) width: usize,
    pub(super) key_bytes: usize,
    pub(super) clusters: u32,
    pub(super) file_len: u64,
}

/// One entry of the directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SectionEntry {
    /// 0 for the archive.
    pub(super) key_len: usize,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) rows: u64,
    pub(super) homes: u64,
    pub(super) stride: usize,
    pub(super) longest_probe: u32,
    pub(super) checksum: u64,
}

/// Bits that one dense index takes in a key: the whole key fits 64 where it can, else 128.
pub(super) fn index_bits(k: usize, key_bytes: usize) -> u32 {
    if key_bytes == 8 { (64 / k as u32).min(32) } else { 32 }
}

/// 8 where `k` indices below `clusters` fit 64 bits, else 16.
pub(super) fn key_bytes(k: usize, clusters: u32) -> usize {
    let highest = u64::from(clusters.saturating_sub(1));
    let bits = 64 / k as u32;
    if bits >= 32 || highest >> bits == 0 { 8 } else { 16 }
}

/// Bytes of a slot: key, candidates, scores and sources, padded to whole cache lines.
pub(super) fn stride(key_bytes: usize, width: usize) -> usize {
    (key_bytes + width * (4 + 2 + 1)).next_multiple_of(LINE)
}

/// Packs dense indices, oldest lowest. At most 32 bits each: a key that fits 64 is packed as one word.
#[inline]
pub(super) fn pack(indices: &[u32], bits: u32) -> u128 {
    let newest_first = indices.iter().rev();
    if indices.len() as u32 * bits <= u64::BITS {
        return newest_first.fold(0, |key: u64, &index| key << bits | u64::from(index)).into();
    }
    newest_first.fold(0, |key, &index| key << bits | u128::from(index))
}

/// The inverse of [`pack`]; bits beyond `len` indices come back as the second value and must be zero.
pub(super) fn unpack(mut key: u128, len: usize, bits: u32) -> ([u32; MAX_K], u128) {
    let mut indices = [0; MAX_K];
    for index in &mut indices[..len] {
        *index = (key & ((1 << bits) - 1)) as u32;
        key >>= bits;
    }
    (indices, key)
}

/// Spreads keys over slots. Distinct 64-bit keys never collide: each step can be undone.
#[inline]
pub(super) fn hash(key: u128) -> u64 {
    let low = mix(key as u64);
    let high = (key >> 64) as u64;
    if high == 0 { low } else { mix(low ^ high) }
}

#[inline]
fn mix(mut x: u64) -> u64 {
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ x >> 32
}

/// The first slot where a key of this hash can lie.
#[inline]
pub(super) fn home(hash: u64, homes: u64) -> u64 {
    ((u128::from(hash) * u128::from(homes)) >> 64) as u64
}

/// The header and the directory as they stand at the start of the file.
pub(super) fn encode(header: &Header, sections: &[SectionEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LINE * (1 + sections.len()));
    bytes.extend(MAGIC);
    for field in [FORMAT_VERSION, sections.len() as u32, header.k as u32, header.width as u32] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend((header.key_bytes as u32).to_le_bytes());
    bytes.extend(header.clusters.to_le_bytes());
    bytes.extend(header.file_len.to_le_bytes());
    bytes.resize(LINE, 0);
    for section in sections {
        encode_entry(section, &mut bytes);
    }
    let checksum = header_checksum(&bytes);
    bytes[HEADER_CHECKSUM_AT..LINE].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn encode_entry(section: &SectionEntry, bytes: &mut Vec<u8>) {
    let end = bytes.len() + LINE;
    let kind = if section.key_len == 0 { ARCHIVE } else { ROWS };
    bytes.extend(kind.to_le_bytes());
    bytes.extend((section.key_len as u32).to_le_bytes());
    for field in [section.offset, section.len, section.rows, section.homes] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend((section.stride as u32).to_le_bytes());
    bytes.extend(section.longest_probe.to_le_bytes());
    bytes.extend(section.checksum.to_le_bytes());
    bytes.resize(end, 0);
}

fn header_checksum(bytes: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(&bytes[..HEADER_CHECKSUM_AT]);
    hasher.update(&bytes[LINE..]);
    hasher.digest()
}

/// A section's checksum, as the directory states it.
pub(super) fn section_checksum(section: &[u8]) -> u64 {
    xxh3_64(section)
}

/// Reads header and directory, trusting nothing: every field is bounded before it is used.
pub(super) fn decode(bytes: &[u8]) -> Result<(Header, Vec<SectionEntry>, u64), OpenError> {
    let fixed = bytes.get(..LINE).ok_or(OpenError::Short { len: bytes.len() as u64, needed: LINE as u64 })?;
    if fixed[..8] != MAGIC {
        return Err(OpenError::NotATable);
    }
    if u32_at(fixed, 8) != FORMAT_VERSION {
        return Err(OpenError::Format { found: u32_at(fixed, 8), known: FORMAT_VERSION });
    }
    let header = decode_header(fixed)?;
    let directory_end = LINE * (2 + header.k);
    let front = bytes.get(..directory_end);
    let front = front.ok_or(OpenError::Short { len: bytes.len() as u64, needed: directory_end as u64 })?;
    let (stated, found) = (u64_at(fixed, HEADER_CHECKSUM_AT), header_checksum(front));
    if stated != found {
        return Err(OpenError::Checksum { part: "header".into(), stated, found });
    }
    if header.file_len != bytes.len() as u64 {
        return Err(OpenError::Length { stated: header.file_len, found: bytes.len() as u64 });
    }
    let sections = decode_directory(&header, front)?;
    Ok((header, sections, found))
}

fn decode_header(fixed: &[u8]) -> Result<Header, OpenError> {
    let (sections, k, width) = (u32_at(fixed, 12) as usize, u32_at(fixed, 16) as usize, u32_at(fixed, 20) as usize);
    let (stated_key_bytes, clusters) = (u32_at(fixed, 24) as usize, u32_at(fixed, 28));
    let in_range = (1..=MAX_K).contains(&k) && (1..=MAX_WIDTH).contains(&width) && sections == k + 1;
    if !in_range || stated_key_bytes != key_bytes(k, clusters) || fixed[40..HEADER_CHECKSUM_AT] != [0; 16] {
        return Err(OpenError::Header { k, width, sections, clusters });
    }
    Ok(Header { k, width, key_bytes: stated_key_bytes, clusters, file_len: u64_at(fixed, 32) })
}

/// Sections follow each other without overlap or hole: keys of k, k - 1, ... 1, the archive.
fn decode_directory(header: &Header, front: &[u8]) -> Result<Vec<SectionEntry>, OpenError> {
    let mut end = front.len() as u64;
    let mut sections = Vec::with_capacity(header.k + 1);
    for at in 0..=header.k {
        let key_len = header.k - at;
        let section = decode_entry(&front[LINE * (1 + at)..LINE * (2 + at)], key_len, header)?;
        if section.offset != end || section.len > header.file_len.saturating_sub(end) {
            return Err(OpenError::Directory { section: section_name(key_len), field: "offset and length" });
        }
        end += section.len;
        sections.push(section);
    }
    if end != header.file_len {
        return Err(OpenError::Length { stated: end, found: header.file_len });
    }
    Ok(sections)
}

fn decode_entry(entry: &[u8], key_len: usize, header: &Header) -> Result<SectionEntry, OpenError> {
    let section = SectionEntry {
        key_len,
        offset: u64_at(entry, 8),
        len: u64_at(entry, 16),
        rows: u64_at(entry, 24),
        homes: u64_at(entry, 32),
        stride: u32_at(entry, 40) as usize,
        longest_probe: u32_at(entry, 44),
        checksum: u64_at(entry, 48),
    };
    let refused = |field| Err(OpenError::Directory { section: section_name(key_len), field });
    let kind = if key_len == 0 { ARCHIVE } else { ROWS };
    if u32_at(entry, 0) != kind || u32_at(entry, 4) as usize != key_len {
        return refused("kind and key length");
    }
    if entry[56..] != [0; 8] {
        return refused("reserved bytes");
    }
    if key_len == 0 {
        return if section.stride == 0 && section.rows == 0 && section.homes == 0 {
            Ok(section)
        } else {
            refused("rows")
        };
    }
    if section.stride != stride(header.key_bytes, header.width) || !section.len.is_multiple_of(section.stride as u64) {
        return refused("stride");
    }
    let slots = section.len / section.stride as u64;
    if section.homes > slots || section.rows > slots || (section.homes == 0) != (section.rows == 0) {
        return refused("rows and homes");
    }
    Ok(section)
}

/// How errors call a section.
pub(super) fn section_name(key_len: usize) -> String {
    if key_len == 0 { "archive".into() } else { format!("keys of {key_len}") }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes were sliced"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes were sliced"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_row_is_one_cache_line() {
        assert_eq!(stride(key_bytes(2, 761), 8), 64);
        assert_eq!(stride(key_bytes(4, 65_536), 8), 64);
        assert_eq!(stride(key_bytes(3, 1 << 21), 8), 64);
        assert_eq!(stride(key_bytes(4, 65_537), 8), 128);
        assert_eq!(key_bytes(2, u32::MAX), 8);
    }

    #[test]
    fn keys_unpack_to_what_was_packed() {
        for (k, bytes) in [(1, 8), (2, 8), (3, 8), (4, 8), (3, 16), (4, 16)] {
            let bits = index_bits(k, bytes);
            let highest = if bits >= 32 { u32::MAX } else { (1 << bits) - 1 };
            let indices = [highest, 0, 1, highest];
            let (unpacked, rest) = unpack(pack(&indices[..k], bits), k, bits);
            assert_eq!((&unpacked[..k], rest), (&indices[..k], 0));
        }
    }

    #[test]
    fn order_of_hash_is_order_of_home() {
        let mut hashes: Vec<u64> = (0..10_000).map(hash).collect();
        hashes.sort_unstable();
        assert!(hashes.windows(2).all(|pair| pair[0] < pair[1] && home(pair[0], 999) <= home(pair[1], 999)));
        assert!(home(u64::MAX, 999) == 998);
    }
}
