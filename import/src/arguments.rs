//! The command line, and what the environment adds to it.
//!
//! Must stay true: a secret comes from the environment alone, where no list of processes shows it, and it never goes to
//! another machine unencrypted.

use std::{fmt, net::IpAddr, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::complaint::Complaint;

pub const HELP: &str = "\
make import FILE=my_spotify_data.zip [URL=https://...] [USER=id or name] [CREATE=1] [PLAN=free|paid] [AGAIN=1]

  FILE    the ZIP as Spotify handed it out
  URL     where the Worker is; http://127.0.0.1:8787 unless given
  USER    whose history it is; not needed while there is one user
  CREATE  1: make the user if there is none of that name
  PLAN    Cloudflare's plan of the Worker: free sends small slices, paid the whole archive. Unless given, a Worker on
          this machine gets the archive, and any other small slices, which every plan takes.
  AGAIN   1: import an archive that was imported before; only what is missing is added

The credential is read from ADMIN_TOKEN, or from ADMIN_USERNAME and ADMIN_PASSWORD. A Worker on this machine may need none.

It ends with 0 when everything was imported, 5 when something was left out, 1 when the import failed, 2 when an argument or
the file is wrong, 3 when the Worker could not be reached, and 4 when it refused. Stopped and started again, it goes on.";

const DEFAULT_URL: &str = "http://127.0.0.1:8787";

/// What is to be imported where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    pub file: PathBuf,
    /// Without a slash at its end.
    pub url: String,
    /// An id or a name.
    pub user: Option<String>,
    pub create_user: bool,
    /// Even when this archive was imported before.
    pub again: bool,
    pub plan: Plan,
    pub credential: Option<Credential>,
}

/// Cloudflare's plan that the Worker runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    Unknown,
    Free,
    Paid,
}

/// The value of the `Authorization` header.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(pub String);

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential")
    }
}

impl Credential {
    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let present =
            |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        if let Some(token) = present("ADMIN_TOKEN") {
            return Some(Self(format!("Bearer {token}")));
        }
        let (name, password) = (present("ADMIN_USERNAME")?, present("ADMIN_PASSWORD")?);
        Some(Self(format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))))
    }
}

impl Arguments {
    /// `None`: help was asked for.
    pub fn parse(
        arguments: &[String],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Complaint> {
        let (mut file, mut url, mut user, mut plan) = (None, None, None, None);
        let (mut create_user, mut again) = (false, false);
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let slot = match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--create-user" => {
                    create_user = true;
                    continue;
                }
                "--again" => {
                    again = true;
                    continue;
                }
                "--file" => &mut file,
                "--url" => &mut url,
                "--user" => &mut user,
                "--plan" => &mut plan,
                other => return Err(Complaint::usage(format!("{other} is not understood.\n\n{HELP}"))),
            };
            let value = words.next().ok_or_else(|| Complaint::usage(format!("{word} needs a value.\n\n{HELP}")))?;
            // An empty one is what make passes on for a variable that was not given.
            *slot = Some(value.trim()).filter(|value| !value.is_empty());
        }
        let file =
            file.ok_or_else(|| Complaint::usage(format!("Which file? Say FILE=my_spotify_data.zip.\n\n{HELP}")))?;
        let url = checked_url(url.unwrap_or(DEFAULT_URL))?;
        let credential = Credential::from_environment(environment);
        let is_local = is_loopback(&url);
        if credential.is_none() && !is_local {
            return Err(Complaint::usage(
                "There is no credential: put the Worker's token into the environment, as in \
                 ADMIN_TOKEN=... make import FILE=... URL=...",
            ));
        }
        if url.starts_with("http://") && !is_local {
            return Err(Complaint::usage(format!(
                "{url} is not encrypted, and the token would travel readable for all; say URL=https://..."
            )));
        }
        let plan = match plan.map(str::to_ascii_lowercase).as_deref() {
            None => Plan::Unknown,
            Some("free") => Plan::Free,
            Some("paid") => Plan::Paid,
            Some(other) => return Err(Complaint::usage(format!("PLAN is {other}, and may be free or paid."))),
        };
        if create_user && user.is_none() {
            return Err(Complaint::usage("CREATE=1 needs a name: say USER=... too."));
        }
        Ok(Some(Self { file: file.into(), url, user: user.map(str::to_owned), create_user, again, plan, credential }))
    }

    /// Whether the Worker runs on this machine.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.url)
    }
}

