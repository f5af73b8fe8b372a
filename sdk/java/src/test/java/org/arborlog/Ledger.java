package org.arborlog;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/** A server of its own, with a platform's key and a method. ARBORLOG is the path of the program. */
final class Ledger implements AutoCloseable {
    private static final String METHOD = """
        {"id": 1, "version": 1, "effective_from": "2026-01-01",
         "activities": [{"code": 1, "name": "metro ride", "unit": "ride", "factor": 52000000, "cap": 520}],
         "species": [{"code": 1, "name": "Haloxylon ammodendron", "price": 300}],
         "baseline": "an average car", "sources": "the programme's own table", "jurisdiction": "here",
         "document": "0000000000000000000000000000000000000000000000000000000000000000"}
        """;

    final Path dir;
    final VerifierKey log;
    String url;
    private String listen = "127.0.0.1:0";
    private Process server;

    static String program() {
        return System.getenv("ARBORLOG");
    }

    Ledger(Path dir) throws Exception {
        this.dir = dir;
        run("keygen", "north.pem");
        run("keygen", "south.pem");
        run("init", "ledger", "--origin", "example.org/ledger", "--programme", "Green rides", "--governor", "north.pem", "--governor", "south.pem",
            "--quorum", "2", "--json");
        log = VerifierKey.ofLog(Files.readString(dir.resolve("ledger/log.vkey")));
        start();
        grant("app");
        Files.writeString(dir.resolve("method-file.json"), METHOD);
        run("method", "--file", "method-file.json", "--key", "north.pem", "--out", "method.json", "--from", url);
        propose("method.json", "south.pem");
    }

    String run(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(program()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).directory(dir.toFile()).redirectErrorStream(true).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(30, TimeUnit.SECONDS) || process.exitValue() != 0) {
            process.destroyForcibly();
            throw new AssertionError(command + ": " + out);
        }
        return out.strip();
    }

    void start() throws IOException {
        server = new ProcessBuilder(program(), "serve", "ledger", "--listen", listen, "--state-every-ms", "200").directory(dir.toFile())
            .redirectError(dir.resolve("server.log").toFile()).start();
        BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
        String line = out.readLine();
        if (line == null) {
            throw new AssertionError("the server said nothing: " + Files.readString(dir.resolve("server.log")));
        }
        url = line.replace("listening on ", "").strip();
        listen = url.replace("http://", "");
    }

    void kill() {
        server.destroyForcibly().onExit().join();
    }

    @Override
    public void close() {
        kill();
    }

    private void propose(String file, String... keys) throws Exception {
        for (String key : keys) {
            run("endorse", file, "--key", key);
        }
        run("submit", file, "--to", url);
    }

    void grant(String name) throws Exception {
        String publicKey = run("keygen", name + ".pem");
        run("grant", "--grantee", publicKey, "--role", "platform", "--holder", "green-app", "--name", "Green App", "--key", "north.pem", "--out",
            name + ".json", "--from", url);
        propose(name + ".json", "south.pem", name + ".pem");
    }

    void revoke(String name) throws Exception {
        String publicKey = KeySigner.read(dir.resolve(name + ".pem")).publicKey().toString();
        run("revoke", "--revoked", publicKey, "--reason", "It was lost.", "--key", "north.pem", "--out", "revoke.json", "--from", url);
        propose("revoke.json", "south.pem");
    }

    // ---- what a platform does

    static Bytes32 number(long n) {
        return Bytes32.of(String.format("%032d", n).getBytes(StandardCharsets.US_ASCII));
    }

    /** A ride; its event tells it from the others. */
    static Statement.Award award(long account, long event, long quantity) {
        return new Statement.Award(number(account), 1, 1, 1, quantity, Statement.Award.points(quantity, 52_000_000), Day.of(2026, 3, 1), number(event));
    }

    static List<Statement> awards(int first, int count) {
        List<Statement> awards = new ArrayList<>();
        for (int n = first; n < first + count; n++) {
            awards.add(award(n % 7, n, 2_000));
        }
        return awards;
    }

    /** An outbox of its own. */
    static final class Platform {
        final JdbcBox box;
        final Client client;
        final Outbox outbox;
        final VerifierKey log;
        private final String database;

        Platform(Path dir, String name, String key, VerifierKey log, List<String> urls, Transport transport, int sealMost) throws IOException {
            this(dir, name, key, log, urls, transport, sealMost, Duration.ofSeconds(20));
        }

        Platform(Path dir, String name, String key, VerifierKey log, List<String> urls, Transport transport, int sealMost, Duration retryFor)
            throws IOException {
            database = "jdbc:sqlite:" + dir.resolve(name + ".db") + "?busy_timeout=10000";
            box = new JdbcBox(this::open);
            client = new Client(urls, transport, Duration.ofSeconds(3), retryFor);
            this.log = log;
            outbox = new Outbox(box, client, KeySigner.read(dir.resolve(key + ".pem")), log, sealMost, Clock.systemUTC());
        }

        Connection open() throws SQLException {
            return DriverManager.getConnection(database);
        }

        List<Long> put(List<? extends Statement> statements) throws SQLException {
            List<Long> ids = new ArrayList<>();
            try (Connection connection = open()) {
                connection.setAutoCommit(false);
                for (Statement statement : statements) {
                    ids.add(box.put(connection, null, statement));
                }
                connection.commit();
            }
            return ids;
        }

        Proven verify(long index) throws InterruptedException {
            return Receipt.verify(client.receipt(index), Trust.of(log));
        }

        /** Reads the whole log: each event is in it once, at the place that the outbox says. */
        void checkOnce(List<Long> ids) throws InterruptedException {
            Set<Long> places = new HashSet<>();
            for (long id : ids) {
                JdbcBox.State state = box.state(id);
                if (!state.state().equals("in") || !places.add(state.entry())) {
                    throw new AssertionError("statement " + id + " is " + state);
                }
            }
            Map<Bytes32, Long> seen = new HashMap<>();
            long size = Client.checkpoint(client.checkpoint()).size();
            for (long index = 0; index < size; index++) {
                if (client.entry(index).statement() instanceof Statement.Award award
                    && (seen.put(award.evidence(), index) != null || !places.contains(index))) {
                    throw new AssertionError("entry " + index + ": the event is in twice, or not where the outbox says");
                }
            }
            if (seen.size() != ids.size()) {
                throw new AssertionError(seen.size() + " events are in, " + ids.size() + " were put");
            }
        }
    }

    Platform platform(String name, String key) throws IOException {
        return new Platform(dir, name, key, log, List.of(url), new HttpTransport(), 1_000);
    }
}
