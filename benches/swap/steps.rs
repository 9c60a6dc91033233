//! Which step of a load was under way when: the store says so in its debug log.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// What the store said, in order.
#[derive(Clone, Default)]
pub(crate) struct Steps(Arc<Mutex<Vec<(Instant, String)>>>);

impl Steps {
    /// Listens from now on; once in a process.
    pub(crate) fn listen() -> Self {
        let steps = Self::default();
        // In a second call someone listens already, and these steps stay empty.
        let _ = tracing_subscriber::registry().with(steps.clone()).try_init();
        steps
    }

    /// What was last said before `at`.
    pub(crate) fn at(&self, at: Instant) -> String {
        let steps = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        steps.iter().rev().find(|(said, _)| *said <= at).map_or("the first step".into(), |(_, step)| step.clone())
    }
}

impl<S: Subscriber> Layer<S> for Steps {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("segue::store") {
            let mut message = Message::default();
            event.record(&mut message);
            self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((Instant::now(), message.0));
        }
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // A String takes whatever is written.
            let _ = write!(self.0, "{value:?}");
        }
    }
}
