"""Python with orjson and isal. python_fast.py FOLDER OUT jsonl|csv|gzip FROM TO [COUNTRY]"""
import csv
import io
import pathlib
import sys
import zipfile

import orjson
from isal import igzip, isal_zlib

COLUMNS = ["time", "uuid", "user", "country", "city", "os", "device", "n", "amount", "ok", "path", "props"]
folder, out, form, begin, end, *country = sys.argv[1:]
files = sorted(pathlib.Path(folder).iterdir())


class Fast(zipfile.ZipFile):
    """Compresses with ISA-L, whose highest level is 3."""


zipfile._get_compressor = lambda kind, level=None: isal_zlib.compressobj(2, isal_zlib.DEFLATED, -15)
with Fast(out, "w", zipfile.ZIP_DEFLATED) as archive:
    if form == "gzip":
        for path in files:
            archive.write(path, path.name)
    else:
        with archive.open("events", "w", force_zip64=True) as member:
            text = io.TextIOWrapper(member, "utf-8", newline="")
            table = csv.writer(text, lineterminator="\n")
            if form == "csv":
                table.writerow(COLUMNS)
                for path in files:
                    with igzip.open(path, "rb") as rows:
                        for line in rows:
                            row = orjson.loads(line)
                            if begin <= row["time"] < end and (not country or row["country"] == country[0]):
                                row["props"] = orjson.dumps(row["props"]).decode()
                                table.writerow([row[column] for column in COLUMNS])
                text.detach()
            else:
                text.detach()
                for path in files:
                    with igzip.open(path, "rb") as rows:
                        member.write(b"".join(line for line in rows if begin <= orjson.loads(line)["time"] < end))
