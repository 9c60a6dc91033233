//! t

mod count;
