//! The assistant's tools.
