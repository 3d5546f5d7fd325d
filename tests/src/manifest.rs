//! Workflows for tests: the probe guest with a manifest of the test's own.

use std::path::{Path, PathBuf};

/// The repository's top folder.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// A guest that `make guests` built, e.g. `caspian_probe`.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    let target = crate::host::binary().parent().and_then(Path::parent).expect("the target folder").to_owned();
    let path = target.join("wasm32-wasip2").join("guest").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing; run the tests with: make test", path.display());
    path
}

/// A `workflow.toml` in the making.
#[derive(Debug, Clone)]
pub struct ManifestBuilder {
    name: String,
    component: PathBuf,
    triggers: String,
    tables: Vec<(String, String)>,
    grants: String,
    sections: String,
    settings: Vec<(String, String)>,
}

impl ManifestBuilder {
    /// The probe in a mode, started by inserts into Patients.
    #[must_use]
    pub fn probe(name: &str, mode: &str) -> Self {
        Self {
            name: name.to_owned(),
            component: guest("caspian_probe"),
            triggers: "[[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\n".to_owned(),
            tables: Vec::new(),
            grants: String::new(),
            sections: "[retry]\ninitial_seconds = 0.05\nmax_seconds = 0.2\n".to_owned(),
            settings: vec![("mode".to_owned(), mode.to_owned())],
        }
    }

    /// Another component.
    #[must_use]
    pub fn component(mut self, path: &Path) -> Self {
        self.component = path.to_owned();
        self
    }

    /// Other triggers, as TOML.
    #[must_use]
    pub fn triggers(mut self, toml: &str) -> Self {
        self.triggers = toml.to_owned();
        self
    }

    /// Grants operations on a table: `grant("Tasks", "create read")`.
    #[must_use]
    pub fn grant(mut self, table: &str, operations: &str) -> Self {
        self.tables.push((table.to_owned(), operations.to_owned()));
        self
    }

    /// Further lines under `[grants]`, as TOML.
    #[must_use]
    pub fn grants(mut self, toml: &str) -> Self {
        self.grants.push_str(toml);
        self.grants.push('\n');
        self
    }

    /// Other sections instead of the quick `[retry]`, as TOML.
    #[must_use]
    pub fn sections(mut self, toml: &str) -> Self {
        self.sections = toml.to_owned();
        self
    }

    /// A setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let tables: Vec<String> = self
            .tables
            .iter()
            .map(|(table, operations)| {
                let list: Vec<String> = operations.split(' ').map(|o| format!("\"{o}\"")).collect();
                format!("{table} = [{}]", list.join(", "))
            })
            .collect();
        let settings: String =
            self.settings.iter().map(|(name, value)| format!("{name} = {value:?}\n")).collect();
        format!(
            "name = \"{}\"\ncomponent = {:?}\nconnection = \"clinic\"\n{}[grants]\ntables = {{ {} }}\n{}{}[settings]\n{settings}",
            self.name,
            self.component.display().to_string(),
            self.triggers,
            tables.join(", "),
            self.grants,
            self.sections,
        )
    }

    /// Writes it into a folder; answers its path.
    #[must_use]
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.toml", self.name));
        std::fs::write(&path, self.text()).expect("the manifest is written");
        path
    }
}
