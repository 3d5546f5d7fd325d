//! `caspian:workflow/aggregates`

use crate::model::{self, Action, AggregateFunction, Answer};
use crate::runtime::bindings::caspian::workflow::aggregates::{Aggregation, Function, Host, Source};
use crate::runtime::bindings::caspian::workflow::records::Criteria;
use crate::runtime::bindings::caspian::workflow::types::Field;
use crate::runtime::convert::{criteria, row_out, sort_key};
use crate::runtime::guest::Guest;

use super::{Done, answered};

impl Host for Guest {
    async fn count(&mut self, source: Source, nodes: Option<Criteria>) -> Done<u64> {
        let criteria = match nodes.map(criteria).transpose() {
            Ok(tree) => tree,
            Err(why) => return self.refused(why),
        };
        let answer = self.step(Action::Count { source: source_in(source), criteria }).await?;
        answered(answer, |answer| match answer {
            Answer::Count(count) => Some(count),
            _ => None,
        })
    }

    async fn select(&mut self, source: Source, asked: Aggregation) -> Done<Vec<Vec<Field>>> {
        let criteria = match asked.criteria.map(criteria).transpose() {
            Ok(tree) => tree,
            Err(why) => return self.refused(why),
        };
        let aggregates = asked.aggregates.into_iter().map(|aggregate| model::Aggregate {
            name: aggregate.name,
            function: function(aggregate.function),
            field: aggregate.field,
        });
        let aggregation = model::Aggregation {
            aggregates: aggregates.collect(),
            group_by: asked.group_by,
            criteria,
            order: asked.order.into_iter().map(sort_key).collect(),
            limit: asked.limit,
        };
        let answer = self.step(Action::Aggregate { source: source_in(source), aggregation }).await?;
        answered(answer, |answer| match answer {
            Answer::Rows(rows) => Some(rows.into_iter().map(row_out).collect()),
            _ => None,
        })
    }
}

fn source_in(source: Source) -> model::Source {
    match source {
        Source::Table(name) => model::Source::Table(name),
        Source::View(name) => model::Source::View(name),
    }
}

fn function(function: Function) -> AggregateFunction {
    match function {
        Function::Count => AggregateFunction::Count,
        Function::CountDistinct => AggregateFunction::CountDistinct,
        Function::Sum => AggregateFunction::Sum,
        Function::Average => AggregateFunction::Average,
        Function::Minimum => AggregateFunction::Minimum,
        Function::Maximum => AggregateFunction::Maximum,
    }
}
