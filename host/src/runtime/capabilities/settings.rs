//! `caspian:workflow/settings`

use crate::runtime::bindings::caspian::workflow::settings::Host;
use crate::runtime::guest::Guest;

impl Host for Guest {
    async fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.count_call()?;
        Ok(self.settings.get(&name).cloned())
    }
    async fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        self.count_call()?;
        Ok(self.settings.keys().cloned().collect())
    }
}
