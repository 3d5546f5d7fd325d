//! The bare engine: the least that runs a component of the contract, without limits, log, journal or virtual time.

use anyhow::bail;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Generated from the contract in `wit/`.
#[allow(missing_docs, reason = "generated")]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "generated"
)]
mod contract {
    wasmtime::component::bindgen!({
        path: "../../wit/caspian-workflow-0.1.0",
        world: "caspian:workflow/workflow",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

use contract::WorkflowPre;
use contract::caspian::workflow::types::{self, Error, Event, Field, TriggerKind, Value};
use contract::caspian::workflow::{log, records, settings, tables};

/// Ready to be run again and again.
pub struct Bare {
    engine: Engine,
    pre: WorkflowPre<Data>,
    event: Event,
}

struct Data {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Bare {
    /// Compiles and links. The event is as large as the one that the host gets.
    pub fn new(engine: &Engine, component: &[u8]) -> anyhow::Result<Self> {
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        // What the component imports, and no more.
        types::add_to_linker::<Data, HasSelf<Data>>(&mut linker, |data| data)?;
        records::add_to_linker::<Data, HasSelf<Data>>(&mut linker, |data| data)?;
        tables::add_to_linker::<Data, HasSelf<Data>>(&mut linker, |data| data)?;
        log::add_to_linker::<Data, HasSelf<Data>>(&mut linker, |data| data)?;
        settings::add_to_linker::<Data, HasSelf<Data>>(&mut linker, |data| data)?;
        let component = Component::from_binary(engine, component)?;
        let pre = WorkflowPre::new(linker.instantiate_pre(&component)?)?;
        let event = Event {
            id: "018f2b5e-7c3a-7cc1-98c4-dc0c0c07398f".to_owned(),
            kind: TriggerKind::RecordUpdate,
            connection: "clinic".to_owned(),
            table: "Patients".to_owned(),
            rows: vec![row(1)],
            event_date: "2026-01-16T19:52:55".to_owned(),
            message_id: "message".to_owned(),
            reconciled: false,
            attempt: 1,
        };
        Ok(Self { engine: engine.clone(), pre, event })
    }

    /// A fresh store, `handle`, and away with it.
    pub async fn once(&self) -> anyhow::Result<()> {
        let data = Data { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
        let mut store = Store::new(&self.engine, data);
        // Code compiled for the host's engine asks for both.
        store.set_fuel(1_000_000_000)?;
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = self.pre.instantiate_async(&mut store).await?;
        match instance.call_handle(&mut store, &self.event).await? {
            Ok(_) => Ok(()),
            Err(_) => bail!("the component failed"),
        }
    }
}

/// What both get and give.
fn row(pk_id: i64) -> Vec<Field> {
    let field = |name: &str, value| Field { name: name.to_owned(), value };
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        field("PK_ID", Value::Integer(pk_id)),
        field("FirstName", text("Ada")),
        field("LastName", text("Byron")),
        field("Email", text("ada@example.org")),
        field("Phone", text("+1 555 0100")),
        field("Active", Value::Boolean(true)),
        field("Balance", Value::Decimal("120.5".to_owned())),
        field("Created", Value::DateTime("2026-01-05T09:00:00".to_owned())),
    ]
}

type Done<T> = wasmtime::Result<Result<T, Error>>;

fn unused<T>() -> wasmtime::Result<T> {
    Err(wasmtime::Error::msg("the component calls only records.get"))
}

impl types::Host for Data {}

impl records::Host for Data {
    async fn get(&mut self, _: String, pk_id: i64) -> Done<Option<Vec<Field>>> {
        Ok(Ok(Some(row(pk_id))))
    }
    async fn list(&mut self, _: String, _: records::Query) -> Done<Vec<Vec<Field>>> {
        unused()
    }
    async fn create(&mut self, _: String, _: Vec<Field>) -> Done<Vec<Field>> {
        unused()
    }
    async fn update(
        &mut self,
        _: String,
        _: Vec<records::Criterion>,
        _: Vec<Field>,
        _: bool,
    ) -> Done<records::Updated> {
        unused()
    }
    async fn upsert(
        &mut self,
        _: String,
        _: Vec<records::Criterion>,
        _: Vec<Field>,
    ) -> Done<records::Upserted> {
        unused()
    }
    async fn delete(&mut self, _: String, _: Vec<records::Criterion>) -> Done<u32> {
        unused()
    }
}

impl tables::Host for Data {
    async fn list(&mut self) -> Done<Vec<String>> {
        unused()
    }
    async fn fields(&mut self, _: String) -> Done<Vec<tables::FieldInfo>> {
        unused()
    }
}

impl log::Host for Data {
    async fn write(&mut self, _: log::Level, _: String) -> wasmtime::Result<()> {
        unused()
    }
}

impl settings::Host for Data {
    async fn get(&mut self, _: String) -> wasmtime::Result<Option<String>> {
        unused()
    }
    async fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        unused()
    }
}
