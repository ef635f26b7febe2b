//! From operations to an OpenAPI 3.1 document. It is rendered natively, by the test that keeps the golden file.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    domain::role::Role,
    http::{
        Access,
        path_id::MAX_ID,
        query::{Kind, Parameter},
        tests::every_operation,
    },
};

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a request carries.
pub enum Body {
    None,
    Json(SchemaOf),
    /// A ZIP, as it is or in a form.
    Archive,
}

/// What an answer carries.
enum Content {
    Nothing,
    Json(SchemaOf),
    /// A media type with text in it.
    Text(&'static str),
    /// JSON of any shape.
    AnyJson,
}

struct Answer {
    status: u16,
    text: &'static str,
    contents: Vec<Content>,
}

/// One method of one path.
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    id: &'static str,
    summary: &'static str,
    pub parameters: &'static [Parameter],
    pub body: Body,
    answers: Vec<Answer>,
}

impl Operation {
    fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self { method, path, id, summary, parameters: &[], body: Body::None, answers: Vec::new() }
    }

    pub fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("get", path, id, summary)
    }

    pub fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("post", path, id, summary)
    }

    pub fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("put", path, id, summary)
    }

    pub fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("patch", path, id, summary)
    }

    pub fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("delete", path, id, summary)
    }

    pub fn query(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    pub fn body<T: JsonSchema>(self) -> Self {
        Self { body: Body::Json(schemars::SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// A JSON object of a form that the documents describe.
    pub fn any_object(self) -> Self {
        Self { body: Body::Json(|_| schemars::json_schema!({ "type": "object" })), ..self }
    }

    pub fn archive(self) -> Self {
        Self { body: Body::Archive, ..self }
    }

    fn answer(mut self, status: u16, text: &'static str, contents: Vec<Content>) -> Self {
        self.answers.push(Answer { status, text, contents });
        self
    }

    pub fn answers<T: JsonSchema>(self, status: u16) -> Self {
        self.answer(status, "What was asked for.", vec![Content::Json(schemars::SchemaGenerator::subschema_for::<T>)])
    }

    /// JSON, or the same as a text of another type for those that ask for it.
    pub fn answers_also<T: JsonSchema>(self, status: u16, media_type: &'static str) -> Self {
        let json = Content::Json(schemars::SchemaGenerator::subschema_for::<T>);
        self.answer(status, "What was asked for.", vec![json, Content::Text(media_type)])
    }

    pub fn answers_text(self, media_type: &'static str) -> Self {
        self.answer(200, "What was asked for.", vec![Content::Text(media_type)])
    }

    pub fn answers_any_json(self) -> Self {
        self.answer(200, "What was asked for.", vec![Content::AnyJson])
    }

    pub fn answers_nothing(self) -> Self {
        self.answer(204, "It is done.", vec![Content::Nothing])
    }

    /// The state of things may forbid it.
    pub fn conflicts(self) -> Self {
        self.answer(409, "The state of things forbids it; the detail says which.", Vec::new())
    }

    /// It may need a setting that is missing.
    fn problems(&self) -> Vec<(u16, &'static str)> {
        let mut problems = vec![
            (401, "No credential, or a wrong one."),
            (
                403,
                "The credential is good, and not for this: its role is smaller than x-least-role, or it is one user's.",
            ),
            (422, "A value or parameter that is not understood."),
            (429, "Too many failed logins from this address."),
            (503, "A setting is missing or wrong."),
        ];
        if self.path.contains('{') {
            problems.push((404, "There is no such thing."));
        }
        if !matches!(self.body, Body::None) {
            problems.push((400, "The body cannot be read."));
            problems.push((413, "The body is too large."));
            problems.push((415, "The body is of another type."));
        }
        problems
    }

    fn render(&self, least: Role, generator: &mut SchemaGenerator) -> Value {
        let mut rendered = json!({ "operationId": self.id, "summary": self.summary, "x-least-role": least.name() });
        let parameters: Vec<Value> =
            path_parameters(self.path).chain(self.parameters.iter().map(query_parameter)).collect();
        if !parameters.is_empty() {
            rendered["parameters"] = parameters.into();
        }
        match self.body {
            Body::None => {}
            Body::Json(schema) => {
                let schema = schema(&mut incoming());
                rendered["requestBody"] =
                    json!({ "required": true, "content": { "application/json": { "schema": schema } } });
            }
            Body::Archive => rendered["requestBody"] = archive_body(),
        }
        let mut responses = Map::new();
        for (status, text) in self.problems() {
            responses.insert(status.to_string(), json!({ "description": text, "content": problem_content() }));
        }
        for answer in &self.answers {
            let mut response = json!({ "description": answer.text });
            if answer.status >= 400 {
                response["content"] = problem_content();
            }
            for content in &answer.contents {
                match content {
                    Content::Nothing => {}
                    Content::Json(schema) => {
                        response["content"]["application/json"] = json!({ "schema": schema(generator) });
                    }
                    Content::AnyJson => response["content"]["application/json"] = json!({ "schema": {} }),
                    Content::Text(media_type) => {
                        response["content"][*media_type] = json!({ "schema": { "type": "string" } });
                    }
                }
            }
            responses.insert(answer.status.to_string(), response);
        }
        responses.sort_keys();
        rendered["responses"] = responses.into();
        rendered
    }
}

fn problem_content() -> Value {
    json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } })
}

