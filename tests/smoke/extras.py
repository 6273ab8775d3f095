"""The promises that need something besides a token: a server, a bucket, or the table of a dialect."""
import base64
import urllib.parse

from client import Broken, LeftOut
from promises import promise


@promise("a callback is posted and taken", "workspace", "table")
def callback(run):
    url = run.options.callback
    if not url:
        raise LeftOut("--callback URL tries it")
    secrets = run.http.get("/v1/workspace").expect(200).json()["signing_secrets"]
    own = None if secrets else run.http.post("/v1/workspace/signing-secrets").expect(201).json()
    if own:
        run.http.keep_secret(own["secret"])
    try:
        export = run.make(run.body() | {"callback": {"url": url}})
        path = f"/v1/exports/{export['id']}/deliveries"
        first = run.http.until("its delivery", lambda: run.http.get(path).expect(200).json()["deliveries"])[-1]
        if not first["delivered"]:
            raise Broken(f"the server did not take it: {first}")
    finally:
        if own:
            run.http.send("DELETE", f"/v1/workspace/signing-secrets/{own['id']}")


@promise("an export is copied into a bucket", "workspace", "table")
def copy(run):
    to, role = run.options.copy_to, run.options.copy_role
    if not to:
        raise LeftOut("--copy-to s3://BUCKET/PREFIX --copy-role ARN tries it")
    target = urllib.parse.urlsplit(to)
    wanted = {"bucket": target.netloc, "prefix": target.path.lstrip("/"), "role_arn": role}
    export = run.make(run.body() | {"copy": wanted})
    run.finished(export["id"])

    def ended():
        found = run.read(export["id"])["copy"]
        return found["status"] in ("succeeded", "failed") and found
    found = run.http.until("the end of the copy", ended)
    if found["status"] == "failed":
        raise Broken(f"S3 says: {found.get('failure') or found['failed_files']}; the external id of the role is "
                     f"{run.found['workspace']['external_id']}, and docs/copies.md says what it needs")
    return f"{found['files_done']} files below {to}"


@promise("the Amplitude dialect answers a ZIP", "table")
def amplitude(run):
    if not run.options.amplitude:
        raise LeftOut("--amplitude tries it, if the catalog has the table amplitude_events")
    hour = run.window()["from"][:13].replace("-", "")
    url = f"/api/2/export?start={hour}&end={hour}&redirect=false"
    # The key pair of a token is its id and itself.
    pair = base64.b64encode(f"{run.http.token.split('_')[1]}:{run.http.token}".encode()).decode()
    run.http.keep_secret(pair)

    def answered():
        answer = run.http.get(url, Authorization=f"Basic {pair}")
        return None if answer.status == 503 else answer
    answer = run.http.until("its answer", answered).expect(200, 404)
    if answer.status == 404:
        if b"Raw data files were not found." not in answer.body:
            answer.expect(200)
        return "there are no events in this hour"
    run.same_beginning(answer.json()["url"], b"PK")
