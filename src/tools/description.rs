//! How a tool is described to clients, from the registry and the types of its answer. It is rendered natively, by the test
//! that keeps the golden file: the Worker carries the file and none of what renders it.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    TOOLS, Tool,
    parameters::{DefaultValue, Parameter, ParameterKind},
};

/// All tools as `GET /mcp/tools` lists them, sorted by name.
pub fn catalogue() -> Value {
    TOOLS.iter().map(|tool| listed(tool)).collect()
}

fn listed(tool: &Tool) -> Value {
    let parameters: Vec<Value> = tool.parameters.iter().map(|parameter| listed_parameter(parameter)).collect();
    json!({
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "category": tool.category,
        "parameters": parameters,
        "input_schema": input_schema(tool.parameters),
        "output_schema": (tool.output_schema)(),
    })
}

fn listed_parameter(parameter: &Parameter) -> Value {
    let mut listed = Map::new();
    listed.insert("name".to_owned(), Value::from(parameter.name));
    listed.insert("required".to_owned(), Value::from(parameter.required));
    listed.insert("default".to_owned(), Value::Null);
    listed.extend(parameter_schema(parameter));
    Value::Object(listed)
}

/// The JSON schema of a tool's arguments.
pub fn input_schema(parameters: &[&Parameter]) -> Value {
    let property = |parameter: &&Parameter| (parameter.name.to_owned(), Value::Object(parameter_schema(parameter)));
    let properties: Map<String, Value> = parameters.iter().map(property).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let required: Vec<&str> =
        parameters.iter().filter(|parameter| parameter.required).map(|parameter| parameter.name).collect();
    if !required.is_empty() {
        schema["required"] = Value::from(required);
    }
    schema
}

/// The JSON schema of one argument.
pub fn parameter_schema(parameter: &Parameter) -> Map<String, Value> {
    let mut schema = Map::new();
    let mut put = |name: &str, value: Value| schema.insert(name.to_owned(), value);
    put("description", Value::from(parameter.description));
    match parameter.kind {
        ParameterKind::Integer { min, max } => {
            put("type", Value::from("integer"));
            put("minimum", Value::from(min));
            if max < i64::MAX {
                put("maximum", Value::from(max));
            }
        }
        ParameterKind::OneOf(words) => {
            put("type", Value::from("string"));
            put("enum", Value::from(words));
        }
        ParameterKind::Zone | ParameterKind::DateOrInstant => {
            put("type", Value::from("string"));
        }
        ParameterKind::Text { max_chars } => {
            put("type", Value::from("string"));
            put("minLength", Value::from(1));
            put("maxLength", Value::from(max_chars));
        }
    }
    match parameter.default {
        None => {}
        Some(DefaultValue::Integer(number)) => drop(put("default", Value::from(number))),
        Some(DefaultValue::Word(word)) => drop(put("default", Value::from(word))),
    }
    schema
}

/// The JSON schema of what a tool answers, in one piece: some assistants refuse references.
pub fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    plain(&mut schema);
    schema
}

/// Leaves out what only a Rust program understands (names of types, and formats of numbers), and gives each schema one type.
fn plain(schema: &mut Value) {
    if let Value::Object(members) = schema {
        if members.get("format").is_some_and(|format| format != "date-time") {
            members.remove("format");
        }
        if members.get("title").is_some_and(Value::is_string) {
            members.remove("title");
        }
        split_types(members);
        members.values_mut().for_each(plain);
    } else if let Value::Array(schemas) = schema {
        schemas.iter_mut().for_each(plain);
    }
}

/// A branch for each type instead of a list of types: clients that know one type a schema refuse the list, or the tool. What
/// is said about the value stays outside, where people's programs look for it.
fn split_types(schema: &mut Map<String, Value>) {
    let Some(types) = schema.get("type").and_then(Value::as_array).cloned() else { return };
    let description = schema.remove("description");
    let rules = std::mem::take(schema);
    let branch = |named: Value| {
        let mut branch = if named == "null" { Map::new() } else { rules.clone() };
        branch.insert("type".to_owned(), named);
        Value::Object(branch)
    };
    schema.extend(description.map(|description| ("description".to_owned(), description)));
    schema.insert("anyOf".to_owned(), types.into_iter().map(branch).collect());
}

#[test]
fn the_schema_says_what_the_check_does() {
    static NUMBER: Parameter = Parameter {
        name: "number",
        description: "A number.",
        kind: ParameterKind::Integer { min: 1, max: 9 },
        required: true,
        default: None,
    };
    static WORD: Parameter = Parameter {
        name: "word",
        description: "A word.",
        kind: ParameterKind::OneOf(&["red", "blue"]),
        required: false,
        default: Some(DefaultValue::Word("red")),
    };
    let schema = input_schema(&[&NUMBER, &WORD]);
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["number"]));
    assert_eq!(schema["properties"]["number"]["maximum"], 9);
    assert_eq!(schema["properties"]["word"]["default"], "red");
}

#[test]
fn what_may_be_null_has_a_branch_for_it() {
    let mut schema = json!({ "properties": {
        "hour": { "type": ["integer", "null"], "format": "uint8", "minimum": 0, "description": "The hour." },
    } });
    plain(&mut schema);
    let branches = json!([{ "type": "integer", "minimum": 0 }, { "type": "null" }]);
    assert_eq!(schema["properties"]["hour"], json!({ "description": "The hour.", "anyOf": branches }));
}
