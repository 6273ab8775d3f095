"""The promises that the smoke test tries, in order. Each is a function whose first line says what is promised: it
returns what is worth knowing, and raises `Broken` or `LeftOut` otherwise."""
import concurrent.futures
import hashlib
import uuid
import zipfile
import zlib

from client import Broken, LeftOut

BODY_LIMIT = 256 << 10
# An archive is kept on this machine's disk while it is looked at.
MOST_ARCHIVE = 1 << 30
ALL = []


def promise(text, *needs):
    """Adds a promise, which is tried only if those before it have given `needs`."""
    def add(function):
        ALL.append((text, needs, function))
        return function
    return add


@promise("whoever has no token is refused")
def no_token(run):
    run.http.get("/v1/tables", token="").expect(401, code="token_missing")


@promise("a wrong token is refused")
def wrong_token(run):
    other = run.http.token[:-1] + ("0" if run.http.token[-1:] != "0" else "1")
    run.http.keep_secret(other)
    for token in ("dct_wrong", other):
        run.http.get("/v1/tables", token=token).expect(401, code="token_invalid")


@promise("the token that was given opens a workspace")
def right_token(run):
    run.found["workspace"] = run.http.get("/v1/workspace").expect(200).json()
    return run.found["workspace"]["workspace"]


@promise("an unknown path is answered 404, and says so")
def unknown_path(run):
    run.http.get("/v1/there-is-no-such-path", token="").expect(404, code="route_not_found")


@promise("the API describes itself")
def description(run):
    answer = run.http.get("/v1/openapi.json", token="").expect(200)
    answer.header("Cache-Control", "public")
    document = answer.json()
    return f"OpenAPI {document['openapi']}, at {document['servers'][0]['url']}"


@promise("the console answers")
def console(run):
    answer = run.http.get("/console/sign-in", token="", Accept="text/html").expect(200)
    answer.header("Content-Type", "text/html")


@promise("every answer has an X-Request-Id", "workspace")
def request_ids(run):
    for answer in (run.http.get("/v1/limits").expect(200), run.http.get("/v1/limits", token="").expect(401),
                   run.http.get("/v1/there-is-no-such-path", token="").expect(404)):
        answer.header("X-Request-Id", "")


@promise("a body that is too large is refused", "workspace")
def large_body(run):
    body = b'{"name":"' + b"a" * BODY_LIMIT + b'"}'
    run.http.post("/v1/exports", body).expect(413, code="body_too_large")


@promise("a request that is wrong is told where", "workspace")
def wrong_request(run):
    body = run.body() | {"tables": ["there is no such table"]}
    answer = run.http.post("/v1/exports", body).expect(400, code="invalid_request").json()
    if not any(fault["pointer"] == "/tables/0" for fault in answer["errors"]):
        raise Broken(f"the fault of /tables/0 is not in {answer['errors']}")


@promise("tables are listed", "workspace")
def tables(run):
    names = [table["name"] for table in run.http.get("/v1/tables").expect(200).json()["tables"]]
    if not names:
        raise Broken("there are none: check the catalog by the action check_catalog, see docs/deploy.md")
    if run.options.table not in (None, *names):
        raise Broken(f"there is no table {run.options.table}, but {', '.join(names)}")
    run.found["table"] = run.options.table or names[0]
    return ", ".join(names)


@promise("an export is explained before it is made", "table")
def explain(run):
    table = run.http.post("/v1/explain", run.body()).expect(200).json()["tables"][0]
    return f"{sum(way['objects'] for way in table['ways'])} objects of {table['table']}"


@promise("the first rows are shown before an export is made", "table")
def preview(run):
    run.http.post("/v1/preview", run.body()).expect(200)


@promise("an export of one hour is made", "table")
def create(run):
    run.key = str(uuid.uuid4())
    export = run.make(run.body(), run.key)
    run.found["export"] = export
    return f"{export['id']}: {run.found['table']} from {run.body()['window']['from']}"


@promise("the same request with its Idempotency-Key makes no second export", "export")
def again(run):
    same = run.make(run.body(), run.key)["id"]
    if same != run.found["export"]["id"]:
        raise Broken(f"another export was made: {same}")


@promise("two such requests at the same moment make one export", "export")
def at_once(run):
    key = str(uuid.uuid4())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = {export["id"] for export in pool.map(lambda _: run.make(run.body(), key), range(2))}
    if len(made) > 1:
        raise Broken(f"both made one: {' and '.join(sorted(made))}")


@promise("another request with that Idempotency-Key is refused", "export")
def other_request(run):
    body = run.body() | {"format": "jsonl"}
    run.http.post("/v1/exports", body, Idempotency_Key=run.key).expect(422, code="idempotency_key_reused")


@promise("an export can be cancelled", "table")
def cancel(run):
    made = run.ask_for(run.body()).json()
    answer = run.http.post(f"/v1/exports/{made['id']}/cancel").expect(200, 409)
    if answer.status == 409:
        answer.expect(409, code="export_finished")
        return "it had ended before"
    status = run.read(made["id"])["status"]
    if status != "cancelled":
        raise Broken(f"the export {made['id']} was cancelled, and is {status}")


