"""Sigma rules over exported events, by pySigma and SQLite: prints which rules fire how often, as JSON.

Usage: sigma_rules.py FOLDER-OF-RULES EVENTS.jsonl
"""

import json
import pathlib
import sqlite3
import sys

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection


def flat(value, name=""):
    """Members by their path; what lists hold is joined, as one column can hold it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        columns = {}
        for inner in value:
            for key, text in flat(inner, name):
                columns.setdefault(key, []).append(str(text))
        yield from ((key, ",".join(texts)) for key, texts in columns.items())
    elif value is not None:
        yield name, value


def table(events, fields):
    """The table `logs` that the queries read, with every column that an event or a rule names."""
    rows = [dict(flat(event)) | {"timestamp": event["eventTime"]} for event in events]
    columns = sorted({column for row in rows for column in row} | fields)
    database = sqlite3.connect(":memory:")
    quoted = ", ".join(f"`{column}`" for column in columns)
    database.execute(f"CREATE TABLE logs ({quoted})")
    places = ", ".join("?" for _ in columns)
    database.executemany(f"INSERT INTO logs VALUES ({places})", ([row.get(column) for column in columns] for row in rows))
    return database


# Of the records' members those that rules ask for and that no event of a run may have.
FIELDS = {"errorCode", "userAgent", "requestParameters.policy", "requestParameters.origin", "requestParameters.granteePrincipal"}


def main(folder, log):
    events = [json.loads(line) for line in pathlib.Path(log).read_text().splitlines()]
    database = table(events, FIELDS)
    fired = {}
    for path in sorted(pathlib.Path(folder).glob("*.yml")):
        rules = SigmaCollection.from_yaml(path.read_text())
        assert not rules.errors, (path, rules.errors)
        queries = sqliteBackend().convert(rules)
        # Of a file with a correlation the correlation alone is asked.
        name = rules.rules[-1].name
        assert len(queries) == 1, (path, queries)
        fired[name] = len(database.execute(queries[0]).fetchall())
    print(json.dumps({"events": len(events), "fired": fired}))


main(*sys.argv[1:])
