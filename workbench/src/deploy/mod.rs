//! Puts the Worker, with all it is bound to, into a Cloudflare account, and takes it out again.
//!
//! Must stay true: every step looks first and does only what is missing, so that running it again ends the same, wherever
//! the run before broke off; nothing that git tracks is changed; a secret travels in a file that its owner alone may read,
//! never as an argument, and is on disk before it is sent, so that none is lost half-way.

mod configuration;
pub mod cost;
mod folder;
mod secrets;
mod undeploy;
mod wrangler;

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use self::undeploy::undeploy;
use self::{
    configuration::Configuration,
    folder::Folder,
    secrets::Secrets,
    wrangler::{Answer, Wrangler},
};

/// Why it went no further, and what to do about it.
#[derive(Debug)]
pub struct DeployError(String);

impl DeployError {
    fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for DeployError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for DeployError {}

impl From<io::Error> for DeployError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// What was asked for on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Settings to keep from now on.
    pub vars: Vec<(String, String)>,
    /// Secrets to replace by new ones.
    pub rotate: Vec<String>,
}

/// Where a person is asked what nobody else can know.
pub trait Person {
    /// An answer to a question, or `None` when nobody is there or nothing was typed.
    fn asked(&mut self, question: &str) -> Option<String>;
}

/// Deploys, and tells on `out` what it does and what comes next.
///
/// # Errors
/// The first step that failed, with what wrangler said. Running it again goes on from there.
pub fn deploy(root: &Path, wishes: &Wishes, person: &mut dyn Person, out: &mut dyn Write) -> Result<(), DeployError> {
    let wrangler = Wrangler::new(root);
    let folder = Folder::open(root.join(".deploy"))?;
    let mut configuration = Configuration::read(root)?;
    writeln!(out, "Account: {}", account(&wrangler)?)?;
    let mut vars = folder.vars()?;
    vars.set_all(&wishes.vars);
    vars.set_default("ADMIN_AUTH_MODE", "token");
    configuration.database_id = provide_database(&wrangler, &configuration.database_name, out)?;
    provide(&wrangler, ["r2", "bucket"], &configuration.bucket_name, out)?;
    for queue in &configuration.queue_names {
        provide(&wrangler, ["queues", ""], queue, out)?;
    }
    let mut secrets = Secrets::read(&folder)?;
    let known = known_secrets(&wrangler, &configuration.worker_name)?;
    vars.ask_for_spotify(person);
    folder.write_vars(&vars)?;
    let fresh = secrets.complete(&known, &vars, wishes, person)?;
    secrets.write(&folder)?;
    let file = folder.write_configuration(&configuration.with_vars(&vars))?;
    writeln!(out, "Database {}: applying migrations.", configuration.database_name)?;
    wrangler.run(&["d1", "migrations", "apply", &configuration.database_name, "--remote", "-c", &file])?;
    let mut url = upload(&wrangler, &folder, &file, &secrets.unsent(&known, &fresh), out)?;
    if let (None, Some(found)) = (vars.get("PUBLIC_URL"), &url) {
        // Known from the first deployment on: Spotify is told to come back there.
        vars.set("PUBLIC_URL", found);
        folder.write_vars(&vars)?;
        folder.write_configuration(&configuration.with_vars(&vars))?;
        url = upload(&wrangler, &folder, &file, &Secrets::default(), out)?.or(url);
    }
    let url = vars.get("PUBLIC_URL").map(str::to_owned).or(url);
    farewell(url.as_deref(), &secrets, &fresh, &vars, out)?;
    Ok(())
}

/// `wrangler whoami --json`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Login {
    logged_in: bool,
    accounts: Vec<Account>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Account {
    name: String,
    id: String,
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.name, self.id)
    }
}

