//! Views, and numbers over tables and views.

use std::sync::Arc;

use crate::caspio::{CallContext, CaspioError};
use crate::manifest::ViewOp;
use crate::model::{Aggregation, Answer, Criteria, Source, TableSchema, ViewAction};

use super::super::schemas::Named;
use super::{MAX_RECORDS, Performer, too_many};

impl Performer {
    pub(super) async fn read_view(
        &self,
        context: &CallContext,
        action: &ViewAction,
    ) -> Result<Answer, CaspioError> {
        match action {
            ViewAction::List => {
                let mut names = self.caspio.views(context).await?;
                names.retain(|name| self.manifest.grants.allows_view(name, ViewOp::Read));
                Ok(Answer::Tables(names))
            }
            ViewAction::Fields { view } => {
                let schema = self.schema_of(context, Named::View(view)).await?;
                Ok(Answer::Fields(schema.fields.clone()))
            }
            ViewAction::Records { view, query } => {
                let schema = self.schema_of(context, Named::View(view)).await?;
                self.rows(context, &schema, query).await.map(Answer::Rows)
            }
            ViewAction::Get { view, key } => {
                let schema = self.schema_of(context, Named::View(view)).await?;
                self.caspio.view_record(context, &schema, key).await.map(Answer::Record)
            }
        }
    }

    async fn schema_of_source(
        &self,
        context: &CallContext,
        source: &Source,
    ) -> Result<Arc<TableSchema>, CaspioError> {
        let named = match source {
            Source::Table(name) => Named::Table(name),
            Source::View(name) => Named::View(name),
        };
        self.schema_of(context, named).await
    }

    pub(super) async fn count(
        &self,
        context: &CallContext,
        source: &Source,
        criteria: Option<&Criteria>,
    ) -> Result<Answer, CaspioError> {
        let schema = self.schema_of_source(context, source).await?;
        self.caspio.count(context, &schema, criteria).await.map(Answer::Count)
    }

    pub(super) async fn aggregate(
        &self,
        context: &CallContext,
        source: &Source,
        aggregation: &Aggregation,
    ) -> Result<Answer, CaspioError> {
        let schema = self.schema_of_source(context, source).await?;
        let wanted = aggregation.limit.unwrap_or(u32::MAX);
        let aggregation = Aggregation { limit: Some(wanted.min(MAX_RECORDS + 1)), ..aggregation.clone() };
        let rows = self.caspio.aggregate(context, &schema, &aggregation).await?;
        if rows.len() > MAX_RECORDS as usize { Err(too_many()) } else { Ok(Answer::Rows(rows)) }
    }
}
