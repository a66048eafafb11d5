# Typed columns, one row a message: Snowpipe itself removes no duplicates. Columns as in the local warehouse.
resource "snowflake_view" "messages" {
  for_each = local.messages

  database = snowflake_database.this.name
  schema   = snowflake_schema.this.name
  name     = local.snowflake_names["view_${each.key}"]
  comment  = each.value.comment
  statement = trimspace(templatefile("${path.module}/sql/${each.value.view}", {
    table = snowflake_table.messages[each.key].fully_qualified_name
  }))
}
