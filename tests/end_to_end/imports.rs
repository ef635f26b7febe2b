//! Archives in: upload, queue, progress, crash, and what it costs.

use listenlog_workbench::generator::{
    AccountLayout, ExportPlan, FieldSet, PERSONAL_VALUES, last_twelve_months, seen_by_extended, write_account,
    write_extended,
};

use crate::worker::{Worker, now_ms, wait_for};

/// A checksum of a user's plays that does not depend on the files that brought them.
fn fingerprint(worker: &Worker, user: i64) -> (i64, i64) {
    let sum = "sum((ended_at % 1000003) * (track_id % 1009 + 1) + coalesce(ms_played, 7) * (ordinal + 1) + kind \
        + coalesce(extended_elapsed_ms, 3) + flags + coalesce(account_offset_ms, 11) % 1000003)";
    (
        worker.number(&format!("SELECT count(*) FROM plays WHERE user_id = {user}")),
        worker.number(&format!("SELECT coalesce({sum}, 0) FROM plays WHERE user_id = {user}")),
    )
}

#[test]
fn an_export_goes_in_through_the_queue_and_is_all_there() {
    let worker = Worker::start();
    let user = worker.user("Europe/Berlin");
    let plan = ExportPlan { plays: 25_000, ..ExportPlan::demo() };
    let plays = plan.live();
    let archive = write_extended(&plays, FieldSet::R4).unwrap();
    let job = worker.import(user, &archive);
    assert_eq!(job["status"], "success", "{job}");
    let seen = seen_by_extended(&plays, FieldSet::R4).len();
    assert_eq!(job["progress"]["inserted"], seen);
    assert_eq!(fingerprint(&worker, user).0, i64::try_from(seen).unwrap());

    // What the contract allows: 1.25 rows for each play, everything included.
    let written = job["rows_written"].as_u64().unwrap();
    assert!(written * 100 <= seen as u64 * 125, "{written} rows written for {seen} plays");

    let again = worker.import(user, &archive);
    assert_eq!(again["progress"]["inserted"], 0);
    assert_eq!(again["progress"]["duplicate"], seen);
    assert!(again["message"].as_str().unwrap().contains("Nothing new"), "{again}");

    // The archive is gone, from storage and from the job.
    assert_eq!(worker.number("SELECT count(*) FROM import_jobs WHERE archive_key IS NOT NULL"), 0);
    let blobs = walk(&worker.state.join("v3").join("r2"));
    assert!(blobs.iter().all(|(path, _)| !path.contains("blobs")), "{blobs:?}");
}

#[test]
fn extended_and_account_data_end_in_the_same_plays_in_either_order_and_form() {
    let worker = Worker::shared();
    let plays = ExportPlan::small(21).live();
    let extended = write_extended(&plays, FieldSet::R4).unwrap();
    let account = write_account(&plays, AccountLayout::New, last_twelve_months(&plays)).unwrap();
    let (first, second) = (worker.user("UTC"), worker.user("UTC"));
    for archive in [&extended, &account] {
        assert_eq!(worker.import(first, archive)["status"], "success");
    }
    let form = format!("/admin/users/{second}/import");
    for archive in [&account, &extended] {
        let answer = worker.admin().multipart(&form, "file", "my data.zip", archive).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        let job = worker.finished(answer.json()["id"].as_i64().unwrap());
        assert_eq!(job["status"], "success", "{job}");
        assert_eq!(job["filename"], "my data.zip");
    }
    assert_eq!(fingerprint(worker, first), fingerprint(worker, second));
}

#[test]
fn a_worker_killed_in_mid_import_goes_on_where_it_was() {
    let mut worker = Worker::start();
    let (archive, rows, user, id) = killed_in_mid_import(&mut worker);
    worker.runtime.restart().unwrap();
    let job = worker.import_job(id);
    assert_eq!(job["status"], "running");
    let settled = job["progress"]["rows_read"].as_u64().unwrap();
    assert!(settled > 0 && settled < rows, "{settled}");

    // The dead worker's lease has to run out first; the tick's own time says that it has.
    let in_five_minutes = now_ms() + 300_000;
    assert_eq!(worker.runtime.cron("* * * * *", in_five_minutes).unwrap().status, 200);
    let job = worker.finished(id);
    assert_eq!(job["status"], "success", "{job}");
    assert_eq!(job["progress"]["rows_read"], rows);

    let undisturbed = worker.user("UTC");
    assert_eq!(worker.import(undisturbed, &archive)["status"], "success");
    assert_eq!(fingerprint(&worker, user), fingerprint(&worker, undisturbed));
}

