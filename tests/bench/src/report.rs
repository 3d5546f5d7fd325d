//! Figures, and how they are printed.

use std::io::Write as _;

/// What a figure must keep to.
#[derive(Clone, Copy)]
pub enum Bar {
    /// Nothing: it is told, not judged.
    None,
    /// The value is at most this.
    AtMost(f64),
    /// Of value and baseline, the ratio is at most this.
    RatioAtMost(f64),
    /// Of value and baseline, the ratio is at least this.
    RatioAtLeast(f64),
}

/// A measured value with its baseline.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    base: f64,
    bar: Bar,
}

/// All figures so far. Printed at the end, so that they stand together.
#[derive(Default)]
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Adds a figure. `base`: the baseline, in the same unit.
    pub fn add(&mut self, name: &'static str, value: f64, unit: &'static str, base: f64, bar: Bar) {
        let figure = Figure { name, value, unit, base, bar };
        say(&figure.line());
        self.figures.push(figure);
    }

    /// One line each to standard output.
    pub fn print(&self) {
        let mut out = std::io::stdout().lock();
        for figure in &self.figures {
            // Nobody may be reading any more.
            let _ = writeln!(out, "bench: {}", figure.line());
        }
    }
}

impl Figure {
    fn line(&self) -> String {
        let Self { name, value, unit, base, .. } = self;
        let ratio = value / base;
        let text = format!("{name} {} {unit} base={} ratio={ratio:.2}", short(*value), short(*base));
        let (bar, kept) = match self.bar {
            Bar::None => return text,
            Bar::AtMost(most) => (format!("{}<={}", unit, short(most)), *value <= most),
            Bar::RatioAtMost(most) => (format!("ratio<={most}"), ratio <= most),
            Bar::RatioAtLeast(least) => (format!("ratio>={least}"), ratio >= least),
        };
        format!("{text} bar:{bar} {}", if kept { "ok" } else { "MISSED" })
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A line of progress, to standard error.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "  {text}");
}

/// A failure, to standard error.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// How busy the machine is.
pub fn load(when: &str) {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first: Vec<&str> = text.split(' ').take(3).collect();
    say(&format!("load of the machine {when}: {}", first.join(" ")));
}

/// The smallest of these.
pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The largest of these.
pub fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// The value below which this share of the sorted values lies.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = ((sorted.len() as f64 - 1.0).max(0.0) * share).round();
    sorted.get(at as usize).copied().unwrap_or(f64::NAN)
}
