//! Positions of a hit rate (section 3.1): where a user is asked about, with what is known by then and what comes true.

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::ClusterId;
use crate::interactions::Meeting;

/// A moment at which a user first meets a cluster, having met one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position<'u> {
    /// The moment.
    pub at: DateTime<Utc>,
    /// What the user had met before it, in order.
    pub history: &'u [Meeting],
    /// What the user first meets from then on, within the horizon; never empty.
    pub truth: &'u [Meeting],
}

/// The positions in `[from, to)` of a user's `meetings`, which are in order. The truth may lie behind `to`.
pub fn positions(
    meetings: &[Meeting],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    horizon: TimeDelta,
) -> impl Iterator<Item = Position<'_>> {
    let first = meetings.partition_point(|meeting| meeting.at < from).max(1);
    let last = meetings.partition_point(|meeting| meeting.at < to);
    (first..last).map(move |place| {
        let at = meetings[place].at;
        let (history, ahead) = meetings.split_at(place);
        let within = ahead.partition_point(|meeting| meeting.at - at <= horizon);
        Position { at, history, truth: &ahead[..within] }
    })
}

impl Position<'_> {
    /// Whether a predicted cluster comes true.
    pub fn is_true(&self, cluster: ClusterId) -> bool {
        self.truth.iter().any(|meeting| meeting.cluster == cluster)
    }
}

/// What `n` distinct clusters, drawn at random from `novel` of which `true_ones` come true, reach: the expected hit rate.
pub fn random_novel(novel: usize, true_ones: usize, n: usize) -> f64 {
    let missed = |drawn: usize| {
        let left = novel.saturating_sub(drawn).max(1);
        left.saturating_sub(true_ones) as f64 / left as f64
    };
    1.0 - (0..n.min(novel)).map(missed).product::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(cluster: u32, day: i64) -> Meeting {
        Meeting { cluster: ClusterId(cluster), at: DateTime::UNIX_EPOCH + TimeDelta::days(day) }
    }

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    #[test]
    fn a_position_knows_what_was_and_holds_what_comes_within_the_horizon() {
        let user = [met(1, 0), met(2, 3), met(3, 5), met(4, 10), met(5, 11)];
        let found: Vec<_> = positions(&user, day(0), day(6), TimeDelta::days(7)).collect();
        assert_eq!(found.len(), 2, "the first meeting has nothing before it");
        assert_eq!((found[0].at, found[0].history, found[0].truth), (day(3), &user[..1], &user[1..4]));
        assert_eq!((found[1].history, found[1].truth), (&user[..2], &user[2..]));
        assert!(found[0].is_true(ClusterId(4)) && !found[0].is_true(ClusterId(5)) && !found[0].is_true(ClusterId(1)));
        assert_eq!(positions(&user, day(12), day(20), TimeDelta::days(7)).count(), 0);
        assert_eq!(positions(&[], day(0), day(20), TimeDelta::days(7)).count(), 0);
    }

    #[test]
    fn a_random_novel_cluster_is_as_good_as_arithmetic_says() {
        // Two of five true: one draw 2/5, two draws 1 - 3/5 * 2/4.
        assert!((random_novel(5, 2, 1) - 0.4).abs() < 1e-12);
        assert!((random_novel(5, 2, 2) - 0.7).abs() < 1e-12);
        assert!((random_novel(5, 2, 9) - 1.0).abs() < 1e-12);
        assert!(random_novel(0, 0, 1).abs() < 1e-12);
    }
}
