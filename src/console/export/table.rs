//! Tables as CSV and JSON.

use serde_json::{Map, Value};

use super::{Cell, Table};

/// RFC 4180: a line of column names, then a line a row; an absent value is an empty field.
pub fn csv(table: &Table) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().flexible(false).from_writer(Vec::new());
    writer.write_record(&table.columns)?;
    for row in &table.rows {
        writer.write_record(row.iter().map(field))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// An array of objects, one a row, its keys the columns' names.
pub fn json(table: &Table) -> Result<Vec<u8>, serde_json::Error> {
    let rows: Vec<Value> = table
        .rows
        .iter()
        .map(|row| Value::Object(table.columns.iter().cloned().zip(row.iter().map(value)).collect::<Map<_, _>>()))
        .collect();
    let mut bytes = serde_json::to_vec_pretty(&rows)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Absent => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Integer(number) => number.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Time(at) => at.to_string(),
    }
}

/// JSON knows no infinite number and no instant: the first is null, the second text.
fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Absent => Value::Null,
        Cell::Text(text) => Value::from(text.as_str()),
        Cell::Integer(number) => Value::from(*number),
        Cell::Number(number) => Value::from(*number),
        Cell::Time(at) => Value::from(at.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table() -> Table {
        let at = Cell::Time("2016-06-09T14:05:00Z".parse().expect("an instant"));
        Table {
            name: "loads".into(),
            columns: vec!["file".into(), "loaded at".into(), "size KiB".into(), "error".into()],
            rows: vec![
                vec![Cell::Text("hub/0/14-05".into()), at, Cell::Number(8.25), Cell::Absent],
                vec![Cell::Text("a,\"b\"".into()), Cell::Absent, Cell::Integer(3), Cell::Text("line 3:\nbad".into())],
            ],
        }
    }

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_absence_empty() {
        let text = String::from_utf8(csv(&table()).expect("rows are even")).expect("UTF-8");
        assert_eq!(
            text,
            "file,loaded at,size KiB,error\nhub/0/14-05,2016-06-09T14:05:00Z,8.25,\n\"a,\"\"b\"\"\",,3,\"line 3:\nbad\"\n"
        );
    }

    #[test]
    fn csv_refuses_a_row_with_a_missing_field() {
        let mut uneven = table();
        uneven.rows[0].pop();
        assert!(csv(&uneven).is_err());
    }

    #[test]
    fn json_keeps_types_and_absence() {
        let rows: Vec<Value> = serde_json::from_slice(&json(&table()).expect("serialises")).expect("parses");
        let first =
            json!({"file": "hub/0/14-05", "loaded at": "2016-06-09T14:05:00Z", "size KiB": 8.25, "error": null});
        assert_eq!(rows[0], first);
        assert_eq!(rows[1]["size KiB"], json!(3));
    }
}
