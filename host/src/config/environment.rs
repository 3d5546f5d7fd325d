//! Environment variables that go before the file: `CASPIAN__SECTION__KEY`, in capitals, for every key.

use std::ffi::OsString;

use super::{Config, ConfigError};

/// How their names begin. The variables of flags have one underscore there.
const PREFIX: &str = "CASPIAN__";

/// Puts the variables into the table of a file, after each was looked at alone, so that a mistake is named. Answers their keys.
pub(super) fn overlay(
    table: &mut toml::Table,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<String>, ConfigError> {
    let mut keys = Vec::new();
    for (name, value) in variables {
        let Some(variable) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let wrong = |message: &str| ConfigError::Variable {
            variable: variable.to_owned(),
            message: message.to_owned(),
        };
        let path = variable.strip_prefix(PREFIX).unwrap_or_default().to_ascii_lowercase();
        let Some((section, key)) = path.split_once("__") else {
            return Err(wrong("its name is not of the form CASPIAN__SECTION__KEY"));
        };
        let text = value.to_str().ok_or_else(|| wrong("its value is no text in UTF-8"))?;
        let mut alone = toml::Table::new();
        put(&mut alone, section, key, text);
        let alone: Result<Config, _> = alone.try_into();
        if let Err(error) = alone {
            return Err(wrong(error.message().trim()));
        }
        put(table, section, key, text);
        keys.push(format!("{section}.{key}"));
    }
    Ok(keys)
}

/// The variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

fn put(table: &mut toml::Table, section: &str, key: &str, text: &str) {
    let section = table.entry(section).or_insert_with(|| toml::Table::new().into());
    if let Some(section) = section.as_table_mut() {
        section.insert(key.to_owned(), value(text));
    }
}

/// As in the file where it is TOML (a number, true, a text in quotes), else as a text.
fn value(text: &str) -> toml::Value {
    let parsed: Option<toml::Table> = format!("value = {text}").parse().ok();
    let parsed = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Config::parse_with(file, "caspian.toml", variables).map_err(|e| e.to_string())
    }

    #[test]
    fn variables_go_before_the_file_for_every_key() {
        let file = "[scheduler]\nconcurrency = 3\ngrace_seconds = 4\n";
        let read = config(
            file,
            &[
                ("CASPIAN__SCHEDULER__CONCURRENCY", "5"),
                ("CASPIAN__CASPIO__CALLS_PER_SECOND", "7"),
                ("CASPIAN__SERVER__LISTEN", "127.0.0.1:81"),
                ("CASPIAN__SERVER__PUBLIC_URL", "https://hooks.example.com"),
                ("CASPIAN__LOG__LEVEL", "debug"),
                ("CASPIAN__LOG__FORMAT", "\"json\""),
                ("CASPIAN_LISTEN", "of a flag"),
                ("PATH", "/bin"),
            ],
        )
        .unwrap();
        assert_eq!((read.scheduler.concurrency, read.scheduler.grace_seconds), (5, 4));
        assert!((read.caspio.calls_per_second - 7.0).abs() < f64::EPSILON);
        assert_eq!((read.server.listen.port(), read.log.level.as_str()), (81, "debug"));
        assert_eq!(read.server.public_url.as_deref(), Some("https://hooks.example.com"));

        // Each key with its default in a variable is the same as no variable.
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        for (section, keys) in &defaults {
            for (key, value) in keys.as_table().unwrap() {
                let name = variable(&format!("{section}.{key}"));
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let read = config("", &[(&name, &text)]).unwrap();
                assert_eq!(toml::Table::try_from(read).unwrap(), defaults, "{name}={text}");
            }
        }
    }

    #[test]
    fn mistakes_name_the_variable() {
        for (name, value, part) in [
            ("CASPIAN__SCHEDULER__SLOTS", "3", "unknown field `slots`"),
            ("CASPIAN__SHEDULER__CONCURRENCY", "3", "unknown field `sheduler`"),
            ("CASPIAN__CONCURRENCY", "3", "not of the form CASPIAN__SECTION__KEY"),
            ("CASPIAN__SCHEDULER__CONCURRENCY", "many", "expected usize"),
            ("CASPIAN__SCHEDULER__CONCURRENCY", "3\nlease_seconds = 1", "expected usize"),
            ("CASPIAN__SCHEDULER__CONCURRENCY", "0", "scheduler.concurrency must be from 1"),
        ] {
            let error = config("", &[(name, value)]).unwrap_err();
            assert!(error.contains(&format!("the environment variable {name}")), "{error}");
            assert!(error.contains(part) && error.contains("; correct"), "{error}");
        }
        let error = config("[scheduler]\nconcurrency = 0\n", &[("CASPIAN__LOG__LEVEL", "warn")]).unwrap_err();
        assert!(error.contains("caspian.toml: scheduler.concurrency must be"), "{error}");
    }
}
