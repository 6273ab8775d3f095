"""HTTP for the smoke test: redirects are not followed, every request has an end, and nothing that is printed has a secret."""
import json
import time
import urllib.error
import urllib.parse
import urllib.request

REQUEST_SECONDS = 60
# What is read of an answer that is no download: no answer of the API has more.
MOST_BYTES = 8 << 20
HERE = ("localhost", "127.0.0.1", "::1")


class Broken(Exception):
    """A promise was not kept: what was seen instead, and what to do."""


class LeftOut(Exception):
    """A promise was not tried, and why."""


class Answer:
    def __init__(self, what, status, headers, body):
        self.what, self.status, self.headers, self.body = what, status, headers, body

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Broken(f"{self.what} was answered {self.status} with a body that is not JSON") from None

    def code(self):
        """The code of a problem, empty where the body is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return ""
        return found.get("code", "") if isinstance(found, dict) else ""

    def expect(self, *statuses, code=None):
        """Returns itself if it has one of these statuses, and this code."""
        if self.status in statuses and code in (None, self.code()):
            return self
        wanted = " or ".join(map(str, statuses)) + (f" {code}" if code else "")
        # What a gateway or S3 says instead is no problem document: its beginning will do.
        said = self.body[:400].decode(errors="replace") or "no body"
        raise Broken(f"{self.what} was answered {self.status}, not {wanted}: {said}")

    def header(self, name, wanted):
        found = self.headers.get(name)
        if found is None or wanted not in found:
            raise Broken(f"{self.what} was answered with {name}: {found}, not {wanted or 'any value'}")


class _AsItIs(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Client:
    def __init__(self, api, token, workspace, seconds):
        self.api, self.token, self.workspace = api, token, workspace
        self.end = time.monotonic() + seconds
        self.secrets = [token]
        self.opener = urllib.request.build_opener(_AsItIs)

    def send(self, method, url, body=None, token=None, what=None, **headers):
        """Sends one request. A path is below the API's URL; `token` is ours if it is missing, and none if it is empty."""
        with self.open(method, url, body, token, what, **headers) as answer:
            return Answer(answer.what, answer.status, answer.headers, answer.read(MOST_BYTES))

    def get(self, url, **more):
        return self.send("GET", url, **more)

    def post(self, url, body=None, **more):
        return self.send("POST", url, body, **more)

    def link(self, url, method="GET", **headers):
        """Follows a link that needs no token."""
        return self.send(method, url, token="", **headers)

    def open(self, method, url, body=None, token=None, what=None, **headers):
        """Sends a request and returns the answer before its body was read."""
        url = self.api + url if url.startswith("/") else url
        path = urllib.parse.urlsplit(url)
        token = self.token if token is None else token
        if token:
            self._may_have_a_token(path)
            headers.setdefault("Authorization", f"Bearer {token}")
            if self.workspace:
                headers["Decant-Workspace"] = self.workspace
        if body is not None:
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        headers = {"User-Agent": "decant-smoke"} | {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        # The query of a link is its signature, and is not told.
        what = what or f"{method} {path.path}"
        try:
            answer = self.opener.open(request, timeout=min(REQUEST_SECONDS, self.seconds_left()))
        except urllib.error.HTTPError as error:
            answer = error
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise Broken(f"{what} was not answered by {path.netloc}: {reason}") from None
        answer.what = what
        return answer

    def _may_have_a_token(self, path):
        if path.scheme != "https" and path.hostname not in HERE:
            raise Broken(f"the token is sent by HTTPS only, and this is {path.scheme}://{path.netloc}")

    def seconds_left(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise Broken("the time is over: if this deployment is slow and not stuck, give --seconds more")
        return left

    def until(self, what, ask):
        """Asks every second until there is something."""
        while True:
            found = ask()
            if found:
                return found
            if self.end - time.monotonic() < 1:
                raise Broken(f"{what} did not happen in time: see docs/operating.md for where to look, "
                             "or give --seconds more")
            time.sleep(1)

    def keep_secret(self, text):
        self.secrets.append(text)

    def hide(self, text):
        """The text without any secret, on one line, and with nothing that a terminal would obey."""
        for secret in self.secrets:
            text = text.replace(secret, "...")
        return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
