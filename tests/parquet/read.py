"""Reads a table of files as docs/destinations.md says: Parquet by DuckDB and by pyarrow, text by DuckDB's view.

The argument is the table's folder. Standard input has what is expected, as JSON: `rows`, in the order of their keys, and
`types`, by column, as DuckDB and as pyarrow call them. What DuckDB finds as text and is expected as JSON is read as such. Whatever differs is said, and is a failure.
"""

import datetime
import decimal
import json
import pathlib
import sys

import duckdb
import pyarrow as pa
import pyarrow.dataset

EPOCH = datetime.datetime(1970, 1, 1)
MILLIS = {"s": 1000, "ms": 1, "us": 1 / 1000, "ns": 1 / 1_000_000}


def moment(value, unit):
    millis = round(value * MILLIS[unit])
    at = EPOCH + datetime.timedelta(milliseconds=millis)
    return f"{at.year:04}-{at.month:02}-{at.day:02}T{at:%H:%M:%S}.{millis % 1000:03}Z"


def spell(value, kind):
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return moment(value, kind.unit)
    if pa.types.is_date(kind):
        return moment(value * 86_400_000, "ms")[:10]
    if pa.types.is_time(kind):
        return moment(value, kind.unit)[11:23]
    if pa.types.is_decimal(kind):
        text = format(decimal.Decimal(value), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value


def plain(column):
    if pa.types.is_timestamp(column.type) or pa.types.is_time64(column.type):
        return column.cast(pa.int64()).to_pylist()
    if pa.types.is_date32(column.type) or pa.types.is_time32(column.type):
        return column.cast(pa.int32()).to_pylist()
    return column.to_pylist()


def rows(table):
    columns = [[spell(value, column.type) for value in plain(column)] for column in table.columns]
    found = [dict(zip(table.column_names, row)) for row in zip(*columns)]
    return sorted(found, key=lambda row: (row["_connection"], row["Id"]))


def like(row, wanted):
    """JSON that stands in JSON Lines as it is comes as text."""
    return {
        name: json.loads(value) if isinstance(value, str) and isinstance(wanted.get(name), (dict, list)) else value
        for name, value in row.items()
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    wanted = json.load(sys.stdin)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")

        def query(sql):
            return database.execute(sql).to_arrow_table()

        database.execute((folder / "view.sql").read_text())
        view = '"' + json.loads((folder / "current.json").read_text())["table"].replace('"', '""') + '"'
        by_view = rows(query(f"SELECT * FROM {view}"))
        if len(by_view) == len(wanted["rows"]):
            by_view = [like(row, expected) for row, expected in zip(by_view, wanted["rows"])]
        found = {"DuckDB, by the view": by_view}
        described = database.execute(f"DESCRIBE {view}").fetchall()
        files = json.loads((folder / "current.json").read_text())["files"]
        if files[0].endswith(".parquet"):
            by_folder = f"SELECT * FROM read_parquet('{folder}/current/*.parquet')"
            found["DuckDB, by the folder"] = rows(query(by_folder))
            below = f"SELECT * FROM read_parquet('{folder}/current/**/*.parquet')"
            found["DuckDB, below the folder"] = rows(query(below))
            dataset = pyarrow.dataset.dataset(folder / "current")
            found["pyarrow, by the folder"] = rows(dataset.to_table())
            found["pyarrow, by the list"] = rows(pyarrow.dataset.dataset(files).to_table())
            types = {name: [kind, str(dataset.schema.field(name).type)] for name, kind, *_ in described}
        else:
            types = {name: [kind, wanted["types"][name][1]] for name, kind, *_ in described}
    failures = [f"{reader}:\n{actual}\ninstead of\n{wanted['rows']}" for reader, actual in found.items() if actual != wanted["rows"]]
    if types != wanted["types"]:
        failures.append(f"types:\n{types}\ninstead of\n{wanted['types']}")
    sys.exit("\n".join(failures) or None)


main()
