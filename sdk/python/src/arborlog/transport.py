"""HTTP by the standard library. A transport is a function; another one can take its place:

    transport(method, url, content_type, body, timeout_s) -> (status, body)

It follows no redirects, ends within the time given, and raises `OSError` where no whole answer came.
"""

import http.client
import socket
import ssl
import threading
import urllib.parse

ANSWER_BYTES_MAX = 16 << 20


class HttpTransport:
    """One connection a request. `context` says which certificates are trusted; the system's, if it is None."""

    def __init__(self, context=None):
        self._context = context

    def __call__(self, method, url, content_type, body, timeout_s):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "https":
            context = self._context or ssl.create_default_context()
            connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout_s, context=context)
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
        # A time-out of the socket is one of each read: what comes byte by byte would never end.
        watch = threading.Timer(timeout_s, _cut, [connection])
        watch.daemon = True
        watch.start()
        try:
            headers = {"content-type": content_type} if content_type else {}
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            data = answer.read(ANSWER_BYTES_MAX + 1)
            if answer.length or not watch.is_alive():
                raise OSError("the answer was cut, is too long, or came too late")
            return answer.status, data
        except http.client.HTTPException as error:
            raise OSError(f"the answer was cut: {error!r}") from error
        finally:
            watch.cancel()
            connection.close()


def _cut(connection):
    try:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