/// The one account there is to deploy to.
fn account(wrangler: &Wrangler) -> Result<String, DeployError> {
    let answer = wrangler.ask(&["whoami", "--json"])?;
    let login: Login = serde_json::from_str(&answer.stdout).unwrap_or_default();
    if !login.logged_in {
        return Err(DeployError::new(
            "You are not logged in to Cloudflare. Run `npx wrangler login` (or set CLOUDFLARE_API_TOKEN), then again.",
        ));
    }
    let chosen = std::env::var("CLOUDFLARE_ACCOUNT_ID").unwrap_or_default();
    match login.accounts.as_slice() {
        [only] => Ok(only.to_string()),
        several if !chosen.is_empty() => {
            let found = several.iter().find(|account| account.id == chosen).map(ToString::to_string);
            found.ok_or_else(|| DeployError::new("CLOUDFLARE_ACCOUNT_ID is none of this login's accounts."))
        }
        [] => Err(DeployError::new("This login has no account that Workers can be deployed to.")),
        several => {
            let listed: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(DeployError::new(format!(
                "This login has several accounts. Set CLOUDFLARE_ACCOUNT_ID to the id of one:\n  {}",
                listed.join("\n  ")
            )))
        }
    }
}

/// The id of the database, which is made if it is not there.
fn provide_database(wrangler: &Wrangler, name: &str, out: &mut dyn Write) -> Result<String, DeployError> {
    if let Some(id) = database_id(wrangler, name)? {
        writeln!(out, "Database {name}: there.")?;
        return Ok(id);
    }
    writeln!(out, "Database {name}: creating.")?;
    wrangler.run(&["d1", "create", name])?;
    database_id(wrangler, name)?
        .ok_or_else(|| DeployError::new(format!("The database {name} was created and is not in the list.")))
}

/// One of `wrangler d1 list --json`.
#[derive(Deserialize)]
struct Database {
    uuid: String,
    name: String,
}

fn database_id(wrangler: &Wrangler, name: &str) -> Result<Option<String>, DeployError> {
    let listed = wrangler.run(&["d1", "list", "--json"])?;
    let databases: Vec<Database> = serde_json::from_str(&listed.stdout)
        .map_err(|_| DeployError::new(format!("wrangler listed the databases in no known form:\n{}", listed.text())))?;
    Ok(databases.into_iter().find(|database| database.name == name).map(|database| database.uuid))
}

/// Makes a bucket or a queue if it is not there. `kind` is wrangler's word or words for it.
fn provide(wrangler: &Wrangler, kind: [&str; 2], name: &str, out: &mut dyn Write) -> Result<(), DeployError> {
    let words: Vec<&str> = kind.into_iter().filter(|word| !word.is_empty()).collect();
    let title = if words.contains(&"r2") { "Bucket" } else { "Queue" };
    if exists(wrangler, &words, name)? {
        writeln!(out, "{title} {name}: there.")?;
        return Ok(());
    }
    writeln!(out, "{title} {name}: creating.")?;
    wrangler.run(&[&words[..], &["create", name]].concat()).map(drop)
}

/// Whether `info` knows it. Any trouble but "there is none" shows again, and in full, when it is created.
fn exists(wrangler: &Wrangler, words: &[&str], name: &str) -> Result<bool, DeployError> {
    Ok(wrangler.ask(&[words, &["info", name]].concat())?.success)
}

/// One of `wrangler secret list --format json`.
#[derive(Deserialize)]
struct KnownSecret {
    name: String,
}

/// The names of the secrets that the deployed Worker has; none while there is no Worker.
fn known_secrets(wrangler: &Wrangler, worker: &str) -> Result<Vec<String>, DeployError> {
    let answer = wrangler.ask(&["secret", "list", "--name", worker, "--format", "json"])?;
    if !answer.success {
        return if answer.text().contains("not found") { Ok(Vec::new()) } else { Err(failed("secret list", &answer)) };
    }
    let listed: Vec<KnownSecret> = serde_json::from_str(&answer.stdout).map_err(|_| failed("secret list", &answer))?;
    Ok(listed.into_iter().map(|secret| secret.name).collect())
}

fn failed(what: &str, answer: &Answer) -> DeployError {
    DeployError::new(format!(
        "`wrangler {what}` failed. It said:\n\n{}\n\nNothing is lost: run the same command again once that is settled.",
        answer.text().trim()
    ))
}

