//! What the service answers, whatever the method; only these exact paths exist.

pub struct Backend {
    az: String,
    code_hash: String,
}

pub struct Answer {
    pub status: &'static str,
    pub content_type: &'static str,
    pub text: String,
}

impl Backend {
    pub fn new(az: String, code_hash: String) -> Self {
        Self { az, code_hash }
    }

    pub fn answer(&self, path: &str) -> Answer {
        match path {
            "/crystal" | "/crystal/" => Answer::plain("200 OK", self.hello()),
            "/crystal/api" | "/crystal/api/" => Answer {
                status: "200 OK",
                content_type: "application/json",
                text: self.json(),
            },
            "/health" => Answer::plain("200 OK", "Healthy!"),
            _ => Answer::plain("404 Not Found", "Not Found\n"),
        }
    }

    fn hello(&self) -> String {
        let Self { az, code_hash } = self;
        format!("Crystal backend: Hello! from {az} commit {code_hash}")
    }

    fn json(&self) -> String {
        let az = quote(&self.az);
        let commit = quote(self.code_hash.trim_end_matches(['\r', '\n']));
        format!(r#"{{"from":"Crystal backend", "message": {az}, "commit": {commit}}}"#)
    }
}

impl Answer {
    pub fn plain(status: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain",
            text: text.into(),
        }
    }
}

/// A JSON string.
fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..' ' => quoted += &format!("\\u{:04x}", u32::from(character)),
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}
