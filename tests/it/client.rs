//! The client: against our server, against one that says what it is told to, and over a line that is cut.

mod calls;
mod line;
mod retries;
mod scripted;