/// The runtime dies at moments that nobody chose, wherever the import then stands: while it waits, claims, reads or writes.
#[test]
fn killed_at_random_moments_again_and_again_it_ends_in_the_same_plays() {
    let mut worker = Worker::with_vars(&[
        ("ADMIN_AUTH_MODE", "token"),
        ("ADMIN_TOKEN", crate::worker::ADMIN_TOKEN),
        ("IMPORT_SLICE_ROWS", "1000"),
    ]);
    let user = worker.user("UTC");
    let archive = write_extended(&ExportPlan::bench(100_000).live(), FieldSet::R4).unwrap();
    let id = worker.upload(user, &archive);
    let seed = now_ms().unsigned_abs();
    let mut random = seed;
    let unfinished = format!("SELECT count(*) FROM import_jobs WHERE id = {id} AND completed_at IS NULL");
    for kill in 1..=6 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(std::time::Duration::from_millis((random >> 33) % 500));
        worker.runtime.kill();
        if worker.number(&unfinished) == 0 {
            worker.runtime.restart().unwrap();
            assert!(kill > 1, "seed {seed}: it was over before the first kill");
            break;
        }
        worker.runtime.restart().unwrap();
        // The dead worker's lease has to run out first; the tick's own time says that it has.
        assert_eq!(worker.runtime.cron("* * * * *", now_ms() + 300_000).unwrap().status, 200);
    }
    let job = worker.finished(id);
    assert_eq!(job["status"], "success", "seed {seed}: {job}");
    let undisturbed = worker.user("UTC");
    let straight = worker.import(undisturbed, &archive);
    for figure in ["rows_read", "inserted", "merged", "duplicate", "skipped", "rejected"] {
        assert_eq!(job["progress"][figure], straight["progress"][figure], "seed {seed}: {figure}");
    }
    assert_eq!(fingerprint(&worker, user), fingerprint(&worker, undisturbed), "seed {seed}");
}

/// The module's memory never shrinks, so it tells of the most that was ever needed. The videos of an export lie sparsely in
/// all its years, and so do the rows of account data that are joined with what is stored.
#[test]
fn memory_is_bounded_however_many_rows_an_import_has() {
    const BOUND_BYTES: u64 = 32_000_000;
    let worker = Worker::start();
    let user = worker.user("UTC");
    for rows in [20_000, 160_000] {
        let plays = ExportPlan::bench(rows).live();
        let extended = write_extended(&plays, FieldSet::R4).unwrap();
        let account = write_account(&plays, AccountLayout::New, last_twelve_months(&plays)).unwrap();
        for (archive, what) in [(extended, "extended"), (account, "account")] {
            let job = worker.import(user, &archive);
            assert_eq!(job["status"], "success", "{job}");
            let bytes = worker.admin().get("/healthz?deep=1").unwrap().json()["memory_bytes"].as_u64().unwrap();
            assert!(bytes <= BOUND_BYTES, "{bytes} bytes after {rows} rows, {what}");
        }
    }
}

#[test]
fn a_cancelled_import_goes_on_where_it_was_when_it_is_tried_again() {
    let worker = Worker::with_vars(&[
        ("ADMIN_AUTH_MODE", "token"),
        ("ADMIN_TOKEN", crate::worker::ADMIN_TOKEN),
        ("IMPORT_SLICE_ROWS", "500"),
    ]);
    let user = worker.user("UTC");
    let archive = write_extended(&ExportPlan::bench(40_000).live(), FieldSet::R4).unwrap();
    let id = worker.upload(user, &archive);
    let order = |order: &str| {
        let path = format!("/admin/import-jobs/{id}/{order}");
        worker.admin().post_bytes(&path, "application/json", b"").unwrap()
    };
    let asked = order("cancel");
    assert!(matches!(asked.status, 200 | 202 | 409), "{}", asked.text());
    let job = worker.finished(id);
    if asked.status != 409 {
        assert_eq!(job["status"], "cancelled", "{job}");
        assert_eq!(order("retry").status, 202);
    }
    let job = worker.finished(id);
    assert_eq!(job["status"], "success", "{job}");
    let undisturbed = worker.user("UTC");
    assert_eq!(worker.import(undisturbed, &archive)["status"], "success");
    assert_eq!(fingerprint(&worker, user), fingerprint(&worker, undisturbed));
}

