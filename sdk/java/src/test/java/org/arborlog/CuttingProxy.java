package org.arborlog;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** A proxy that cuts two of three answers to what is posted. */
final class CuttingProxy implements AutoCloseable {
    private final Transport behind = new HttpTransport();
    private final AtomicInteger posts = new AtomicInteger();
    private final ExecutorService threads = Executors.newFixedThreadPool(2);
    private final HttpServer server;
    private final String target;

    CuttingProxy(String target) throws IOException {
        this.target = target;
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::pass);
        server.setExecutor(threads);
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void pass(HttpExchange exchange) throws IOException {
        boolean isPost = exchange.getRequestMethod().equals("POST");
        byte[] body = isPost ? exchange.getRequestBody().readAllBytes() : null;
        Transport.Response answer;
        try {
            answer = behind.send(new Transport.Request(exchange.getRequestMethod(), target + exchange.getRequestURI(),
                exchange.getRequestHeaders().getFirst("Content-Type"), body), Duration.ofSeconds(5));
        } catch (InterruptedException stopped) {
            throw new IOException(stopped);
        }
        int turn = isPost ? posts.incrementAndGet() % 3 : 0;
        if (turn == 1) {
            exchange.close(); // no answer at all
            return;
        }
        exchange.sendResponseHeaders(answer.status(), answer.body().length);
        exchange.getResponseBody().write(turn == 2 ? Arrays.copyOf(answer.body(), answer.body().length / 2) : answer.body());
        exchange.close();
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
