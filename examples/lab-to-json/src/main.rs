//! A picture of a laboratory report in, typed JSON out: the answer is written by the schema of a Rust type, so that
//! reading it cannot fail on syntax.

mod arguments;
mod form;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use form::{LabTests, QUESTION};
use medgemma::{Device, GenerateOptions, Image, MedGemma, Message, NOTICE};
use medgemma_answers::{LabValue, lab_report};

/// Said before the shipped model says anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model, NOT MedGemma: it cannot read. Its JSON has the form \
that was asked for, and nothing of the report in it. For MedGemma, get the weights from Google and pass --model DIR.";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let report = Image::open(&arguments.image)?;
    if arguments.is_demonstration() {
        writeln!(io::stderr(), "{DEMONSTRATION}")?;
    }
    let device: Device = arguments.device.parse()?;
    let model = MedGemma::load(&arguments.model, &device)?;
    let message = Message::user().image(report).text(QUESTION);
    // As in the evaluation: the list at once, no reasoning before it.
    let schema = form::schema(arguments.tests)?.without_reasoning();
    let options = GenerateOptions::default()
        .with_max_new_tokens(arguments.max_new_tokens)
        .with_schema(schema);
    let tests: LabTests = model.chat().ask_with(message, &options)?.value;
    let json = serde_json::to_string_pretty(&tests)?;
    writeln!(io::stdout(), "{json}")?;
    Ok(outside(&json, tests.0.len(), &mut io::stderr())?)
}

/// How many tests there are, which of them lie outside of their range as it was read, and the notice: aside, so that
/// standard output is JSON and nothing else.
fn outside(json: &str, tests: usize, err: &mut impl Write) -> io::Result<()> {
    let read = lab_report(json);
    let mut compared = 0;
    for row in &read.rows {
        let (Some(outside), Some(range)) = (row.is_outside(), &row.range) else {
            continue;
        };
        compared += 1;
        if outside {
            let value = match &row.value {
                LabValue::Below(bound) => format!("<{bound}"),
                LabValue::Above(bound) => format!(">{bound}"),
                LabValue::Number(value) => value.to_string(),
                // Words are in no range.
                _ => continue,
            };
            let (name, range) = (&row.analyte, &range.text);
            writeln!(err, "outside of its range: {name} {value} ({range})")?;
        }
    }
    writeln!(err, "tests: {tests}, with a number and a range: {compared}")?;
    writeln!(err, "{NOTICE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_outside_of_the_range_beside_them_are_told() {
        let json = r#"[
            {"name": "Haemoglobin", "result": "10.2", "unit": "g/dL", "range": "12.0 - 16.0"},
            {"name": "White cells", "result": "7.4", "unit": "10^9/L", "range": "4.0 - 11.0"},
            {"name": "Potassium", "result": "5.9", "unit": "mmol/L", "range": "3.5 - 5.1"},
            {"name": "Troponin", "result": "22", "unit": "ng/L", "range": "< 14"},
            {"name": "Ferritin", "result": "> 1500", "unit": "ug/L", "range": "30 - 400"},
            {"name": "TSH", "result": "<0.01", "unit": "mIU/L", "range": "0.4 - 4.0"},
            {"name": "CRP", "result": "<5", "unit": "mg/L", "range": "0 - 10"},
            {"name": "Sodium", "result": "145", "unit": "mmol/L", "range": "135 - 145"},
            {"name": "Urea", "result": "7.1", "unit": "mmol/L", "range": null},
            {"name": "HIV", "result": "negative", "unit": null, "range": "negative"}]"#;
        let mut told = Vec::new();
        outside(json, 10, &mut told).expect("written");
        let told = String::from_utf8(told).expect("UTF-8");
        let expected = format!(
            "outside of its range: Haemoglobin 10.2 (12.0 - 16.0)\n\
             outside of its range: Potassium 5.9 (3.5 - 5.1)\n\
             outside of its range: Troponin 22 (< 14)\n\
             outside of its range: Ferritin >1500 (30 - 400)\n\
             outside of its range: TSH <0.01 (0.4 - 4.0)\n\
             tests: 10, with a number and a range: 8\n{NOTICE}\n"
        );
        assert_eq!(told, expected);
    }
}
