//! What is compared with what, and the bars.

use std::fmt;

/// One comparison.
pub(super) struct Row {
    pub(super) measure: Measure,
    pub(super) ours: Side,
    pub(super) theirs: Side,
    /// The ratio to reach; none where the row only tells.
    pub(super) bar: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Answers per second of the server's time on the processor, both kept as busy as they can be: more is better.
    Throughput,
    /// The 99th percentile of latency at half the rate that saturates the slower one: less is better.
    Latency,
}

/// One server asked in one way.
#[derive(Clone, Copy)]
pub(super) struct Side {
    pub(super) peer: Peer,
    pub(super) call: Call,
    pub(super) shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    Segue,
    SegueUnix,
    /// With an experiment on the channel, and an exposure log.
    Dealing,
    Plain,
    Layered,
    Redis,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Unary,
    /// Unary, for a unit of an experiment.
    Unit,
    Batch,
    Stream,
    Get,
    Mget,
}

/// How many connections, and how many requests at once on each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) connections: usize,
    pub(super) depth: usize,
}

impl Call {
    /// Whether it asks for many keys at once; such calls go to the large table.
    pub(super) fn is_batch(self) -> bool {
        matches!(self, Self::Batch | Self::Mget)
    }
}

const SINGLE: Shape = Shape { connections: 16, depth: 1 };
const MANY: Shape = Shape { connections: 4, depth: 32 };
/// As many requests at once as [`MANY`] where a connection takes one at a time.
const UNPIPELINED: Shape = Shape { connections: 128, depth: 1 };

/// Every row, those with a bar first.
pub(super) fn all() -> Vec<Row> {
    use Call::{Batch, Get, Mget, Stream, Unary, Unit};
    use Measure::{Latency, Throughput};
    use Peer::{Dealing, Layered, Plain, Redis, Segue, SegueUnix};
    let row = |measure, ours: (Peer, Call, Shape), theirs: (Peer, Call, Shape), bar: Option<f64>| {
        let [ours, theirs] = [ours, theirs].map(|(peer, call, shape)| Side { peer, call, shape });
        Row { measure, ours, theirs, bar }
    };
    vec![
        row(Throughput, (Segue, Unary, SINGLE), (Plain, Unary, SINGLE), Some(1.1)),
        row(Throughput, (Segue, Unary, SINGLE), (Layered, Unary, SINGLE), Some(1.1)),
        row(Throughput, (Segue, Unary, MANY), (Plain, Unary, MANY), Some(1.3)),
        row(Throughput, (Segue, Unary, MANY), (Layered, Unary, MANY), Some(1.3)),
        row(Throughput, (Segue, Unary, SINGLE), (Redis, Get, SINGLE), Some(0.85)),
        row(Throughput, (Segue, Unary, MANY), (Redis, Get, UNPIPELINED), Some(1.5)),
        row(Throughput, (Segue, Batch, SINGLE), (Redis, Mget, SINGLE), Some(4.0)),
        row(Latency, (Segue, Unary, SINGLE), (Plain, Unary, SINGLE), Some(1.05)),
        row(Latency, (Segue, Unary, MANY), (Plain, Unary, MANY), Some(1.05)),
        row(Throughput, (Segue, Unary, MANY), (Redis, Get, MANY), None),
        row(Throughput, (Segue, Stream, MANY), (Redis, Get, MANY), None),
        row(Throughput, (Segue, Stream, MANY), (Plain, Stream, MANY), None),
        row(Throughput, (Segue, Batch, SINGLE), (Plain, Batch, SINGLE), None),
        row(Throughput, (SegueUnix, Unary, SINGLE), (Segue, Unary, SINGLE), None),
        row(Throughput, (SegueUnix, Unary, MANY), (Segue, Unary, MANY), None),
        row(Throughput, (Dealing, Unit, SINGLE), (Dealing, Unary, SINGLE), None),
        row(Throughput, (Dealing, Unit, MANY), (Dealing, Unary, MANY), None),
        row(Throughput, (Dealing, Unary, SINGLE), (Segue, Unary, SINGLE), None),
        row(Latency, (Segue, Unary, SINGLE), (Redis, Get, SINGLE), None),
    ]
}

impl Row {
    /// As `unary 16x1 : plain tonic`, with what differs on the other side.
    pub(super) fn name(&self) -> String {
        let Self { measure, ours, theirs, .. } = self;
        let what = if *measure == Measure::Latency { "p99 of " } else { "" };
        let our_peer = if ours.peer == Peer::Segue { String::new() } else { format!("{} ", ours.peer) };
        let mut name = format!("{what}{our_peer}{} {} :", ours.call, ours.shape);
        if theirs.peer != ours.peer {
            name += &format!(" {}", theirs.peer);
        }
        if theirs.call != ours.call {
            name += &format!(" {}", theirs.call);
        }
        if theirs.shape != ours.shape {
            name += &format!(" {}", theirs.shape);
        }
        name
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Segue => "segue",
            Self::SegueUnix => "unix",
            Self::Dealing => "dealing",
            Self::Plain => "plain tonic",
            Self::Layered => "layered tonic",
            Self::Redis => "redis",
        })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unary => "unary",
            Self::Unit => "unary with unit",
            Self::Batch => "batch",
            Self::Stream => "stream",
            Self::Get => "GET",
            Self::Mget => "MGET",
        })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.connections, self.depth)
    }
}
