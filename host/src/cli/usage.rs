//! `caspian usage`

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::Format;
use super::api::Api;
use super::error::CliError;
use super::output::{self, cell};

#[derive(Debug, Args)]
pub(super) struct UsageArgs {
    /// Of the last so many days, today included
    #[arg(long, value_name = "N", conflicts_with = "month")]
    days: Option<u32>,
    /// Since the first of this month; so it is without --days
    #[arg(long)]
    month: bool,
    /// What to add up by
    #[arg(long, value_enum, default_value = "workflow", value_name = "WHAT")]
    by: By,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Workflow,
    Action,
    Connection,
}

pub(super) async fn usage(api: &Api, args: UsageArgs) -> Result<(), CliError> {
    let by = match args.by {
        By::Workflow => "workflow",
        By::Action => "action",
        By::Connection => "connection",
    };
    let mut query = vec![("by", by.to_owned())];
    query.extend(args.days.map(|days| ("days", days.to_string())));
    let usage = api.get("usage", &query).await?;
    output::answer(args.format, &usage, |usage| {
        output::line(&format!("{} to {} (UTC)", cell(usage, "from"), cell(usage, "to")));
        output::line(&format!(
            "{} calls sent, {} webhooks delivered",
            cell(usage, "calls"),
            cell(usage, "deliveries")
        ));
        output::line("");
        let head = by.to_uppercase();
        let lines = usage.get("lines").unwrap_or(&Value::Null);
        output::objects(lines, &[(&head, "name"), ("CALLS", "calls"), ("WEBHOOKS", "deliveries")]);
        for budget in usage.get("budgets").and_then(Value::as_array).into_iter().flatten() {
            let said = |limit: &str, used: &str, period: &str| {
                let limit = cell(budget, limit);
                (!limit.is_empty()).then(|| format!("{} of {limit} calls {period}", cell(budget, used)))
            };
            let day = said("calls_per_day", "in_day", "today");
            let month = said("calls_per_month", "in_month", "this month");
            let spent: Vec<String> = [day, month].into_iter().flatten().collect();
            output::line(&format!("\nbudget of {}: {}", cell(budget, "connection"), spent.join(", ")));
        }
    });
    Ok(())
}
