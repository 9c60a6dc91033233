//! One suite for everything that speaks gRPC here, at the level of HTTP/2 frames: each scenario is played against our
//! server and against tonic's own, and both must end it alike. Where they may differ, the scenario says so.

mod breaches;
mod call;
mod connection;
mod ends;
mod flow;
mod frame;
mod framing;
mod head;
mod message;
mod peer;
mod property;
mod protobuf;
mod wire;
