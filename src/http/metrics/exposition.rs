//! Prometheus' text format, for gauges of whole numbers.

/// Collects families and their samples.
#[derive(Default)]
pub struct Exposition {
    text: String,
    family: &'static str,
}

impl Exposition {
    /// Begins a family; the samples that follow are its own.
    pub fn family(&mut self, name: &'static str, help: &'static str) {
        self.family = name;
        self.text.extend(["# HELP ", name, " ", help, "\n# TYPE ", name, " gauge\n"]);
    }

    pub fn sample(&mut self, labels: &[(&str, &str)], value: i64) {
        self.text.push_str(self.family);
        for (position, (name, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.text.extend([if position == 0 { "{" } else { "," }, name, "=\"", &value, "\""]);
        }
        self.text.extend([if labels.is_empty() { " " } else { "} " }, &value.to_string(), "\n"]);
    }

    pub fn finish(self) -> String {
        self.text
    }
}
