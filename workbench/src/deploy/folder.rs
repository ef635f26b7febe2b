//! `.deploy/`: what a deployment knows beyond the repository, on this machine and never in git.
//!
//! Must stay true: the folder and the files with secrets are their owner's alone.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{DeployError, Person};

pub struct Folder(PathBuf);

impl Folder {
    pub fn open(path: PathBuf) -> Result<Self, DeployError> {
        fs::create_dir_all(&path)?;
        restrict(&path, 0o700)?;
        Ok(Self(path))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn vars(&self) -> Result<Vars, DeployError> {
        Vars::parse(&self.read("vars")?)
    }

    pub fn write_vars(&self, vars: &Vars) -> Result<(), DeployError> {
        let mut text = "# Settings of the Worker, NAME=value, for `make deploy`; the README lists them.\n".to_owned();
        for (name, value) in vars.pairs() {
            text.extend([name, "=", value, "\n"]);
        }
        Ok(fs::write(self.path("vars"), text)?)
    }

    /// Writes the configuration to deploy with, and tells its path as wrangler takes it.
    pub fn write_configuration(&self, text: &str) -> Result<String, DeployError> {
        let path = self.path("wrangler.toml");
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// A file's text; an empty one when there is none.
    pub fn read(&self, name: &str) -> Result<String, DeployError> {
        match fs::read_to_string(self.path(name)) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// A file that its owner alone may read, from its first byte on.
    pub fn write_private(&self, name: &str, text: &str) -> Result<PathBuf, DeployError> {
        let path = self.path(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)?.write_all(text.as_bytes())?;
        restrict(&path, 0o600)?;
        Ok(path)
    }
}

/// Nobody else's, where files have owners.
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

/// Settings in order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vars(Vec<(String, String)>);

impl Vars {
    pub fn parse(text: &str) -> Result<Self, DeployError> {
        let mut vars = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let pair = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
            match pair.filter(|(name, _)| is_name(name)) {
                Some((name, value)) => vars.set(name, value),
                None => return Err(DeployError::new(format!(".deploy/vars: `{line}` is not NAME=value."))),
            }
        }
        Ok(vars)
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(known, value)| *known == name && !value.is_empty()).map(|(_, value)| value)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    pub fn set_all(&mut self, pairs: &[(String, String)]) {
        for (name, value) in pairs {
            self.set(name, value);
        }
    }

    pub fn set_default(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// The public half of the operator's Spotify app, from the environment or the operator.
    pub fn ask_for_spotify(&mut self, person: &mut dyn Person) {
        const NAME: &str = "SPOTIFY_CLIENT_ID";
        if self.get(NAME).is_none()
            && let Some(id) = given(NAME, "Client ID of your Spotify app (Enter to do without for now): ", person)
        {
            self.set(NAME, &id);
        }
    }
}

/// A value from the environment, or else from the person.
pub fn given(name: &str, question: &str, person: &mut dyn Person) -> Option<String> {
    let from_environment = std::env::var(name).ok().filter(|value| !value.is_empty());
    from_environment.or_else(|| person.asked(question))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}
