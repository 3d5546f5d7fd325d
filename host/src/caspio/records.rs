//! Records: read, create, update, delete.
//!
//! Reads are paged in `PK_ID` order (or the caller's, down to `PK_ID`), because pages without order overlap.
//! Updates and deletes name their records by `PK_ID`, as many a request as its URI holds; they may be
//! done again. When a later request of several fails, the whole is undecided. A create that Caspio
//! answered with 201 has happened, whatever else its answer lacks.

use std::time::Duration;

use reqwest::Method;

use crate::model::{Criteria, Query, Row, SchemaKind, TableSchema, Value};

use super::classify::Subject;
use super::criteria::InList;
use super::envelope::{self, Affected, JsonRow};
use super::error::ErrorKind;
use super::list_form::{ListForm, Sending};
use super::paths::{self, Path};
use super::query::Read;
use super::transport::{Call, Reply};
use super::values::{Purpose, row_from_json, row_to_json};
use super::{CallContext, Caspio, CaspioError};

/// How long the later requests of an effect wait for the rate limit: putting it aside half done is worse.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often one of them is sent again when it was refused for its rate.
const MOST_THROTTLED: u32 = 5;

/// What an update did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Updated {
    /// How many records were there to be changed.
    pub affected: u32,
    /// The records after the change, when they were asked for.
    pub rows: Vec<Row>,
}

impl Caspio {
    /// Whether a row may be sent as a new record, without sending it.
    ///
    /// # Errors
    /// Unknown field, value that does not fit its field.
    pub fn check_new(&self, schema: &TableSchema, row: &Row) -> Result<(), CaspioError> {
        row_to_json(schema, row, Purpose::Create, ListForm::Text).map(drop)
    }

    /// Whether a row may be sent as changes, without sending it.
    ///
    /// # Errors
    /// Unknown field, value that does not fit its field.
    pub fn check_changes(&self, schema: &TableSchema, row: &Row) -> Result<(), CaspioError> {
        row_to_json(schema, row, Purpose::Update, ListForm::Text).map(drop)
    }

    /// Records that match, at most the query's limit.
    ///
    /// # Errors
    /// Unknown field, value that does not fit its field, request or answer too large, and as of any call.
    pub async fn list(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        query: &Query,
    ) -> Result<Vec<Row>, CaspioError> {
        let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if limit == 0 {
            return Ok(Vec::new());
        }
        let read = Read::of_query(&self.credentials.base, schema, query)?;
        let mut bytes_left = self.shared.settings.max_response_bytes;
        let mut rows = Vec::new();
        for condition in &read.wheres {
            let mut part =
                self.pages(context, schema, &read, condition.as_deref(), limit, &mut bytes_left).await?;
            rows.append(&mut part);
        }
        if read.wheres.len() > 1 {
            // In the order of all of them together; two lists may name the same record.
            rows.sort_by_cached_key(Row::key);
            rows.dedup_by(|a, b| a.key().is_some() && a.key() == b.key());
            rows.truncate(limit);
        }
        Ok(rows)
    }

    async fn pages(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        read: &Read,
        condition: Option<&str>,
        limit: usize,
        bytes_left: &mut usize,
    ) -> Result<Vec<Row>, CaspioError> {
        let subject = Subject { names_fields: read.names_fields, ..subject(schema, false) };
        let mut rows = Vec::new();
        for page in 1.. {
            let url = read.page(&self.credentials.base, condition, page)?;
            let call = Call { subject, max_bytes: *bytes_left, ..self.call(Method::GET, url) };
            let body = self.body(context, &call).await?;
            *bytes_left = bytes_left.saturating_sub(body.len());
            let found: Vec<JsonRow> = envelope::result(&body)?;
            let last = found.len() < usize::try_from(read.page_size).unwrap_or(usize::MAX);
            rows.extend(found.iter().map(|json| row_from_json(schema, json)));
            if last || rows.len() >= limit {
                break;
            }
        }
        rows.truncate(limit);
        Ok(rows)
    }

