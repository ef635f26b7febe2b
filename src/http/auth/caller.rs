//! The right that a request's credential gives.

use crate::{
    domain::{
        credential::{Credential, CredentialKind, Scope, Scopes},
        ids::UserId,
        role::Role,
    },
    error::AppError,
    tools::Right,
};

/// Whose credential a request carried. Put into the request's extensions by the checks of [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The person who runs it, and whoever was given a part of that: may ask about everyone.
    Admin(Role),
    /// Whoever holds a credential of one user: may do for that user what its scopes say.
    User(Credential),
}

impl Caller {
    pub fn has(&self, needed: Right) -> bool {
        match (self, needed) {
            (Self::Admin(_), _) => true,
            (Self::User(credential), Right::Scope(scope)) => credential.scopes.has(scope),
            (Self::User(_), Right::Admin) => false,
        }
    }

    /// The scopes that an OAuth client would have to ask its user for, those it has included, to get what is needed. `None`: it
    /// has what is needed, or asking would not help.
    pub fn would_need(&self, needed: Right) -> Option<Scopes> {
        match (self, needed) {
            (Self::User(credential), Right::Scope(scope)) if credential.kind == CredentialKind::Grant => {
                (!credential.scopes.has(scope)).then(|| credential.scopes.with(scope))
            }
            _ => None,
        }
    }

    /// # Errors
    /// The right that is lacking, as a sentence.
    pub fn check(&self, needed: Right) -> Result<(), AppError> {
        match needed {
            _ if self.has(needed) => Ok(()),
            Right::Scope(scope) => Err(lacking(scope)),
            Right::Admin => Err(AppError::Forbidden("This tool is for the admin's credential alone.".to_owned())),
        }
    }

    /// The user a question is about: the one that was asked for, or a credential's own. `None`: the only one there is.
    ///
    /// # Errors
    /// Asking for somebody else's data, whether or not there is such a user.
    pub fn whose(&self, asked_for: Option<UserId>) -> Result<Option<UserId>, AppError> {
        match (self, asked_for) {
            (Self::Admin(_), asked_for) => Ok(asked_for),
            (Self::User(credential), Some(user)) if user != credential.user_id => {
                let own = credential.user_id;
                let refusal = format!("This credential opens user {own} alone: leave `user_id` out.");
                Err(AppError::Forbidden(refusal))
            }
            (Self::User(credential), _) => Ok(Some(credential.user_id)),
        }
    }
}

fn lacking(scope: Scope) -> AppError {
    AppError::Forbidden(format!(
        "This credential lacks the scope `{}`: ask the admin for one that has it.",
        scope.name()
    ))
}
