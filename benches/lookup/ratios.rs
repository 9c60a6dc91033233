//! Every ratio of one table: what against what.

use std::path::Path;

use segue::store::live::Snapshot;

use crate::args::Args;
use crate::keys::{Draw, KeySet};
use crate::paired::{Pairing, Ratio};
use crate::peers::{HashTable, Peer, Redb, SortedArray, with_lmdb};
use crate::sides::{Kind, chain, gets, lookups, reads};

/// The table against the memory, and then against one peer after the other: two fit in memory.
pub(crate) fn measure(snapshot: &Snapshot, keys: &KeySet, dir: &Path, args: &Args) {
    let ours = Ours { snapshot, keys, pairing: args.pairing };
    ours.against_the_memory();
    ours.against("hashbrown", &HashTable::fill(keys));
    ours.against("sorted array", &SortedArray::fill(keys));
    with_lmdb(dir, keys, |lmdb| ours.against("LMDB", lmdb));
    ours.against("redb", &Redb::open(dir, keys));
}

struct Ours<'a> {
    snapshot: &'a Snapshot,
    keys: &'a KeySet,
    pairing: Pairing,
}

impl Ours<'_> {
    fn against_the_memory(&self) {
        let bytes = self.snapshot.table.bytes().as_ref();
        for (draw, kind) in self.questions() {
            let ours = chain(draw, lookups(self.snapshot, self.keys, kind));
            let (ratio, _) = self.pairing.ratio(ours, chain(draw, reads(bytes)));
            tell(kind, draw, "one random read", ratio);
        }
    }

    fn against(&self, name: &str, peer: &impl Peer) {
        for (draw, kind) in self.questions() {
            let ours = chain(draw, lookups(self.snapshot, self.keys, kind));
            let (ratio, same) = self.pairing.ratio(ours, chain(draw, gets(peer, self.keys, kind)));
            assert!(same, "{name} answers otherwise than the table");
            tell(kind, draw, name, ratio);
        }
    }

    fn questions(&self) -> impl Iterator<Item = (Draw, Kind)> + use<> {
        let draws = [Draw::Uniform, Draw::zipf(self.keys.total())];
        draws.into_iter().flat_map(|draw| Kind::ALL.map(|kind| (draw, kind)))
    }
}

fn tell(kind: Kind, draw: Draw, other: &str, ratio: Ratio) {
    println!("{:<13} {:<8} : {other:<16} {}   ({:.0} ns)", kind.name(), draw.name(), ratio.ratio, ratio.nanos);
}
