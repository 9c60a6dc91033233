//! The real binary, from outside: its commands, its signals, its files, its ports and its child.

mod bucket;
mod compared;
mod config;
mod count;
mod counts_files;
mod cycle;
mod declared;
mod demo;
mod disk;
mod evaluate;
mod experiments;
mod harness;
mod inference;
mod input;
mod jobs;
mod judged;
#[cfg(feature = "embedded")]
mod model;
#[cfg(feature = "embedded")]
mod peers;
mod refresher;
mod registry;
mod runs;
mod server;
mod serving;
mod signals;
mod swaps;
mod tables;
mod tuner;
#[cfg(feature = "embedded")]
mod tuning;
mod weighed;
