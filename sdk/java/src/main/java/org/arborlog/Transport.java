package org.arborlog;

import java.io.IOException;
import java.time.Duration;

/** Sends one request. */
@FunctionalInterface
public interface Transport {
    /** What is sent; the body and its media type are null of a GET. */
    record Request(String method, String url, String mediaType, byte[] body) {}

    /** An answer that arrived whole. */
    record Response(int status, byte[] body, Duration retryAfter) {}

    /** Sends a request; an IOException where no whole answer came in time. */
    Response send(Request request, Duration timeout) throws IOException, InterruptedException;
}