fn checked_url(url: &str) -> Result<String, Complaint> {
    let url = url.trim_end_matches('/');
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    if rest.is_empty() || rest.contains(['/', '?', '#', '@', ' ']) {
        return Err(Complaint::usage(format!(
            "URL is {url}, and must be where the Worker is and nothing more, such as https://listenlog.example.workers.dev"
        )));
    }
    Ok(url.to_owned())
}

fn is_loopback(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => host.split(':').next(),
    };
    host.is_some_and(|host| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::complaint::Exit;

    fn parse(line: &str, environment: &[(&str, &str)]) -> Result<Option<Arguments>, Complaint> {
        let words: Vec<String> = line.split_whitespace().map(|word| word.replace('_', "")).collect();
        let find =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Arguments::parse(&words, find)
    }

    const TOKEN: &[(&str, &str)] = &[("ADMIN_TOKEN", "t0ken")];

    #[test]
    fn a_worker_on_this_machine_needs_a_file_and_nothing_else() {
        // `_` stands for an empty word, as make passes on what was not given.
        let arguments = parse("--file a.zip --url _ --user _ --plan _", &[]).unwrap().unwrap();
        assert_eq!(arguments.url, "http://127.0.0.1:8787");
        assert_eq!((arguments.user.clone(), arguments.plan, arguments.credential.clone()), (None, Plan::Unknown, None));
        assert!(arguments.is_local());
    }

    #[test]
    fn every_mistake_has_its_sentence_and_names_no_secret() {
        for (line, environment, says) in [
            ("", TOKEN, "FILE="),
            ("--file", TOKEN, "needs a value"),
            ("a.zip", TOKEN, "not understood"),
            ("--file a.zip --url listenlog.example", TOKEN, "URL is"),
            ("--file a.zip --url https://listenlog.example/admin", TOKEN, "URL is"),
            ("--file a.zip --url https://listenlog.example", &[], "ADMIN_TOKEN"),
            ("--file a.zip --url https://listenlog.example", &[("ADMIN_TOKEN", " ")], "ADMIN_TOKEN"),
            ("--file a.zip --url http://listenlog.example", TOKEN, "not encrypted"),
            ("--file a.zip --url http://127.evil.example", &[], "ADMIN_TOKEN"),
            ("--file a.zip --plan gold", TOKEN, "PLAN is gold"),
            ("--file a.zip --create-user", TOKEN, "USER="),
        ] {
            let complaint = parse(line, environment).unwrap_err();
            assert_eq!(complaint.exit, Exit::Usage, "{line}");
            assert!(complaint.sentence.contains(says), "{line}: {}", complaint.sentence);
            assert!(!complaint.sentence.contains("t0ken"), "{line}");
        }
    }

    #[test]
    fn loopback_is_told_from_names_that_look_like_it() {
        for (url, expected) in [
            ("http://127.0.0.1:8787", true),
            ("http://localhost", true),
            ("http://[::1]:80", true),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1.evil.example", false),
        ] {
            assert_eq!(is_loopback(url), expected, "{url}");
        }
    }

    #[test]
    fn a_credential_is_shown_nowhere() {
        let arguments = parse("--file a.zip", &[("ADMIN_USERNAME", "ada"), ("ADMIN_PASSWORD", "t0ken")]);
        let arguments = arguments.unwrap().unwrap();
        assert_eq!(arguments.credential, Some(Credential("Basic YWRhOnQwa2Vu".to_owned())));
        assert!(!format!("{arguments:?}").contains("YWRh"));
        assert_eq!(parse("--help", &[]), Ok(None));
    }
}
