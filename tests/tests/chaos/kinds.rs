//! What workflows of a schedule do. A kind of work is a workflow of the probe, the table that it writes, and what is
//! promised of its rows: to add one, add it to [`KINDS`].
//!
//! What the tables hold at the end must not depend on the order of runs, or on what an old write that lands late finds:
//! nothing but the same value is written to a field twice. Values are the `PK_ID` of the event's record as text.

use caspian_e2e::ManifestBuilder;
use serde_json::{Value, json};

/// What is promised of the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// They are those of the run without faults.
    Equal,
    /// None is there twice; missing are those only of which a parked run does not know. Once people have resolved these,
    /// they are those of the run without faults.
    NoneTwice,
    /// None is missing.
    NoneMissing,
    /// As many as without faults, none twice. Their text is a `PK_ID` that Caspio chose in the order of writes.
    Different,
}

/// See the file's text.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Of the workflow.
    pub name: &'static str,
    /// What starts it.
    pub triggers: &'static str,
    /// Setting `mode` of the probe.
    pub mode: &'static str,
    /// Table that it works on, with the operations that it is granted there.
    pub table: &'static str,
    pub grants: &'static str,
    /// `[effects]`: policy of creates.
    pub creates: &'static str,
    pub settings: &'static [(&'static str, &'static str)],
    pub promise: Promise,
}

/// A person adds a patient.
const INSERT: &str = "event = \"record-insert\"\ntable = \"Patients\"\n";
const VERIFY: &str = "{ verify = \"Mark\" }";
const EACH: Kind = Kind {
    name: "",
    triggers: INSERT,
    mode: "create",
    table: "",
    grants: "create read",
    creates: "",
    settings: &[],
    promise: Promise::Equal,
};

/// All kinds of work.
pub const KINDS: &[Kind] = &[
    Kind { name: "park", table: "Parked", settings: &[("count", "2")], promise: Promise::NoneTwice, ..EACH },
    Kind { name: "retry", table: "Retried", creates: "\"retry\"", promise: Promise::NoneMissing, ..EACH },
    Kind { name: "verify", table: "Verified", creates: VERIFY, settings: &[("count", "2")], ..EACH },
    // The guest itself asks for another try after its effect.
    Kind {
        name: "again",
        mode: "create-then-retry",
        table: "Again",
        creates: VERIFY,
        settings: &[("until", "2")],
        ..EACH
    },
    // By criteria that fit no more once it is done.
    Kind { name: "update", mode: "update", table: "Pinned", grants: "read update", ..EACH },
    Kind { name: "delete", mode: "delete", table: "Doomed", grants: "read delete", ..EACH },
    Kind {
        name: "upsert-old",
        mode: "upsert",
        table: "Known",
        grants: "read create update",
        settings: &[("to", "known")],
        ..EACH
    },
    Kind {
        name: "upsert-new",
        mode: "upsert",
        table: "Fresh",
        grants: "read create update",
        creates: VERIFY,
        ..EACH
    },
    Kind {
        name: "upsert-park",
        mode: "upsert",
        table: "FreshParked",
        grants: "read create update",
        promise: Promise::NoneTwice,
        ..EACH
    },
    // Sleeps between two effects.
    Kind {
        name: "nap",
        mode: "nap",
        table: "Napped",
        creates: VERIFY,
        settings: &[("seconds", "20")],
        ..EACH
    },
    // Counts its runs in the workflow's state, see `Outcome::of`.
    Kind {
        name: "tally",
        mode: "tally",
        table: "Tallied",
        grants: "read",
        settings: &[("key", "runs")],
        ..EACH
    },
    // Writes the record that started it.
    Kind {
        name: "touch",
        triggers: "event = \"record-update\"\ntable = \"Visits\"\nsources = [\"Datasheet\"]\n",
        mode: "touch",
        table: "Visits",
        grants: "read update",
        ..EACH
    },
    Kind {
        name: "gone",
        triggers: "event = \"record-delete\"\ntable = \"Visits\"\n",
        table: "Gone",
        creates: VERIFY,
        ..EACH
    },
    // One is started by what the other writes.
    Kind { name: "chain", table: "Links", creates: VERIFY, ..EACH },
    Kind {
        name: "chained",
        triggers: "event = \"record-insert\"\ntable = \"Links\"\n",
        table: "Ends",
        creates: VERIFY,
        promise: Promise::Different,
        ..EACH
    },
    Kind { name: "reader", mode: "list", table: "Fixed", grants: "read", ..EACH },
    // By the clock, three times a minute; it only echoes.
    Kind {
        name: "ticker",
        triggers: "event = \"schedule\"\ncron = \"*/20 * * * * *\"\nmissed = \"catch-up\"\n",
        mode: "echo",
        table: "Fixed",
        grants: "read",
        ..EACH
    },
];

/// The kind of this name.
pub fn kind(name: &str) -> Kind {
    *KINDS.iter().find(|kind| kind.name == name).expect("a kind")
}

impl Kind {
    /// Its manifest; `more` is added to its trigger.
    pub fn manifest(&self, more: &str) -> ManifestBuilder {
        let effects = match self.creates {
            "" => String::new(),
            policy => format!("[effects]\ncreates = {{ {} = {policy} }}\n", self.table),
        };
        let manifest = ManifestBuilder::probe(self.name, self.mode)
            .triggers(&format!("[[trigger]]\n{}{more}\n", self.triggers))
            .grant(self.table, self.grants)
            .grants(if self.name == "tally" { "state = true\n" } else { "" })
            .setting("table", self.table)
            .setting("field", "Text")
            .sections(&effects);
        self.settings.iter().fold(manifest, |manifest, (name, value)| manifest.setting(name, value))
    }

    /// Whether its runs are as many as there are changes by people; others are counted in their own way.
    pub fn is_told_of_people(&self) -> bool {
        !["chained", "ticker"].contains(&self.name)
    }

    /// What a person looks for who must decide about a run: the text of the record that its last step may have made.
    pub fn text_of(&self, run: &Value) -> String {
        let key = run["pk_id"].to_string();
        let before = run["steps"].as_array().map_or(0, |steps| steps.len().saturating_sub(1));
        if self.settings.iter().any(|(name, _)| *name == "count") { format!("{key}-{before}") } else { key }
    }
}

/// The account: a person's tables, and one for each kind.
pub fn account() -> Value {
    let text = |name: &str, unique: bool| json!({"Name": name, "Type": "STRING", "Unique": unique, "UniqueAllowNulls": unique});
    let table = |name: &str, rows: Vec<Value>| json!({"Name": name, "Fields": [text("Text", false), text("Mark", true), text("Notes", false)], "Rows": rows});
    let numbered = || (1..=30).map(|n| json!({"Text": n.to_string(), "Mark": format!("old-{n}")})).collect();
    let tables: Vec<Value> = [
        table("Patients", Vec::new()),
        table("Visits", numbered()),
        table("Imported", Vec::new()),
        table("Filled", Vec::new()),
    ]
    .into_iter()
    .chain(KINDS.iter().filter(|kind| !["Visits"].contains(&kind.table) && kind.name != "ticker").map(
        |kind| {
            let rows = match kind.table {
                "Pinned" | "Doomed" | "Known" | "Fixed" => numbered(),
                _ => Vec::new(),
            };
            table(kind.table, rows)
        },
    ))
    .collect();
    json!({
        "Clients": [{"client_id": "demo-client", "client_secret": "demo-secret", "ProfileName": "Chaos"}],
        "Tables": tables,
    })
}