    /// One record; none when it does not exist.
    ///
    /// # Errors
    /// As of any call.
    pub async fn get(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        pk_id: i64,
    ) -> Result<Option<Row>, CaspioError> {
        let query = Query { criteria: Some(Criteria::pk_id(pk_id)), limit: Some(1), ..Query::default() };
        let row = self.list(context, schema, &query).await?.into_iter().next();
        Ok(row.map(|row| with_pk_id(row, pk_id)))
    }

    /// `PK_ID`s of the records that match, smallest first, at most `limit`.
    ///
    /// # Errors
    /// As of [`list`](Self::list), and when Caspio leaves `PK_ID` out.
    pub async fn pk_ids(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        criteria: &Criteria,
        limit: u32,
    ) -> Result<Vec<i64>, CaspioError> {
        let query = Query {
            select: vec!["PK_ID".to_owned()],
            criteria: Some(criteria.clone()),
            order: Vec::new(),
            limit: Some(limit),
        };
        let rows = self.list(context, schema, &query).await?;
        rows.iter().map(|row| row.pk_id().ok_or_else(|| ErrorKind::Unreadable.into())).collect()
    }

    /// Creates a record. Returns it as Caspio stored it; when Caspio created it but does not show it, the row
    /// as it was sent, with its `PK_ID` when that is known.
    ///
    /// # Errors
    /// When Caspio refuses. With [`CaspioError::is_undecided`] the record may exist.
    pub async fn create(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        row: &Row,
    ) -> Result<Row, CaspioError> {
        let path = Path::records(schema)?;
        let url = paths::url(&self.credentials.base, &path, &[("response", "rows")])?;
        let mut sending = Sending::new(self, schema, row, Purpose::Create);
        let reply = loop {
            let (body, url) = (Some(sending.body()?), url.clone());
            let call = Call { subject: subject(schema, true), body, ..self.call(Method::POST, url) };
            if let Some(reply) = sending.answered(self.send(context, &call).await)? {
                break reply;
            }
        };
        if let Some(json) = reply.body.as_ref().ok().and_then(|body| envelope::first_row(body)) {
            return Ok(row_from_json(schema, &json));
        }
        if reply.status != 201 {
            return Err(CaspioError::from(ErrorKind::Unreadable).of_effect(true));
        }
        tracing::debug!(action = context.action, "Caspio created a record without showing it");
        let Some(pk_id) = pk_id_of(&reply).filter(|_| schema.kind == SchemaKind::Table) else {
            return Ok(row.clone());
        };
        Ok(match self.get(context, schema, pk_id).await {
            Ok(Some(stored)) => stored,
            _ => with_pk_id(row.clone(), pk_id),
        })
    }

    /// Gives these records new values. Records that are gone are not counted.
    ///
    /// # Errors
    /// When Caspio refuses. With [`CaspioError::is_undecided`] some may be changed; doing it again is safe.
    pub async fn update_pks(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        pk_ids: &[i64],
        changes: &Row,
        return_rows: bool,
    ) -> Result<Updated, CaspioError> {
        let more: &[(&str, &str)] = if return_rows { &[("response", "rows")] } else { &[] };
        let mut sending = Sending::new(self, schema, changes, Purpose::Update);
        let done = loop {
            let body = sending.body()?;
            let put = self.by_pk_ids(context, schema, Method::PUT, pk_ids, more, Some(&body)).await;
            if let Some(done) = sending.answered(put)? {
                break done;
            }
        };
        let mut updated = Updated::default();
        for part in done {
            updated.affected = updated.affected.saturating_add(part.records_affected);
            let rows = part.result.unwrap_or_default();
            updated.rows.extend(rows.iter().map(|json| row_from_json(schema, json)));
        }
        match pk_ids {
            _ if !return_rows => updated.rows.clear(),
            [one] => updated.rows = updated.rows.into_iter().map(|row| with_pk_id(row, *one)).collect(),
            _ => {}
        }
        let missing = updated.rows.len() < usize::try_from(updated.affected).unwrap_or(usize::MAX);
        if return_rows && missing {
            // Caspio may leave rows out. Without them the update is not finished; it can be done again.
            updated.rows =
                self.by_pk_ids_read(context, schema, pk_ids).await.map_err(CaspioError::after_a_part)?;
        }
        Ok(updated)
    }

