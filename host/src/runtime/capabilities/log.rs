//! `caspian:workflow/log`

use crate::model::Cause;
use crate::runtime::bindings::caspian::workflow::log::{Host, Level};
use crate::runtime::guest::Guest;
use crate::runtime::output::{LogLimit, OutputSource};

impl Host for Guest {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.count_call()?;
        let source = match level {
            Level::Debug => OutputSource::Debug,
            Level::Info => OutputSource::Info,
            Level::Warn => OutputSource::Warn,
            Level::Error => OutputSource::Error,
        };
        match self.log.write_line(source, &message) {
            Ok(()) => Ok(()),
            Err(LogLimit) => {
                Err(self.end(Cause::LimitLog, super::super::attempt::log_limit_text(&self.limits)))
            }
        }
    }
}
