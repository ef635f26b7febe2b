//! What would be uploaded: wrangler takes it, and it is small.

use std::{fs, process::Command};

use listenlog_workbench::{deploy::configuration_to_try, runtime::repository};

/// For the compressed module with its JavaScript, so that it does not grow unnoticed. The free plan takes 3 MB.
const MAX_GZIP_BYTES: f64 = 1_035_000.0;

#[test]
fn wrangler_takes_what_is_deployed_and_the_module_is_below_its_bound() {
    let root = repository();
    let configuration = root.join("build/wrangler.toml");
    fs::write(&configuration, configuration_to_try(&root).unwrap()).unwrap();
    let output = Command::new(root.join("node_modules/.bin/node"))
        .arg(root.join("node_modules/wrangler/bin/wrangler.js"))
        .args(["deploy", "--dry-run", "--outdir"])
        .arg(root.join("build/dry-run"))
        .arg("-c")
        .arg(configuration)
        .current_dir(&root)
        .envs([("CI", "1"), ("NO_COLOR", "1"), ("WRANGLER_SEND_METRICS", "false")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    let gzip_kib = said.split("gzip: ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    let gzip_bytes = gzip_kib.unwrap_or_else(|| panic!("no size in\n{said}")) * 1024.0;
    println!("The module is {gzip_bytes:.0} bytes, compressed; at most {MAX_GZIP_BYTES:.0}.");
    assert!(gzip_bytes <= MAX_GZIP_BYTES, "{gzip_bytes} bytes");
}
