//! How `#[workflow]` joins a function to the contract: event in, outcome out.

use crate::{Event, Failure, raw};

/// What a workflow may return when it succeeded: nothing, or a text that is kept, encrypted, as the
/// run's result.
#[diagnostic::on_unimplemented(
    message = "a workflow can't return `{Self}`",
    note = "return `Result<(), _>`, `Result<String, _>` or `Result<Option<String>, _>`"
)]
pub trait Output {
    /// The text to keep.
    fn into_text(self) -> Option<String>;
}

impl Output for () {
    fn into_text(self) -> Option<String> {
        None
    }
}

impl Output for String {
    fn into_text(self) -> Option<String> {
        Some(self)
    }
}

impl Output for &str {
    fn into_text(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl<T: Output> Output for Option<T> {
    fn into_text(self) -> Option<String> {
        self.and_then(T::into_text)
    }
}

/// Called by what `#[workflow]` writes.
#[doc(hidden)]
pub fn run<T: Output, E: Into<Failure>>(
    handle: fn(Event) -> Result<T, E>,
    event: raw::Event,
) -> Result<Option<String>, raw::Failure> {
    match handle(Event::from_raw(event)) {
        Ok(output) => Ok(output.into_text()),
        Err(error) => Err(error.into().into_raw()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn event() -> raw::Event {
        raw::Event {
            id: "e".to_owned(),
            kind: raw::caspian::workflow::types::TriggerKind::Manual,
            connection: String::new(),
            table: String::new(),
            rows: Vec::new(),
            event_date: String::new(),
            message_id: String::new(),
            reconciled: false,
            attempt: 2,
        }
    }

    #[test]
    fn every_return_type_is_accepted() {
        fn unit(_: Event) -> Result<(), Error> {
            Ok(())
        }
        fn text(event: Event) -> Result<String, Failure> {
            Ok(format!("attempt {}", event.attempt))
        }
        fn perhaps(_: Event) -> Result<Option<String>, Failure> {
            Ok(None)
        }
        assert!(matches!(run(unit, event()), Ok(None)));
        assert!(matches!(run(text, event()), Ok(Some(text)) if text == "attempt 2"));
        assert!(matches!(run(perhaps, event()), Ok(None)));
    }

    #[test]
    fn failures_keep_their_kind() {
        fn throttled(_: Event) -> Result<(), Error> {
            Err(Error::Throttled("later".to_owned()))
        }
        fn fatal(_: Event) -> Result<(), Failure> {
            Err(Failure::fatal("no"))
        }
        assert!(matches!(run(throttled, event()), Err(raw::Failure::Retry(_))));
        assert!(matches!(run(fatal, event()), Err(raw::Failure::Fatal(text)) if text == "no"));
    }
}