/// Kills the Worker once the database holds a part of an import, and not all of it. A machine so fast that the import
/// is over before the kill gets a longer one. The archive, its rows, the user and the job.
fn killed_in_mid_import(worker: &mut Worker) -> (Vec<u8>, u64, i64, i64) {
    for rows in [40_000, 160_000, 640_000] {
        let user = worker.user("UTC");
        let archive = write_extended(&ExportPlan::bench(rows).live(), FieldSet::R4).unwrap();
        let id = worker.upload(user, &archive);
        // The file itself is looked at: a busy Worker may keep an HTTP client waiting until it is too late.
        let settled = format!("SELECT coalesce(sum(rows_read), 0) FROM import_files WHERE import_job_id = {id}");
        wait_for(|| (worker.number(&settled) > 0).then_some(()));
        worker.runtime.kill();
        let is_over = format!("SELECT count(*) FROM import_jobs WHERE id = {id} AND completed_at IS NOT NULL");
        let rows = u64::try_from(rows).unwrap();
        if worker.number(&is_over) == 0 && worker.number(&settled).unsigned_abs() < rows {
            return (archive, rows, user, id);
        }
        worker.runtime.restart().unwrap();
    }
    panic!("every import was over before its Worker could be killed");
}

#[test]
fn personal_values_are_in_no_file_that_is_kept() {
    let worker = Worker::start();
    let user = worker.user("UTC");
    let plays = ExportPlan::small(22).live();
    for fields in FieldSet::ALL {
        assert_eq!(worker.import(user, &write_extended(&plays, fields).unwrap())["status"], "success");
    }
    let account = write_account(&plays, AccountLayout::New, last_twelve_months(&plays)).unwrap();
    assert_eq!(worker.import(user, &account)["status"], "success");
    let files = walk(&worker.state);
    assert!(files.iter().any(|(path, bytes)| path.ends_with(".sqlite") && !bytes.is_empty()));
    assert!(files.iter().any(|(path, bytes)| path.ends_with("worker.log") && !bytes.is_empty()));
    for (path, bytes) in files {
        for personal in PERSONAL_VALUES {
            let found = bytes.windows(personal.len()).any(|window| window == personal.as_bytes());
            assert!(!found, "{personal} in {path}");
        }
    }
}

#[test]
fn bad_uploads_are_refused_over_the_wire_too() {
    let worker = Worker::with_vars(&[
        ("ADMIN_AUTH_MODE", "token"),
        ("ADMIN_TOKEN", crate::worker::ADMIN_TOKEN),
        ("IMPORT_MAX_ZIP_SIZE_MB", "1"),
    ]);
    let user = worker.user("UTC");
    let path = format!("/admin/users/{user}/import");
    let send = |content_type: &str, body: &[u8]| worker.admin().post_bytes(&path, content_type, body).unwrap();
    assert_eq!(send("application/zip", b"no zip at all").status, 422);
    assert_eq!(send("application/zip", b"").status, 422);
    assert_eq!(send("text/plain", b"PK\x03\x04").status, 422);
    assert_eq!(send("application/zip", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").status, 422);
    let archive = write_extended(&ExportPlan::small(23).live(), FieldSet::R4).unwrap();
    assert_eq!(send("application/zip", &archive[..archive.len() / 2]).status, 422);
    let mut large = archive;
    large.resize(1_200_000, 0);
    let refused = send("application/zip", &large);
    assert_eq!(refused.status, 413);
    assert!(refused.json()["detail"].as_str().unwrap().contains("1 MB"), "{}", refused.text());
    let nobody = worker.admin().post_bytes("/admin/users/99/import", "application/zip", b"PK\x03\x04").unwrap();
    assert_eq!(nobody.status, 404);
    assert_eq!(worker.number("SELECT count(*) FROM import_jobs"), 0);
    assert!(walk(&worker.state.join("v3").join("r2")).iter().all(|(path, _)| !path.contains("blobs")));
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return files };
    for entry in entries.flatten() {
        if entry.path().is_dir() {
            files.extend(walk(&entry.path()));
        } else if let Ok(bytes) = std::fs::read(entry.path()) {
            files.push((entry.path().to_string_lossy().into_owned(), bytes));
        }
    }
    files
}
