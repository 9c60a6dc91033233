"""The figures of docs/evidence.md that are counted, by another program: the plainest that follows the definitions.

Usage: python cross_check.py DIR     (with polars; DIR holds interactions.parquet and clusters.csv of MovieTweetings)

Prints each figure with the readings of its definition that could give another one, and the null of stability dealt in
three ways. Nothing here is shared with Segue.
"""

import random
import sys
from collections import Counter, defaultdict
from datetime import datetime, timezone
from statistics import mean, stdev

import polars


def ms(day):
    return int(datetime.fromisoformat(day).replace(tzinfo=timezone.utc).timestamp() * 1000)


MONTHS = [ms(f"2013-{month:02}-01") for month in range(2, 13)]
FEBRUARY, MARCH, APRIL, MAY, NOVEMBER = MONTHS[0], MONTHS[1], MONTHS[2], MONTHS[3], MONTHS[9]
WEEK = 7 * 86_400_000
EVER = 1 << 62


def sequences(rows, start, end):
    """By user: each cluster at its first time in [start, end), in order of time, then of id."""
    first = {}
    for user, cluster, at in rows:
        if start <= at < end and at < first.get((user, cluster), EVER):
            first[user, cluster] = at
    users = defaultdict(list)
    for (user, cluster), at in first.items():
        users[user].append((at, cluster))
    return [sorted(user) for user in users.values()]


def transitions(users, k):
    counts = defaultdict(Counter)
    for user in users:
        met = [cluster for _, cluster in user]
        for place in range(k, len(met)):
            counts[tuple(met[place - k : place])][met[place]] += 1
    return counts


def ranked(counts):
    return [cluster for cluster, _ in sorted(counts.items(), key=lambda of: (-of[1], of[0]))]


class Table:
    """Rows of up to eight successors for keys of two and of one, and what is popular."""

    def __init__(self, rows, start, end, support=(1, 1)):
        users = [user for user in sequences(rows, start, end) if len(user) > 1]
        self.popular = ranked(Counter(cluster for user in users for _, cluster in user))
        self.rows = {}
        for k in (1, 2):
            for key, counts in transitions(users, k).items():
                if counts.total() >= support[k - 1]:
                    self.rows[key] = ranked(counts)[:8]

    def key(self, history):
        return self.rows.get(tuple(history[-2:]), []) if len(history) > 1 else []

    def served(self, history):
        answer = []
        for row in (self.key(history), self.rows.get((history[-1],), []), self.popular):
            answer += [cluster for cluster in row if cluster not in history and cluster not in answer]
        return answer[:5]


def positions(users, end_of_log=EVER):
    """Moments from May to October at which a user first meets a cluster, having met one: (when, history, truth)."""
    for user in users:
        for place in range(1, len(user)):
            at = user[place][0]
            if MAY <= at < NOVEMBER:
                truth = {cluster for then, cluster in user[place:] if then - at <= WEEK and then < end_of_log}
                yield at, [cluster for _, cluster in user[:place]], truth


def told(name, asked, answer):
    first = five = 0
    for at, history, truth in asked:
        predicted = answer(at, history)
        first += bool(predicted) and predicted[0] in truth
        five += any(cluster in truth for cluster in predicted[:5])
    of = len(asked)
    print(f"{name:44} {first:5} of {of}: {100 * first / of:.3f} %   {five:5}: {100 * five / of:.3f} %", flush=True)


def told_random(name, asked, clusters):
    """The expectation of five drawn without replacement among those of `clusters` that are new to the user."""
    rates = [0.0, 0.0]
    for _, history, truth in asked:
        novel = clusters - set(history)
        missed, right = 1.0, len(truth & novel)
        for drawn in range(5):
            missed *= max(len(novel) - drawn - right, 0) / max(len(novel) - drawn, 1)
            rates[0] += 1 - missed if drawn == 0 else 0
        rates[1] += 1 - missed
    print(f"{name:44} {100 * rates[0] / len(asked):.3f} %   {100 * rates[1] / len(asked):.3f} %", flush=True)


def similarity(one, other):
    """Keys of both, and the mean Jaccard similarity of their five most frequent successors."""
    similar = []
    for key in one.keys() & other.keys():
        here, there = set(ranked(one[key])[:5]), set(ranked(other[key])[:5])
        similar.append(len(here & there) / len(here | there))
    return len(similar), mean(similar)


def halves(of, first, rng):
    """Dealt at random to two hands, so many to the first."""
    dealt = list(of)
    rng.shuffle(dealt)
    return dealt[:first], dealt[first:]


