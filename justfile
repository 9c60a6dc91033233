# What people type. `just check` is what CI runs.

# everything that must hold before a change lands
check:
    .ci/run

# see it all work
demo:
    cargo run --release -- demo

# in-process lookups: 761 clusters, and 50 million keys
bench-lookup:
    cargo bench --bench lookup

# what an answer costs, beside plain tonic and Redis (its rows need redis-server)
bench-load:
    cargo bench --bench load

# swapping in a 1 GiB table: time, memory, and what a neighbour's mmap waits
bench-swap:
    cargo bench --bench swap

# what is shipped: slower to build, smaller and a little faster
dist:
    cargo build --profile dist --locked
