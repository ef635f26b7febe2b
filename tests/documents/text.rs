//! Links between documents, and words that have no business in a public repository.

use std::collections::BTreeSet;

use crate::repository::{files, files_ending, read, root};

/// A heading as a link names it.
fn anchor(heading: &str) -> String {
    let plain = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = plain.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.collect::<String>().replace(' ', "-")
}

/// The document's text without its code blocks.
fn prose(document: &str) -> String {
    read(document).split("```").step_by(2).collect()
}

fn anchors(document: &str) -> BTreeSet<String> {
    prose(document).lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let documents = files_ending(".md");
    assert!(documents.len() >= 4);
    for document in documents {
        let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
        let text = prose(&document);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.clone() } else { format!("{folder}/{file}") };
            let target = target.trim_start_matches('/');
            assert!(root().join(target).exists(), "{document} links to {link}");
            assert!(part.is_empty() || anchors(target).contains(part), "{document} links to {link}");
        }
    }
}

#[test]
fn no_file_tells_of_the_machine_it_was_written_on() {
    // In two halves each, so that this file does not tell either.
    let places = [["/ro", "ot/"], ["/wo", "rk/"], ["/tmp", "/wt"]].map(|halves| halves.concat());
    for file in files() {
        let text = read(&file);
        for place in &places {
            assert!(!text.contains(place.as_str()), "{file} names {place}");
        }
    }
}
