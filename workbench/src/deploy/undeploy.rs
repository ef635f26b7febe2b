//! Takes the Worker out of the account, with everything it stored.

use std::{io::Write, path::Path};

use super::{DeployError, Person, account, configuration::Configuration, database_id, exists, wrangler::Wrangler};

/// Deletes the Worker, its queues, its database and its bucket, after the person has typed the Worker's name.
///
/// # Errors
/// The first step that failed, or no confirmation. Running it again goes on from there.
pub fn undeploy(root: &Path, person: &mut dyn Person, out: &mut dyn Write) -> Result<(), DeployError> {
    let wrangler = Wrangler::new(root);
    let configuration = Configuration::read(root)?;
    let account = account(&wrangler)?;
    let Configuration {
        worker_name: worker, database_name: database, bucket_name: bucket, queue_names: queues, ..
    } = &configuration;
    writeln!(
        out,
        "This deletes from the account {account}, for good:\n  the Worker {worker} with its secrets\n  the database \
         {database} with the whole listening history\n  the bucket {bucket}\n  the queues {}\n\nA copy of the history \
         first:  npx wrangler d1 export {database} --remote --output {database}.sql\n",
        queues.join(", ")
    )?;
    let typed = person.asked(&format!("Type {worker} to delete it all: "));
    if typed.as_deref() != Some(worker.as_str()) {
        return Err(DeployError::new("Not confirmed: nothing was deleted."));
    }
    // The Worker first: it consumes the queues, and a queue with a consumer stays.
    let has_worker = wrangler.ask(&["secret", "list", "--name", worker, "--format", "json"])?.success;
    remove("Worker", worker, has_worker, &wrangler, &["delete", worker, "--force"], out)?;
    for queue in queues {
        let is_there = exists(&wrangler, &["queues"], queue)?;
        if is_there {
            // It may have gone with the Worker.
            wrangler.ask(&["queues", "consumer", "remove", queue, worker])?;
        }
        remove("Queue", queue, is_there, &wrangler, &["queues", "delete", queue], out)?;
    }
    let has_database = database_id(&wrangler, database)?.is_some();
    remove("Database", database, has_database, &wrangler, &["d1", "delete", database, "-y"], out)?;
    let has_bucket = exists(&wrangler, &["r2", "bucket"], bucket)?;
    remove("Bucket", bucket, has_bucket, &wrangler, &["r2", "bucket", "delete", bucket], out)?;
    writeln!(
        out,
        "\nAll gone. The secrets and settings of this machine are still in .deploy/: delete the folder if you want \
         nothing of it back."
    )?;
    Ok(())
}

fn remove(
    title: &str,
    name: &str,
    is_there: bool,
    wrangler: &Wrangler,
    arguments: &[&str],
    out: &mut dyn Write,
) -> Result<(), DeployError> {
    if !is_there {
        writeln!(out, "{title} {name}: not there.")?;
        return Ok(());
    }
    wrangler.run(arguments)?;
    writeln!(out, "{title} {name}: deleted.")?;
    Ok(())
}
