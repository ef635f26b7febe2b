//! Invented values of the personal fields that exports carry.
//!
//! Must stay true: each is unmistakable, so that a test can search a database, a log or an answer for it.

pub(super) const IP_ADDRESS: &str = "203.0.113.77";
pub(super) const USER_AGENT: &str = "FakeAgent%2F4711%20(Nobody%E2%80%99s%20Phone)";
pub(super) const USER_NAME: &str = "fake-listener-0815";
pub(super) const EMAIL: &str = "nobody.in.particular@fake.invalid";
pub(super) const BIRTH_DATE: &str = "1901-02-03";
pub(super) const CARD: &str = "XXXX-XXXX-XXXX-0000-FAKE";

/// Every personal value that any archive of this generator contains. None may outlive an import.
pub const PERSONAL_VALUES: &[&str] = &[IP_ADDRESS, USER_AGENT, USER_NAME, EMAIL, BIRTH_DATE, CARD];
