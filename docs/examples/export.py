"""Makes an export of one table, waits for it, and downloads it. Needs Python 3.9 or newer, and nothing else.

  DECANT_URL=https://... DECANT_TOKEN=dct_... python3 export.py liferay_page 2026-03-01T00:00:00Z 2026-04-01T00:00:00Z
"""
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
import uuid


def api(url, body=None, **headers):
    """Returns the answer's JSON, and in how many seconds it may change."""
    headers["Authorization"] = "Bearer " + os.environ["DECANT_TOKEN"]
    if body is not None:
        body = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data=body, headers=headers)
    for attempt in range(6):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer), int(answer.headers.get("Retry-After", "0"))
        except urllib.error.HTTPError as error:
            # 429 and 503 say when to come back. Anything else is told as a JSON document.
            if error.code not in (429, 503) or attempt == 5:
                sys.exit(error.read().decode())
            time.sleep(int(error.headers.get("Retry-After", "5")))


def main(table, begin, end):
    wanted = {"tables": [table], "window": {"from": begin, "to": end}, "format": "csv", "name": table}
    # With a key, a request that is sent again makes no second export.
    key = {"Idempotency-Key": str(uuid.uuid4())}
    export, wait = api(os.environ["DECANT_URL"] + "/v1/exports", wanted, **key)
    while export["status"] in ("queued", "running"):
        time.sleep(wait)
        export, wait = api(export["links"]["self"])
    if export["status"] != "succeeded":
        sys.exit(json.dumps(export, indent=2))

    # urllib would send the token on to S3, which refuses it. So this asks for the link, and follows it without.
    link, _ = api(export["links"]["download"] + "?redirect=false")
    with urllib.request.urlopen(link["url"], timeout=60) as archive, open(f"{table}.zip", "wb") as file:
        shutil.copyfileobj(archive, file)
    print(f"{table}.zip: {export['archive']['rows']} rows")


if __name__ == "__main__":
    main(*sys.argv[1:])
