//! Questions and answers against the generator's own truth.
