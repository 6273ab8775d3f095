"""Python's standard library: gzip, json, csv, zipfile. python_std.py FOLDER OUT jsonl|csv|gzip FROM TO [COUNTRY]"""
import csv
import gzip
import io
import json
import pathlib
import sys
import zipfile

COLUMNS = ["time", "uuid", "user", "country", "city", "os", "device", "n", "amount", "ok", "path", "props"]
folder, out, form, begin, end, *country = sys.argv[1:]
files = sorted(pathlib.Path(folder).iterdir())
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
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
                with gzip.open(path, "rb") as rows:
                    for line in rows:
                        row = json.loads(line)
                        if begin <= row["time"] < end and (not country or row["country"] == country[0]):
                            if form == "csv":
                                row["props"] = json.dumps(row["props"], ensure_ascii=False)
                                table.writerow([row[column] for column in COLUMNS])
                            else:
                                text.write(line.decode())
            text.detach()
