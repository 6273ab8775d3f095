"""Polars: scan, filter, write, then zip. polars_zip.py FOLDER OUT csv FROM TO COUNTRY"""
import gzip
import os
import pathlib
import sys
import zipfile

import polars

COLUMNS = ["time", "uuid", "user", "country", "city", "os", "device", "n", "amount", "ok", "path", "props"]
folder, out, form, begin, end, country = sys.argv[1:]
assert form == "csv"
work = out + ".work"
with open(work, "wb") as target:
    for number, path in enumerate(sorted(pathlib.Path(folder).iterdir())):
        rows = polars.read_ndjson(gzip.decompress(path.read_bytes()))
        rows = rows.filter((polars.col("time") >= begin) & (polars.col("time") < end) & (polars.col("country") == country)).select(COLUMNS)
        rows = rows.with_columns(polars.col("props").struct.json_encode())
        rows.write_csv(target, include_header=number == 0)
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
    archive.write(work, "events")
os.remove(work)