fn archive_body() -> Value {
    let binary = json!({ "type": "string", "format": "binary" });
    json!({
        "required": true,
        "content": {
            "application/zip": { "schema": binary },
            "multipart/form-data": {
                "schema": { "type": "object", "properties": { "file": binary }, "required": ["file"] }
            },
        },
    })
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names.map(|name| {
        let schema = match name {
            "job_type" => json!({ "type": "string", "enum": crate::store::job_runs::JobKind::NAMES }),
            "entry" => json!({ "type": "string", "enum": crate::jobs::schedule::SCHEDULE.map(|entry| entry.name) }),
            name if name.ends_with("_id") || name.ends_with("_index") => {
                json!({ "type": "integer", "minimum": i64::from(name.ends_with("_id")), "maximum": MAX_ID })
            }
            _ => json!({ "type": "string", "minLength": 1 }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    })
}

fn query_parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        Kind::Integer { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
        Kind::Instant => json!({ "type": "string", "format": "date-time" }),
        Kind::Text { most_chars } => json!({ "type": "string", "minLength": 1, "maxLength": most_chars }),
    };
    json!({ "name": parameter.name, "in": "query", "description": parameter.text, "schema": schema })
}

/// The whole document.
pub fn render(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.for_serialize().into_generator();
    let mut paths = Map::new();
    let routed = every_operation();
    for operation in operations {
        let least = routed.iter().find_map(|((path, method), access)| match access {
            Access::Admin(role)
                if *path == operation.path && method.as_str().eq_ignore_ascii_case(operation.method) =>
            {
                Some(*role)
            }
            _ => None,
        });
        // One that the router does not know fails another test.
        let rendered = operation.render(least.unwrap_or(Role::Admin), &mut generator);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = rendered;
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem_schema());
    schemas.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Listenlog admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Everything the person who runs a Listenlog may do, and the least role that each operation takes of \
                a token (x-least-role: viewer, operator or admin). Unknown query parameters are errors.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, { "password": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "password": { "type": "http", "scheme": "basic" },
            },
            "schemas": schemas,
        },
    })
}

/// Schemas of what is read: a field that may be left out is not required. They stand where they are used.
fn incoming() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.with(|settings| settings.inline_subschemas = true).into_generator()
}

/// RFC 9457, as every error is answered.
fn problem_schema() -> Value {
    let field = json!({
        "type": "object",
        "properties": { "field": { "type": "string" }, "detail": { "type": "string" } },
        "required": ["field", "detail"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string" },
            "request_id": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" },
            "errors": { "type": "array", "items": field },
        },
        "required": ["type", "title", "status", "detail", "request_id"],
    })
}