    /// Deletes these records and returns how many were there.
    ///
    /// # Errors
    /// When Caspio refuses. With [`CaspioError::is_undecided`] some may be deleted; doing it again is safe.
    pub async fn delete_pks(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        pk_ids: &[i64],
    ) -> Result<u32, CaspioError> {
        let done = self.by_pk_ids(context, schema, Method::DELETE, pk_ids, &[], None).await?;
        Ok(done.iter().fold(0, |sum, part| sum.saturating_add(part.records_affected)))
    }

    /// Sends an effect in as many requests as the ids need.
    async fn by_pk_ids(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        method: Method,
        pk_ids: &[i64],
        more: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Vec<Affected>, CaspioError> {
        if pk_ids.is_empty() {
            return Ok(Vec::new());
        }
        let path = Path::records(schema)?;
        let url = |condition: &str| {
            let query: Vec<_> = [("q.where", condition)].iter().chain(more).copied().collect();
            paths::url(&self.credentials.base, &path, &query)
        };
        let parts = InList::of_pk_ids(pk_ids).split(&|part| url(part).is_ok());
        let parts =
            parts.ok_or_else(|| CaspioError::too_large("the table's name is too long for a request"))?;
        let mut done: Vec<Affected> = Vec::with_capacity(parts.len());
        for condition in &parts {
            let mut call = Call {
                subject: subject(schema, method == Method::PUT),
                body: body.map(<[u8]>::to_vec),
                ..self.call(method.clone(), url(condition)?)
            };
            if !done.is_empty() {
                call.patience = call.patience.max(PATIENCE);
            }
            let mut throttled = 0;
            let answer = loop {
                match self.body(context, &call).await {
                    // It was not done. To begin again with the first part would spend more calls.
                    Err(error) if error.is_throttled() && !done.is_empty() && throttled < MOST_THROTTLED => {
                        throttled += 1
                    }
                    other => break other,
                }
            };
            let read =
                answer.and_then(|body| envelope::affected(&body).map_err(|error| error.of_effect(true)));
            match read {
                Ok(part) => done.push(part),
                Err(error) if done.is_empty() => return Err(error),
                Err(error) => return Err(error.after_a_part()),
            }
        }
        Ok(done)
    }

    async fn by_pk_ids_read(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        pk_ids: &[i64],
    ) -> Result<Vec<Row>, CaspioError> {
        if let [one] = pk_ids {
            return Ok(self.get(context, schema, *one).await?.into_iter().collect());
        }
        let values = pk_ids.iter().map(|id| Value::Integer(*id)).collect();
        let criteria =
            Criteria::Compare { field: "PK_ID".to_owned(), operator: crate::model::Operator::AnyOf(values) };
        self.list(context, schema, &Query { criteria: Some(criteria), ..Query::default() }).await
    }
}

pub(super) fn subject(schema: &TableSchema, writes_rows: bool) -> Subject<'_> {
    let noun = schema.kind.noun();
    Subject { table: Some(&schema.table), noun, schema: Some(schema), names_fields: false, writes_rows }
}

/// The key at the end of `Location`, when there is one.
fn pk_id_of(reply: &Reply) -> Option<i64> {
    let location = reply.location.as_deref()?;
    let tail = location.trim_end_matches('/').rsplit(['/', '=']).next()?;
    tail.parse().ok().filter(|id| *id > 0)
}

/// A row that has its `PK_ID`.
fn with_pk_id(mut row: Row, pk_id: i64) -> Row {
    if row.pk_id().is_none() {
        row.0.retain(|(name, _)| !name.eq_ignore_ascii_case("PK_ID"));
        row.0.insert(0, ("PK_ID".to_owned(), Value::Integer(pk_id)));
    }
    row
}
