"""What DuckDB makes of result pages, and what it sees in Parquet files.

    bench.py load <columns> <target> <page>...   pages of CSV into one Parquet file; prints how many seconds that took
    bench.py contents <columns> <file or pattern>   prints how many rows there are, and a checksum of all values

`columns` is a JSON object of names and DuckDB's types, in the order of the pages.
"""

import json
import sys
import time

import duckdb


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def load(columns, target, pages):
    types = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    files = ", ".join(literal(page) for page in pages)
    options = "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', nullstr = ''"
    started = time.perf_counter()
    connection = duckdb.connect()
    connection.execute(
        f"COPY (SELECT * FROM read_csv([{files}], columns = {{{types}}}, {options}))"
        f" TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)"
    )
    print(f"{time.perf_counter() - started:.6f}")


def contents(columns, files):
    spelled = {
        "BOOLEAN": "CAST({} AS VARCHAR)",
        "DATE": "CAST({} AS VARCHAR)",
        "TIMESTAMPTZ": "CAST(epoch_ms({}) AS VARCHAR)",
        "VARCHAR": "{}",
    }
    values = [spelled.get(kind, "CAST({} AS VARCHAR)").format(f'"{name}"') for name, kind in columns.items()]
    row = " || chr(31) || ".join(f"coalesce({value}, '')" for value in values)
    rows, checksum = duckdb.connect().execute(
        f"SELECT count(*), md5(string_agg(md5({row}), '' ORDER BY \"Id\")) FROM read_parquet({literal(files)})"
    ).fetchone()
    print(rows, checksum)


if __name__ == "__main__":
    columns = json.loads(sys.argv[2])
    if sys.argv[1] == "load":
        load(columns, sys.argv[3], sys.argv[4:])
    else:
        contents(columns, sys.argv[3])
