//! `wrangler.toml` of the repository, and the one that is deployed: the same with the database's id and the settings.
//!
//! Must stay true: the repository's file is only read; paths in the deployed one are as seen from its own folder.

use std::{fs, path::Path};

use super::{DeployError, folder::Vars};

/// What has to be known of `wrangler.toml`.
pub struct Configuration {
    text: String,
    pub worker_name: String,
    pub database_name: String,
    pub bucket_name: String,
    /// Each once, dead letters included.
    pub queue_names: Vec<String>,
    pub database_id: String,
}

impl Configuration {
    pub fn read(root: &Path) -> Result<Self, DeployError> {
        let text = fs::read_to_string(root.join("wrangler.toml"))?;
        let only = |key: &str| {
            let found = values(&text, key).into_iter().next();
            found.ok_or_else(|| DeployError::new(format!("wrangler.toml has no {key}.")))
        };
        let mut queue_names = values(&text, "queue");
        queue_names.extend(values(&text, "dead_letter_queue"));
        queue_names.sort();
        queue_names.dedup();
        Ok(Self {
            worker_name: only("name")?,
            database_name: only("database_name")?,
            bucket_name: only("bucket_name")?,
            queue_names,
            database_id: String::new(),
            text,
        })
    }

    /// The text of the file that is deployed, one folder below the repository's.
    pub fn with_vars(&self, vars: &Vars) -> String {
        let mut lines = vec![
            "# Written by `make deploy` from wrangler.toml and .deploy/vars; changes here are lost.".to_owned(),
            // What somebody set in the dashboard stays.
            "keep_vars = true".to_owned(),
        ];
        for line in self.text.lines() {
            lines.push(match line.split_once(" = ") {
                Some(("database_id", _)) => format!("database_id = {}", quoted(&self.database_id)),
                Some((key @ ("main" | "migrations_dir"), path)) => {
                    format!("{key} = {}", quoted(&format!("../{}", path.trim_matches('"'))))
                }
                _ => line.to_owned(),
            });
        }
        lines.push("\n[vars]".to_owned());
        lines.extend(vars.pairs().map(|(name, value)| format!("{name} = {}", quoted(value))));
        lines.join("\n") + "\n"
    }
}

/// TOML's basic strings are JSON's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The values of every `key = "value"` line.
fn values(text: &str, key: &str) -> Vec<String> {
    let rest = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    rest.map(|value| value.trim().trim_matches('"').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_s_file_names_all_that_has_to_be_there() {
        let configuration = Configuration::read(&super::super::root()).unwrap();
        assert_eq!(configuration.worker_name, "listenlog");
        assert_eq!(configuration.database_name, "listenlog");
        assert_eq!(configuration.bucket_name, "listenlog-archives");
        assert_eq!(configuration.queue_names, ["listenlog-jobs", "listenlog-jobs-dead"]);
        assert!(!configuration.text.contains("[vars]"), "settings would be given twice");
    }

    #[test]
    fn the_deployed_file_has_the_id_the_settings_and_paths_from_its_own_folder() {
        let mut configuration = Configuration::read(&super::super::root()).unwrap();
        configuration.database_id = "an-id".to_owned();
        let vars = Vars::parse("ADMIN_AUTH_MODE=token\nDEFAULT_TIMEZONE=Europe/Berlin\nODD=a \"b\" = c\n").unwrap();
        let text = configuration.with_vars(&vars);
        for line in [
            "database_id = \"an-id\"",
            "main = \"../build/index.js\"",
            "migrations_dir = \"../migrations\"",
            "DEFAULT_TIMEZONE = \"Europe/Berlin\"",
            "ODD = \"a \\\"b\\\" = c\"",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("00000000-0000"), "{text}");
        let (before_tables, _) = text.split_once("[[").unwrap();
        assert!(before_tables.contains("keep_vars = true"), "a key of the whole file stands before its tables");
    }
}
