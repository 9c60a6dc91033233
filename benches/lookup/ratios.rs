//! Every ratio of one table: what against what.

use std::path::Path;

use segue::store::live::Snapshot;

use crate::args::Args;
use crate::keys::{Draw, KeySet};
use crate::paired::Ratio;
use crate::peers::{HashTable, Peer, Redb, SortedArray, with_lmdb};
use crate::sides::{Kind, batches, chain, gets, lookups, reads};

/// The table against the memory, and then against one peer after the other: two fit in memory.
pub(crate) fn measure(snapshot: &Snapshot, keys: &KeySet, dir: &Path, args: &Args) {
    let ours = Ours { snapshot, keys, args };
    ours.against_the_memory();
    ours.batches_against_single_lookups();
    ours.against("hashbrown", || HashTable::fill(keys));
    ours.against("sorted array", || SortedArray::fill(keys));
    if ours.asks_of("LMDB") {
        with_lmdb(dir, keys, |lmdb| ours.against("LMDB", || lmdb));
    }
    ours.against("redb", || Redb::open(dir, keys));
}

struct Ours<'a> {
    snapshot: &'a Snapshot,
    keys: &'a KeySet,
    args: &'a Args,
}

impl Ours<'_> {
    fn against_the_memory(&self) {
        const OTHER: &str = "one random read";
        if !self.asks_of(OTHER) {
            return;
        }
        let bytes = self.snapshot.table.bytes().as_ref();
        for (draw, kind) in self.questions() {
            let ours = chain(draw, lookups(self.snapshot, self.keys, kind));
            let (ratio, _) = self.args.pairing.ratio(ours, chain(draw, reads(bytes)));
            tell(kind.name(), draw, OTHER, ratio);
        }
    }

    fn batches_against_single_lookups(&self) {
        const OTHER: &str = "single lookups";
        if !self.asks_of(OTHER) {
            return;
        }
        for draw in self.draws() {
            let batches = batches(self.snapshot, self.keys, draw);
            let single = chain(draw, lookups(self.snapshot, self.keys, Kind::Hit));
            let (ratio, _) = self.args.pairing.ratio(batches, single);
            tell("batch of 256", draw, OTHER, ratio);
        }
    }

    fn against<P: Peer>(&self, name: &str, peer: impl FnOnce() -> P) {
        if !self.asks_of(name) {
            return;
        }
        let peer = peer();
        for (draw, kind) in self.questions() {
            let ours = chain(draw, lookups(self.snapshot, self.keys, kind));
            let (ratio, same) = self.args.pairing.ratio(ours, chain(draw, gets(&peer, self.keys, kind)));
            assert!(same, "{name} answers otherwise than the table");
            tell(kind.name(), draw, name, ratio);
        }
    }

    fn asks_of(&self, other: &str) -> bool {
        self.args.other.as_ref().is_none_or(|asked| other.contains(asked.as_str()))
    }

    fn questions(&self) -> impl Iterator<Item = (Draw, Kind)> + use<> {
        self.draws().into_iter().flat_map(|draw| Kind::ALL.map(|kind| (draw, kind)))
    }

    fn draws(&self) -> [Draw; 2] {
        [Draw::Uniform, Draw::zipf(self.keys.total())]
    }
}

fn tell(kind: &str, draw: Draw, other: &str, ratio: Ratio) {
    println!("{:<13} {:<8} : {other:<16} {}   ({:.0} ns)", kind, draw.name(), ratio.ratio, ratio.nanos);
}