@promise("the export is finished", "export")
def finish(run):
    done = run.finished(run.found["export"]["id"])
    run.found["done"] = done
    rows = done["archive"].get("rows")
    return f"{rows} rows, {done['archive']['size_bytes']} bytes" + (
        "; choose an hour with rows by --from, so that the promises below say more" if rows == 0 else "")


@promise("the list shows it", "done")
def listed(run):
    exports = run.http.get("/v1/exports?status=succeeded&limit=100").expect(200).json()["exports"]
    if run.found["done"]["id"] not in [export["id"] for export in exports]:
        raise Broken(f"the export {run.found['done']['id']} is not among the newest {len(exports)}")


@promise("its archive is downloaded through a redirect, whole", "done")
def download(run):
    archive = run.found["done"]["archive"]
    if archive["size_bytes"] > MOST_ARCHIVE:
        raise LeftOut(f"it has {archive['size_bytes']} bytes: choose a smaller --table, or another hour by --from")
    lead = run.http.get(run.path("/download")).expect(302)
    lead.header("Cache-Control", "no-store")
    size = crc = 0
    with run.http.open("GET", lead.headers["Location"], token="") as answer:
        run.must_be(answer, 200)
        while block := answer.read(1 << 20):
            run.http.seconds_left()
            run.file.write(block)
            size, crc = size + len(block), zlib.crc32(block, crc)
    if (size, f"{crc:08x}") != (archive["size_bytes"], archive.get("crc32", f"{crc:08x}")):
        raise Broken(f"{size} bytes with the CRC-32 {crc:08x} came, not what the export says: {archive}")
    run.found["size"] = size


@promise("every file in the ZIP is whole: its CRC-32 is right", "size")
def crcs(run):
    with zipfile.ZipFile(run.file) as archive:
        damaged = archive.testzip()
        if damaged:
            raise Broken(f"{damaged} is damaged: its bytes have another CRC-32 than the ZIP says")
        run.found["members"] = {file.filename: (file.file_size, f"{file.CRC:08x}") for file in archive.infolist()}
    return ", ".join(run.found["members"])


@promise("?redirect=false shows the link, which works without a token", "size")
def shown(run):
    answer = run.http.get(run.path("/download?redirect=false")).expect(200)
    answer.header("Cache-Control", "no-store")
    run.found["link"] = answer.json()["url"]
    run.same_range(run.found["link"], 0, 4)


@promise("S3 refuses a request that sends a token along", "link")
def both(run):
    run.http.link(run.found["link"], Authorization="Bearer none").expect(400)


@promise("HEAD leads to the size of the archive", "size")
def head(run):
    lead = run.http.send("HEAD", run.path("/download")).expect(302)
    answer = run.http.link(lead.headers["Location"], method="HEAD").expect(200)
    answer.header("Content-Length", str(run.found["size"]))


@promise("a download that broke off goes on", "size")
def resume(run):
    half = run.found["size"] // 2
    with run.http.open("GET", run.link("/download"), token="") as answer:
        run.must_be(answer, 200)
        answer.read(min(half, 1 << 16))
    # By another link, as after five minutes.
    run.same_range(run.link("/download"), half, run.found["size"] - half)


@promise("its receipt names the same files", "members")
def receipt(run):
    signed = run.found["done"]["archive"].get("receipt")
    if not signed:
        raise Broken("the export has no receipt: look in the builder's log")
    answer = run.http.link(run.link("/receipt")).expect(200)
    if len(answer.body) == signed["size_bytes"] and hashlib.sha256(answer.body).hexdigest() != signed["sha256"]:
        raise Broken(f"it has another SHA-256 than the export says: {signed['sha256']}")
    if len(answer.body) < signed["size_bytes"]:
        raise LeftOut(f"it has {signed['size_bytes']} bytes: choose a smaller --table, or another hour by --from")
    files = {file["name"]: (file["size_bytes"], file["crc32"]) for file in answer.json()["files"]}
    if files != run.found["members"]:
        raise Broken(f"it says {files}, and the ZIP {run.found['members']}")
    return "signed" if signed.get("signature") else "not signed, as SignReceipts says"


@promise("a share opens without a token", "size")
def share(run):
    made = run.http.post(run.path("/shares"), {"note": "smoke test"}).expect(201).json()
    run.http.keep_secret(made["url"].rsplit("/", 1)[1])
    run.found["share"] = made
    lead = run.http.link(made["url"], what="GET of the share").expect(302)
    lead.header("Cache-Control", "no-store")
    run.same_range(lead.headers["Location"], 0, 4)


@promise("a share that is revoked is refused", "share")
def revoke(run):
    run.http.send("DELETE", run.path(f"/shares/{run.found['share']['id']}")).expect(204)
    run.http.link(run.found["share"]["url"], what="GET of the share").expect(410, code="link_revoked")
