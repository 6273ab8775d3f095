"""Tests a deployed stack from outside, by HTTP alone, in five minutes: a line for each promise. Needs Python 3.9 or newer.

  DECANT_URL=https://... DECANT_TOKEN=dct_... python3 tests/smoke/run.py

DECANT_URL is the output ApiUrl of the stack, or your own domain. The token needs the privilege `edit`, and is sent to
nobody but the stack. Exports that are made are called "smoke test", and deleted in the end. It exits 1 if a promise is
broken, and 2 if it cannot begin.
"""
import argparse
import datetime
import http.client
import os
import sys
import tempfile
import uuid
import zipfile

import promises
import extras  # noqa: F401  (its promises come after those, and before the next)
import endings  # noqa: F401
from client import Broken, Client, LeftOut

# What it may take beyond the time that was given, to leave nothing behind.
SECONDS_TO_CLEAN = 30


class Run:
    """What is asked for, and what promises before have given."""

    def __init__(self, client, options, file):
        self.http, self.options, self.file = client, options, file
        self.found, self.made, self.key = {}, set(), None

    def window(self):
        end = self.options.begin + datetime.timedelta(hours=1)
        return {"from": f"{self.options.begin:%Y-%m-%dT%H:%M:%SZ}", "to": f"{end:%Y-%m-%dT%H:%M:%SZ}"}

    def body(self):
        return {"tables": [self.found.get("table", "")], "window": self.window(), "format": "csv", "name": "smoke test"}

    def make(self, body, key=None):
        """Makes an export, and looks whether the answer leads to it."""
        answer = self.ask_for(body, key)
        export = answer.json()
        answer.header("Location", export["id"])
        led = self.http.get(answer.headers["Location"]).expect(200).json()
        if led["id"] != export["id"]:
            raise Broken(f"{answer.headers['Location']} leads to the export {led['id']}, not to {export['id']}")
        return export

    def ask_for(self, body, key=None):
        answer = self.http.post("/v1/exports", body, Idempotency_Key=key or str(uuid.uuid4())).expect(202)
        self.made.add(answer.json()["id"])
        return answer

    def read(self, id):
        return self.http.get(f"/v1/exports/{id}").expect(200).json()

    def finished(self, id):
        def ended():
            export = self.read(id)
            return export["status"] not in ("queued", "running") and export
        export = self.http.until(f"the end of the export {id}", ended)
        if export["status"] != "succeeded":
            raise Broken(f"the export {id} is {export['status']}: {export.get('failure', 'no reason is given')}")
        return export

    def path(self, rest):
        return f"/v1/exports/{self.found['done']['id']}{rest}"

    def link(self, rest):
        return self.http.get(self.path(rest)).expect(302).headers["Location"]

    def must_be(self, answer, status):
        if answer.status != status:
            said = answer.read(400).decode(errors="replace")
            raise Broken(f"{answer.what} was answered {answer.status}, not {status}: {said}")

    def same_range(self, link, begin, length):
        """Compares a range of what a link leads to with the archive that was downloaded before."""
        length = min(length, self.found["size"] - begin)
        self.file.seek(begin)
        with self.http.open("GET", link, token="", Range=f"bytes={begin}-{begin + length - 1}") as answer:
            self.must_be(answer, 206)
            while length:
                block = answer.read(min(length, 1 << 20))
                if not block or block != self.file.read(len(block)):
                    raise Broken(f"{answer.what} gave other bytes than the first download, or too few, before "
                                 f"byte {self.file.tell()}")
                length -= len(block)

    def same_beginning(self, link, bytes):
        with self.http.open("GET", link, token="") as answer:
            self.must_be(answer, 200)
            if answer.read(len(bytes)) != bytes:
                raise Broken(f"{answer.what} does not begin with {bytes}")

    def clean(self):
        """Deletes what was made, or cancels it."""
        for id in sorted(self.made):
            for method, path in (("POST", f"/v1/exports/{id}/cancel"), ("DELETE", f"/v1/exports/{id}")):
                self.http.send(method, path)


def tried(run, needs, function):
    """Returns how a promise went: a word and a reason."""
    missing = [need for need in needs if need not in run.found]
    if missing:
        return "left out", f"it needs what a promise above did not give ({', '.join(missing)})"
    try:
        return "ok", function(run)
    except LeftOut as reason:
        return "left out", str(reason)
    except Broken as reason:
        return "BROKEN", str(reason)
    except (OSError, http.client.HTTPException) as error:
        return "BROKEN", f"an answer broke off: {error!r}"
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, zipfile.BadZipFile) as error:
        return "BROKEN", f"an answer is not what GET /v1/openapi.json describes: {error!r}"


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--table", help="the table that is exported; without it, the first that GET /v1/tables lists")
    add("--from", dest="begin", type=instant, help="where the hour begins, in UTC; without it, a day ago")
    add("--workspace", help="which of the token's workspaces, if it is for several")
    add("--seconds", type=int, default=300, help="when to give up (300)")
    add("--quick", action="store_true", help="does not wait until the janitor has removed what was deleted")
    add("--callback", metavar="URL", help="a server that takes a callback")
    add("--copy-to", metavar="s3://BUCKET/PREFIX", help="where an export is copied to, with --copy-role")
    add("--copy-role", metavar="ARN", help="the role by which it is copied: see docs/copies.md")
    add("--amplitude", action="store_true", help="asks in the Amplitude dialect, too, with the same token")
    found = parser.parse_args()
    if bool(found.copy_to) != bool(found.copy_role):
        parser.error("--copy-to and --copy-role go together")
    day_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    found.begin = found.begin or day_ago.replace(minute=0, second=0, microsecond=0)
    return parser, found


def instant(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def main():
    parser, wanted = options()
    url, token = (os.environ.get(name, "").strip() for name in ("DECANT_URL", "DECANT_TOKEN"))
    if not url.startswith(("https://", "http://")) or not token:
        parser.error("set DECANT_URL to the output ApiUrl of the stack, and DECANT_TOKEN to a token (API=... and "
                     "TOKEN=... of make)")
    if not token.isascii() or not token.isprintable() or " " in token:
        parser.error("the token has characters that no token has: set it as it was shown")
    client = Client(url.rstrip("/"), token, wanted.workspace, wanted.seconds)
    broken = []
    with tempfile.TemporaryFile() as file:
        run = Run(client, wanted, file)
        for text, needs, function in promises.ALL:
            word, reason = tried(run, needs, function)
            line = f"{word:9} {text}" + (f": {client.hide(reason)}" if reason else "")
            print(line, flush=True)
            if word == "BROKEN":
                broken.append(line)
        client.end += SECONDS_TO_CLEAN
        word, reason = tried(run, (), Run.clean)
        if word != "ok":
            print(client.hide(f"What was made is not deleted: {reason}"))
    if not broken:
        print("No promise is broken.")
        return 0
    print(f"\n{len(broken)} of {len(promises.ALL)} promises broken:", *broken, sep="\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
