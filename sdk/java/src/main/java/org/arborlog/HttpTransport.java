package org.arborlog;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A Transport on java.net.http. It follows no redirects: what is signed goes where you said. */
public final class HttpTransport implements Transport {
    private static final int ANSWER_MAX = 64 << 20;

    private final HttpClient client;

    /** With a client of its own. */
    public HttpTransport() {
        this(HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(Duration.ofSeconds(5)).build());
    }

    /** With yours: its proxy, its certificates. */
    public HttpTransport(HttpClient client) {
        this.client = client;
    }

    @Override
    public Response send(Request request, Duration timeout) throws IOException, InterruptedException {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(request.url())).timeout(timeout);
        if (request.mediaType() != null) {
            builder.header("Content-Type", request.mediaType());
        }
        builder.method(request.method(),
            request.body() == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofByteArray(request.body()));
        // The client's own time-out ends with the head of the answer: this one is for all of it.
        Future<HttpResponse<byte[]>> sent = client.sendAsync(builder.build(), HttpResponse.BodyHandlers.ofByteArray());
        try {
            HttpResponse<byte[]> answer = sent.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
            if (answer.body().length > ANSWER_MAX) {
                throw new IOException("the answer is longer than 64 MiB");
            }
            String after = answer.headers().firstValue("Retry-After").filter(value -> value.matches("[0-9]{1,2}")).orElse("0");
            return new Response(answer.statusCode(), answer.body(), Duration.ofSeconds(Math.min(60, Integer.parseInt(after))));
        } catch (ExecutionException failed) {
            throw new IOException(String.valueOf(failed.getCause()), failed.getCause());
        } catch (TimeoutException late) {
            sent.cancel(true);
            throw new IOException("no whole answer in " + timeout, late);
        }
    }
}