def dealt_rows(rows, start, middle, end, rng):
    both = [row for row in rows if start <= row[2] < end]
    hands = halves(both, sum(row[2] < middle for row in both), rng)
    return similarity(*(transitions(sequences(hand, start, end), 2) for hand in hands))[1]


def dealt_sequences(rows, start, middle, end, rng):
    one, other = sequences(rows, start, middle), sequences(rows, middle, end)
    return similarity(*(transitions(hand, 2) for hand in halves(one + other, len(one), rng)))[1]


def dealt_transitions(rows, start, middle, end, rng):
    def all_of(start, end):
        counts = transitions(sequences(rows, start, end), 2)
        return [(key, next) for key, of in counts.items() for next in of.elements()]

    def counted(hand):
        counts = defaultdict(Counter)
        for key, next in hand:
            counts[key][next] += 1
        return counts

    one, other = all_of(start, middle), all_of(middle, end)
    return similarity(*(counted(hand) for hand in halves(one + other, len(one), rng)))[1]


def main(directory):
    log = polars.read_parquet(f"{directory}/interactions.parquet").filter(polars.col("rating") >= 7)
    times = log["timestamp"].dt.epoch("ms")
    rows = list(zip(log["user_id"].to_list(), log["cluster_id"].to_list(), times.to_list()))
    every = set(polars.read_csv(f"{directory}/clusters.csv")["cluster_id"].to_list())
    users = sequences(rows, -EVER, EVER)
    counts = transitions(users, 2)
    print(sum(of.total() for of in counts.values()), "transitions in", sum(map(len, counts.values())), "rows over", len(counts), "keys")

    asked = list(positions(users))
    month = {month: Table(rows, MONTHS[month - 3], MONTHS[month - 2]) for month in range(5, 11)}
    supported = {month: Table(rows, MONTHS[month - 3], MONTHS[month - 2], (200, 30)) for month in range(5, 11)}
    march, so_far = Table(rows, MARCH, APRIL), Table(rows, FEBRUARY, APRIL)

    def month_of(at):
        return datetime.fromtimestamp(at / 1000, timezone.utc).month

    told("full key, last month", asked, lambda at, history: month[month_of(at)].key(history))
    told("full key, March", asked, lambda _, history: march.key(history))
    told("full key, all up to March", asked, lambda _, history: so_far.key(history))
    told("served, last month", asked, lambda at, history: month[month_of(at)].served(history))
    told("served, March", asked, lambda _, history: march.served(history))
    told("served, all up to March", asked, lambda _, history: so_far.served(history))
    told("served, with support of 200 and 30", asked, lambda at, history: supported[month_of(at)].served(history))
    novel = lambda at, history: [cluster for cluster in month[month_of(at)].popular if cluster not in history]
    told("most popular novel, last month", asked, novel)
    cut = list(positions(users, NOVEMBER))
    told("served, last month, truth up to October", cut, lambda at, history: month[month_of(at)].served(history))
    told_random("random of every cluster", asked, every)
    told_random("random of those with a positive", asked, {cluster for _, cluster, _ in rows})
    told_random("random of those popular in March", asked, set(march.popular))

    rng, deals = random.Random(1), 40
    ways = {"rows": dealt_rows, "sequences": dealt_sequences, "transitions": dealt_transitions}
    excess = {way: [] for way in ways}
    for start, middle, end in zip(MONTHS, MONTHS[1:], MONTHS[2:]):
        keys, found = similarity(*(transitions(sequences(rows, *of), 2) for of in ((start, middle), (middle, end))))
        line = f"{datetime.fromtimestamp(middle / 1000, timezone.utc):%Y-%m} and the month before: {keys} keys, {found:.4f}"
        if MARCH <= start and end <= NOVEMBER:
            for way, deal in ways.items():
                null = [deal(rows, start, middle, end, rng) for _ in range(deals)]
                excess[way].append((found, mean(null), stdev(null)))
                line += f"; {way} dealt {mean(null):.4f} ({stdev(null):.4f})"
        if keys > 1 and end < EVER:
            print(line, flush=True)
    for way, pairs in excess.items():
        found, null = mean(of[0] for of in pairs), mean(of[1] for of in pairs)
        # Neighbouring pairs share a month: of every other pair the errors are independent, and the two halves' are added.
        error = sum(sum(of[2] ** 2 for of in pairs[half::2]) ** 0.5 for half in (0, 1)) / len(pairs)
        less = found - null
        print(f"{way} dealt: {null:.4f}, found {found:.4f}: {less:+.4f} [{less - 1.96 * error:+.4f}, {less + 1.96 * error:+.4f}]")


if __name__ == "__main__":
    main(sys.argv[1])