/// Uploads the module, with the secrets that it does not have yet, and tells its address.
fn upload(
    wrangler: &Wrangler,
    folder: &Folder,
    configuration: &str,
    secrets: &Secrets,
    out: &mut dyn Write,
) -> Result<Option<String>, DeployError> {
    writeln!(out, "Worker: uploading.")?;
    let report = folder.path("report.ndjson");
    drop(std::fs::remove_file(&report));
    let sent = (!secrets.is_empty()).then(|| folder.write_private("unsent.json", &secrets.to_json())).transpose()?;
    let mut arguments = vec!["deploy", "-c", configuration];
    let sent_text = sent.as_ref().map(|path| path.display().to_string());
    if let Some(path) = &sent_text {
        arguments.extend(["--secrets-file", path]);
    }
    let outcome = wrangler.run_reporting(&arguments, &report);
    if let Some(path) = sent {
        std::fs::remove_file(path)?;
    }
    outcome?;
    Ok(address_in(&std::fs::read_to_string(report).unwrap_or_default()))
}

/// A line of wrangler's report, as far as it is about a deployment.
#[derive(Deserialize)]
struct Reported {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    targets: Vec<String>,
}

/// The address in wrangler's report: the first target of the deployment that is one.
fn address_in(report: &str) -> Option<String> {
    let entries = report.lines().filter_map(|line| serde_json::from_str::<Reported>(line).ok());
    let mut targets = entries.filter(|entry| entry.kind == "deploy").flat_map(|entry| entry.targets);
    let address = targets.find(|target| target.starts_with("https://") || target.contains(".workers.dev"))?;
    let address = address.split_whitespace().next()?.trim_end_matches('/');
    Some(if address.starts_with("https://") { address.to_owned() } else { format!("https://{address}") })
}

/// Where it is, how to get in, and what comes next.
fn farewell(
    url: Option<&str>,
    secrets: &Secrets,
    fresh: &[String],
    vars: &folder::Vars,
    out: &mut dyn Write,
) -> Result<(), DeployError> {
    let url = url.unwrap_or("https://(the address of your Worker)");
    writeln!(out, "\nListenlog runs at {url}")?;
    for name in ["ADMIN_TOKEN", "ADMIN_PASSWORD"] {
        if let Some(value) = secrets.get(name).filter(|_| fresh.iter().any(|fresh| fresh == name)) {
            writeln!(out, "\n{name}, shown this once and kept in .deploy/secrets.json:\n  {value}")?;
        }
    }
    writeln!(
        out,
        "\nNext:\n  curl \"{url}/healthz?deep=1\"      is everything well? Crons take up to 15 minutes to begin."
    )?;
    if vars.get("SPOTIFY_CLIENT_ID").is_some() {
        writeln!(
            out,
            "  In your app at https://developer.spotify.com/dashboard, add the redirect URI {url}/auth/callback\n  \
             {url}/auth/login      connects an account, from then on its plays are collected"
        )?;
    } else {
        writeln!(
            out,
            "  No Spotify app is set: imports and questions work, collecting does not. Make one at\n  \
             https://developer.spotify.com/dashboard and run this again: it asks for the id and the secret."
        )?;
    }
    writeln!(out, "\n{}", cost::table())?;
    Ok(())
}

/// The configuration as it would be deployed, for trying it out.
///
/// # Errors
/// When `wrangler.toml` cannot be read.
pub fn configuration_to_try(root: &Path) -> Result<String, DeployError> {
    let mut configuration = Configuration::read(root)?;
    "00000000-0000-0000-0000-000000000000".clone_into(&mut configuration.database_id);
    let mut vars = folder::Vars::default();
    vars.set_default("ADMIN_AUTH_MODE", "token");
    Ok(configuration.with_vars(&vars))
}

/// The folder of a checkout, as the programs here find it.
pub fn root() -> PathBuf {
    crate::runtime::repository()
}
