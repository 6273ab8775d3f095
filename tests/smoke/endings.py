"""The promises about the end of an archive, which come last."""
from client import Broken, LeftOut
from promises import promise


@promise("an export that is deleted cannot be downloaded", "done")
def delete(run):
    link = run.link("/download")
    run.http.link(link, Range="bytes=0-0").expect(206)
    run.found["old_link"] = link
    run.http.send("DELETE", run.path("")).expect(204)
    run.http.get(run.path("/download")).expect(410, code="export_deleted")
    status = run.read(run.found["done"]["id"])["status"]
    if status != "deleted":
        raise Broken(f"its status is {status}")
    run.found["deleted"] = True


@promise("the janitor removes its archive within a minute or two", "deleted")
def removed(run):
    if run.options.quick:
        raise LeftOut("--quick")

    def gone():
        answer = run.http.link(run.found["old_link"], Range="bytes=0-0")
        # S3 answers 403 instead of 404 to those who may not list the bucket. A link that has ended shows nothing.
        if b"expired" in answer.body:
            raise Broken("the link to it ended before that: is there a janitor, and does it run each minute?")
        return answer.status in (403, 404)
    run.http.until("its removal", gone)
