//! libFuzzer on [`listenlog_fuzz::targets::slice`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| listenlog_fuzz::targets::slice(bytes));
