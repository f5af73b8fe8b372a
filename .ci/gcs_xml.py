"""Google's XML API, as the crate object_store speaks it, in front of a server that has the JSON API alone.

Each request becomes one of the JSON API, whose server decides everything: a create becomes an upload with
ifGenerationMatch=0. Nothing is kept here.

    gcs_xml.py PORT BACKEND-PORT
"""

import http.client
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit
from xml.sax.saxutils import escape

BACKEND = ("127.0.0.1", int(sys.argv[2]))
LOCAL = threading.local()
# What a client needs to know of an object.
PASSED_ON = ("Content-Range", "ETag", "Last-Modified", "x-goog-generation")


def ask(method, path, query=None, body=None, fields=None):
    """The status, fields and body of the backend's answer."""
    if not hasattr(LOCAL, "backend"):
        LOCAL.backend = http.client.HTTPConnection(*BACKEND, timeout=60)
    LOCAL.backend.request(method, path + ("?" + urlencode(query) if query else ""), body, fields or {})
    answer = LOCAL.backend.getresponse()
    return answer.status, answer.headers, answer.read()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, fields, body=b""):
        self.send_response(status)
        for name in PASSED_ON:
            if fields.get(name):
                self.send_header(name, fields[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def place(self):
        """Bucket, object and query of the request."""
        url = urlsplit(self.path)
        bucket, _, name = unquote(url.path).lstrip("/").partition("/")
        return bucket, name, {key: value[0] for key, value in parse_qs(url.query).items()}

    def do_PUT(self):
        bucket, name, _ = self.place()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = {"uploadType": "media", "name": name}
        if "x-goog-if-generation-match" in self.headers:
            query["ifGenerationMatch"] = self.headers["x-goog-if-generation-match"]
        fields = {"Content-Type": self.headers.get("Content-Type", "application/octet-stream")}
        status, _, said = ask("POST", f"/upload/storage/v1/b/{bucket}/o", query, body, fields)
        if status != 200:
            return self.answer(status, {}, said)
        made = json.loads(said)
        self.answer(200, {"ETag": f'"{made["etag"].strip(chr(34))}"', "x-goog-generation": made["generation"]})

    def do_GET(self):
        bucket, name, query = self.place()
        if not name:
            return self.list(bucket, query)
        fields = {"Range": self.headers["Range"]} if "Range" in self.headers else {}
        path = f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        status, fields, body = ask("GET", path, {"alt": "media"}, None, fields)
        self.answer(status, fields, body)

    do_HEAD = do_GET

    def do_DELETE(self):
        bucket, name, _ = self.place()
        status, _, body = ask("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}")
        self.answer(204 if status == 200 else status, {}, b"" if status == 200 else body)

    def list(self, bucket, query):
        after = query.get("continuation-token") or query.get("start-after", "")
        most = int(query.get("max-keys", 1000))
        # One more than was asked for tells whether there are more; startOffset itself is listed too.
        asked = {"prefix": query.get("prefix", ""), "startOffset": after, "maxResults": most + 2}
        status, _, said = ask("GET", f"/storage/v1/b/{bucket}/o", asked)
        if status != 200:
            return self.answer(status, {}, said)
        found = [item for item in json.loads(said).get("items", []) if item["name"] > after]
        shown = found[:most]
        more = len(found) > most
        parts = [f"<IsTruncated>{str(more).lower()}</IsTruncated>"]
        if more:
            parts.append(f"<NextContinuationToken>{escape(shown[-1]['name'])}</NextContinuationToken>")
        for item in shown:
            parts.append(
                f"<Contents><Key>{escape(item['name'])}</Key><LastModified>{item['updated']}</LastModified>"
                f"<ETag>{escape(item['etag'])}</ETag><Size>{item['size']}</Size></Contents>"
            )
        body = f'<?xml version="1.0"?><ListBucketResult>{"".join(parts)}</ListBucketResult>'
        self.answer(200, {}, body.encode())


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
