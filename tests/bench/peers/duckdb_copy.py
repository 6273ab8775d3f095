"""DuckDB: COPY into a file, then zip. duckdb_copy.py FOLDER OUT jsonl|csv|gzip FROM TO [COUNTRY]"""
import os
import pathlib
import sys
import zipfile

import duckdb

folder, out, form, begin, end, *country = sys.argv[1:]
COLUMNS = "time, uuid, user, country, city, os, device, n, amount, ok, path, props"
if form == "gzip":
    # Nothing to select: the files, as they are.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(pathlib.Path(folder).iterdir()):
            archive.write(path, path.name)
    sys.exit()
work = out + ".work"
columns = "*" if form == "jsonl" else COLUMNS
target = "FORMAT json" if form == "jsonl" else "FORMAT csv, HEADER"
where = f" AND country = '{country[0]}'" if country else ""
duckdb.sql("SET threads = 2")
duckdb.sql(f"COPY (SELECT {columns} FROM read_ndjson('{folder}/*.gz', columns = "
           "{time: 'VARCHAR', uuid: 'VARCHAR', \"user\": 'VARCHAR', session: 'UBIGINT', country: 'VARCHAR', city: 'VARCHAR', "
           "os: 'VARCHAR', os_version: 'VARCHAR', device: 'VARCHAR', n: 'BIGINT', amount: 'DOUBLE', ok: 'BOOLEAN', "
           "path: 'VARCHAR', referrer: 'VARCHAR', ip_address: 'VARCHAR', library: 'VARCHAR', language: 'VARCHAR', "
           "carrier: 'VARCHAR', idfa: 'VARCHAR', props: 'JSON', user_properties: 'JSON', group_properties: 'JSON', "
           "data: 'JSON', server: 'VARCHAR'}) "
           f"WHERE time >= '{begin}' AND time < '{end}'{where}) TO '{work}' ({target})")
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
    archive.write(work, "events")
os.remove(work)
