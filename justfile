# What people type. `just check` is what CI runs.

# everything that must hold before a change lands
check:
    .ci/run

# see it all work
demo:
    cargo run --release -- demo

# docs/evidence.md with its pictures, from the development data's directory; `docs/model/run` says what adds a model's tables
evidence data *made:
    cargo run --release -- evaluate evidence --out docs --name "MovieTweetings, ratings of 2013" \
        --from 2013-05-01 --to 2013-11-01 --versions retrieved:2013-04-01,retrieved:month:200+30 \
        --notes docs/evidence/cross_check.md --set clusters.path={{data}}/clusters.csv \
        --set interactions.path={{data}}/interactions.parquet --set "interactions.positive=rating >= 7" {{made}}

# docs/cadence.md's figures and pictures: refresh policies in simulated worlds
cadence:
    cargo run --release -- evaluate cadence --set refresh.window=7d --csv docs/cadence/runs.csv \
        --picture docs/cadence/cadence.svg

# every figure of benches/README.md, which says what they mean
bench: bench-lookup bench-load bench-swap bench-build bench-count bench-inference

# the same, smaller: once they are compiled, under five minutes
bench-quick:
    cargo bench --no-default-features --bench lookup -- --quick
    cargo bench --no-default-features --bench load -- --quick

# in-process lookups beside memory, hashbrown, a sorted array, LMDB and redb
bench-lookup:
    cargo bench --no-default-features --bench lookup

# servers under load, beside plain tonic and Redis
bench-load:
    cargo bench --no-default-features --bench load

# swapping in a 1 GiB table: time, memory, and what a neighbour's mmap waits
bench-swap:
    cargo bench --bench swap

# a model asked key by key, with shared beginnings, and in groups
bench-inference:
    cargo bench --no-default-features --features embedded --bench inference

# the embedded model beside llama.cpp's server with the same weights (built once, in 12 minutes or more: needs cmake,
# ninja, a C++ compiler and pip; and the development data)
peers:
    SEGUE_LLAMA_SERVER="$(realpath "$(benches/inference/peers)")" cargo test --features embedded --test it -- \
        --ignored --nocapture process::peers

# counting 10, 30 and 100 million rows, beside DuckDB and Polars: an hour
bench-count:
    cargo bench --bench count -- --rows 10M,30M,100M

# building, verifying and opening tables of 1, 10 and 100 million keys
bench-build:
    cargo bench --no-default-features --bench build -- --keys 1M,10M,100M

# what is shipped: slower to build, smaller and a little faster
dist:
    cargo build --profile dist --locked
