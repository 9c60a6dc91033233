//! The generated contract: messages, servers and clients of `proto/segue/v1`.

#![allow(missing_docs, unreachable_pub, clippy::all)]

tonic::include_proto!("segue.v1");

/// The protos' encoded `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("segue_v1");
