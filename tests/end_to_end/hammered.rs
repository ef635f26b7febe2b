//! Many clients at once, for a short while; `make hammer` does it for a minute.

use std::time::Duration;

use listenlog_workbench::hammer::Hammer;

use crate::worker::{ADMIN_TOKEN, Worker};

#[test]
fn many_clients_at_once_get_no_5xx_lose_no_log_row_and_need_no_more_memory() {
    let worker = Worker::start();
    let report = Hammer { clients: 32, lasting: Duration::from_secs(9) }.run(&worker.runtime, ADMIN_TOKEN).unwrap();
    println!("{report}");
    assert!(report.requests > 100, "{report}");
    assert!(report.complaints().is_empty(), "{:?}", report.complaints());
}
