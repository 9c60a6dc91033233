"""Counts what `segue count` counts, with DuckDB or Polars: the peers of the bench `count`."""

import argparse
import os
import resource


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=["duckdb", "polars"])
    parser.add_argument("--log", required=True, help="a glob of Parquet files")
    parser.add_argument("--sql", required=True, help="a file with the transition statement")
    parser.add_argument("--positive", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--spill", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory", type=int, required=True, help="bytes")
    return parser.parse_args()


def count_with_duckdb(args):
    import duckdb

    settings = {
        "threads": args.threads,
        "memory_limit": f"{args.memory // 1024**2}MiB",
        "temp_directory": args.spill,
    }
    connection = duckdb.connect(config=settings)
    connection.execute(
        "CREATE VIEW positives AS SELECT user_id, cluster_id, timestamp AS ts "
        f"FROM read_parquet('{args.log}') WHERE {args.positive}"
    )
    with open(args.sql) as statement:
        connection.execute(f"COPY ({statement.read()}) TO '{args.out}' (FORMAT csv, HEADER)")


def count_with_polars(args):
    # Both are read when the library is loaded.
    os.environ["POLARS_MAX_THREADS"] = str(args.threads)
    os.environ["POLARS_TEMP_DIR"] = args.spill
    # It takes no limit of memory; this one keeps the machine from harm.
    resource.setrlimit(resource.RLIMIT_DATA, (3 * args.memory, 3 * args.memory))
    import polars as pl

    user, cluster = pl.col("user_id"), pl.col("cluster_id")
    firsts = (
        pl.scan_parquet(args.log)
        .filter(pl.sql_expr(args.positive))
        .group_by("user_id", "cluster_id")
        .agg(pl.col("timestamp").min().alias("ts"))
        .sort("user_id", "ts", "cluster_id")
    )
    steps = firsts.select(
        c1=cluster,
        c2=cluster.shift(-1),
        next=cluster.shift(-2),
        is_step=user == user.shift(-2),
    ).filter("is_step")
    counts = steps.group_by("c1", "c2", "next").agg(pl.len().alias("count")).sort("c1", "c2", "next")
    counts.sink_csv(args.out, engine="streaming")


if __name__ == "__main__":
    args = arguments()
    {"duckdb": count_with_duckdb, "polars": count_with_polars}[args.engine](args)
