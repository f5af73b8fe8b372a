package org.arborlog;

import static org.arborlog.Ledger.award;
import static org.arborlog.Ledger.awards;
import static org.arborlog.Ledger.number;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/** An outbox that was lost or put back, other writers, and servers that are not believed. ARBORLOG is the path of the program. */
@EnabledIfEnvironmentVariable(named = "ARBORLOG", matches = ".+")
@Timeout(240)
class RecoverTest {
    @TempDir
    Path dir;

    private static void recovers(Ledger.Platform platform, int taken, int added) throws InterruptedException {
        assertEquals(new Outbox.Recovered(taken, added), platform.outbox.recover());
    }

    private static void fails(String code, Ledger.Platform platform) {
        assertEquals(code, assertThrows(ArborlogException.class, platform.outbox::send).code());
    }

    private static void sends(int in, Ledger.Platform platform) throws InterruptedException {
        assertEquals(new Outbox.Report(in, 0), platform.outbox.send());
    }

    private static String state(Ledger.Platform platform, long id) {
        JdbcBox.State state = platform.box.state(id);
        return state.state() + (state.code() == null ? "" : " " + state.code());
    }

    private Ledger.Platform platform(Ledger ledger, String name, String key, Transport transport, int sealMost, long retryForMs) throws IOException {
        return new Ledger.Platform(dir, name, key, ledger.log, List.of(ledger.url), transport, sealMost, Duration.ofMillis(retryForMs));
    }

    /** So many events are in the log, each once. */
    private static void hasOnce(Ledger ledger, int events) throws InterruptedException {
        Client client = new Client(List.of(ledger.url));
        Map<Bytes32, Integer> seen = new HashMap<>();
        long size = Client.checkpoint(client.checkpoint()).size();
        for (long index = 0; index < size; index++) {
            if (client.entry(index).statement() instanceof org.arborlog.Statement.Award one) {
                seen.merge(one.evidence(), 1, Integer::sum);
            }
        }
        assertEquals(List.of(), seen.entrySet().stream().filter(one -> one.getValue() > 1).toList());
        assertEquals(events, seen.size());
    }

    private void copy(String from, String to) throws IOException, InterruptedException {
        assertEquals(0, new ProcessBuilder("cp", "-a", from, to).directory(dir.toFile()).start().waitFor());
    }

    private static long put(Ledger.Platform platform, String reference, org.arborlog.Statement statement) throws SQLException {
        try (Connection connection = platform.open()) {
            return platform.box.put(connection, reference, statement);
        }
    }

    @Test
    void anOutboxThatWasPutBackRecoversWithoutDoubling() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            app.put(awards(0, 2));
            sends(2, app);
            try (Connection connection = app.open(); Statement copy = connection.createStatement()) {
                copy.execute("VACUUM INTO '" + dir.resolve("older.db") + "'");
            }
            app.put(awards(2, 2));
            sends(2, app);
            Ledger.Platform older = ledger.platform("older", "app");
            List<Long> ids = older.put(awards(3, 2));
            fails("another_writer", older);
            fails("another_writer", older); // it is told until it is recovered
            recovers(older, 1, 1);
            Proven proven = older.verify(older.box.state(ids.get(0)).entry());
            assertEquals(number(3), ((org.arborlog.Statement.Award) proven.entry().statement()).evidence());
            recovers(older, 0, 0);
            sends(1, older);
            hasOnce(ledger, 5);
            // The newer one is the other writer now.
            app.put(awards(7, 1));
            fails("another_writer", app);
            recovers(app, 0, 1);
            sends(1, app);
            hasOnce(ledger, 6);
        }
    }

    @Test
    void anOutboxThatWasLostRecoversALongChainFromBundles() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = platform(ledger, "app", "app", new HttpTransport(), 100, 20_000);
            app.put(awards(0, 350));
            sends(350, app);
            app.put(List.of(new org.arborlog.Statement.Transfer(number(1), number(2), 5, org.arborlog.Statement.Reason.GIFT)));
            sends(1, app);
            Ledger.Platform fresh = ledger.platform("fresh", "app");
            List<Long> ids = fresh.put(awards(300, 60));
            fails("another_writer", fresh);
            recovers(fresh, 50, 301);
            sends(10, fresh);
            ids.forEach(id -> assertEquals("in", state(fresh, id)));
            hasOnce(ledger, 360);
            // What was recovered is known: the same event is not put again, under a name of its own neither.
            assertEquals("in", state(fresh, put(fresh, "ride-7", award(0, 7, 2_000))));
            assertEquals("wrong_use", assertThrows(ArborlogException.class, () -> put(fresh, "ride-8", award(5, 8, 2_000))).code());
        }
    }

    @Test
    void ofAnEventThatTheLogSpeaksOfNothingElseIsSent() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            app.put(awards(1, 3));
            sends(3, app);
            Ledger.Platform lost = ledger.platform("lost", "app");
            long id = put(lost, "ride-1", award(4, 1, 1_000)); // the same ride, said otherwise
            recovers(lost, 0, 3);
            lost.box.requeue(id);
            assertEquals("refused event_is_in", state(lost, id));
            assertEquals("wrong_use", assertThrows(ArborlogException.class, () -> put(lost, "ride-1", award(4, 1, 1_500))).code());
            assertEquals("in", state(lost, put(lost, "ride-1", award(1, 1, 2_000))));
            sends(0, lost);
            hasOnce(ledger, 3);
        }
    }

    /** A transport that does something with what is posted, and its answer. */
    private abstract static class Posts implements Transport {
        private final Transport behind = new HttpTransport();
        int posts;

        abstract Response post(Request request, Transport to, Duration timeout) throws IOException, InterruptedException;

        @Override
        public Response send(Request request, Duration timeout) throws IOException, InterruptedException {
            if (!request.method().equals("POST")) {
                return behind.send(request, timeout);
            }
            posts++;
            return post(request, behind, timeout);
        }
    }

    @Test
    void aWriterThatComesBetweenSigningAndSendingIsTold() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform one = ledger.platform("one", "app");
            Ledger.Platform other = platform(ledger, "other", "app", new Posts() {
                @Override
                Response post(Request request, Transport to, Duration timeout) throws IOException, InterruptedException {
                    if (posts == 1) {
                        try {
                            one.put(awards(0, 2));
                        } catch (SQLException failed) {
                            throw new AssertionError(failed);
                        }
                        sends(2, one);
                    }
                    return to.send(request, timeout);
                }
            }, 1_000, 20_000);
            List<Long> ids = other.put(awards(2, 2));
            fails("another_writer", other);
            // What was signed can never come in: recover drops it, and it is signed anew.
            recovers(other, 0, 2);
            sends(2, other);
            assertEquals("in", state(other, ids.get(1)));
            hasOnce(ledger, 4);
        }
    }

    @Test
    void aLateCopyBringsInWhatWasRefusedAndItsCorrectionIsNotSent() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            // The server admitted it, and the client is told of a refusal that another address gave before, and no more.
            Ledger.Platform refused = platform(ledger, "app", "app", new Posts() {
                @Override
                Response post(Request request, Transport to, Duration timeout) throws IOException, InterruptedException {
                    if (posts > 1) {
                        throw new IOException("nothing arrives");
                    }
                    assertEquals(200, to.send(request, timeout).status());
                    String problem = "{\"type\": \"urn:arborlog:problem:batch_refused\", \"status\": 422, \"code\": \"batch_refused\", \"detail\": \"\", \"advice\": \"\", "
                        + "\"refused\": [{\"position\": 1, \"code\": \"points_mismatch\", \"detail\": \"\", \"advice\": \"\"}]}";
                    return new Response(422, problem.getBytes(StandardCharsets.UTF_8), Duration.ZERO);
                }
            }, 1_000, 1_000);
            List<Long> ids = refused.put(List.of(award(1, 1, 2_000), award(1, 2, 2_000), award(1, 3, 2_000)));
            fails("unanswered", refused);
            assertEquals("refused points_mismatch", state(refused, ids.get(1)));
            List<Long> corrected = refused.put(List.of(award(1, 2, 1_500)));
            Ledger.Platform app = ledger.platform("app", "app");
            sends(3, app);
            assertEquals("refused event_is_in", state(app, corrected.get(0)));
            hasOnce(ledger, 3);
        }
    }

    @Test
    void whatAKeySignedBeforeItWasRevokedIsFoundByTheNextOne() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            ledger.grant("second");
            Ledger.Platform deaf = platform(ledger, "app", "app", new Posts() {
                @Override
                Response post(Request request, Transport to, Duration timeout) throws IOException, InterruptedException {
                    to.send(request, timeout);
                    throw new IOException("the answer is lost");
                }
            }, 1_000, 1_000);
            List<Long> ids = deaf.put(awards(0, 3));
            fails("unanswered", deaf);
            ledger.revoke("app");
            Ledger.Platform next = ledger.platform("app", "second");
            sends(3, next);
            next.checkOnce(ids);
        }
    }

    @Test
    void aLogThatGrewOnFromAnOlderCopyIsAnotherLog() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            ledger.grant("second");
            Ledger.Platform app = ledger.platform("app", "app");
            app.put(awards(0, 3));
            sends(3, app);
            ledger.kill();
            copy("ledger", "copy");
            ledger.start();
            app.put(awards(3, 3));
            sends(3, app);
            ledger.kill();
            Files.move(dir.resolve("ledger"), dir.resolve("newer"));
            Files.move(dir.resolve("copy"), dir.resolve("ledger"));
            ledger.start();
            app.put(awards(6, 1));
            fails("log_went_back", app);
            assertEquals("log_went_back", assertThrows(ArborlogException.class, app.outbox::recover).code());
            // Others' records make it longer than before: it is another log then, and that is told too.
            Ledger.Platform second = ledger.platform("second", "second");
            second.put(awards(10, 10));
            sends(10, second);
            fails("log_went_back", app);
            // The operator brings the lost entries back: the sender goes on by itself.
            ledger.kill();
            Files.move(dir.resolve("ledger"), dir.resolve("older"));
            Files.move(dir.resolve("newer"), dir.resolve("ledger"));
            ledger.start();
            sends(1, app);
        }
    }

    /** Kills processes that recover and send in turn, and the server with them. */
    @Test
    void recoverIsKilledAtAnyMoment() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = platform(ledger, "app", "app", new HttpTransport(), 20, 20_000);
            app.put(awards(0, 400));
            sends(400, app);
            Ledger.Platform lost = ledger.platform("lost", "app");
            List<Long> ids = lost.put(awards(200, 400));
            String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
            for (int kill = 0; kill < 6; kill++) {
                Process sender = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xshare:auto",
                    "-XX:TieredStopAtLevel=1", "-cp", classPath, "org.arborlog.Sender", dir.toString(), ledger.url, ledger.log.toString(), "lost").start();
                assertEquals("sending", sender.inputReader().readLine());
                Thread.sleep(80 + 70 * kill % 230);
                if (kill % 3 == 2) { // the server too, amid what is under way
                    ledger.kill();
                    ledger.start();
                }
                sender.destroyForcibly().waitFor();
            }
            lost.outbox.recover();
            lost.outbox.send();
            ids.forEach(id -> assertEquals("in", state(lost, id)));
            hasOnce(ledger, 600);
        }
    }

    /** An answer that names another record of the same key, which is in and proven, is not believed either. */
    @Test
    void anAnswerThatNamesAnotherRecordOfMineIsNotBelieved() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            List<Long> ids = new ArrayList<>(app.put(awards(0, 1)));
            sends(1, app);
            long first = app.box.state(ids.get(0)).entry();
            ids.addAll(app.put(awards(1, 1)));
            Ledger.Platform lied = platform(ledger, "app", "app", new Changing(2, field("indexes", "[" + first + "]"), true), 1_000, 2_000);
            fails("entry_wrong", lied);
            assertEquals("waiting", state(app, ids.get(1)));
            sends(1, app);
            app.checkOnce(ids);
        }
    }

    /** Changes one answer of a server: the one at a place, or the first one to what is posted. */
    private static final class Changing implements Transport {
        private final Transport behind = new HttpTransport();
        private final int at;
        private final UnaryOperator<Response> change;
        private final boolean isOfPosts;
        private int count;
        private boolean isChanged;

        Changing(int at, UnaryOperator<Response> change, boolean isOfPosts) {
            this.at = at;
            this.change = change;
            this.isOfPosts = isOfPosts;
        }

        @Override
        public Response send(Request request, Duration timeout) throws IOException, InterruptedException {
            Response answer = behind.send(request, timeout);
            if (isOfPosts ? request.method().equals("POST") : count++ == at) {
                isChanged = true;
                return change.apply(answer);
            }
            return answer;
        }
    }

    /** Puts a value in the place of a field of a JSON answer; other answers stay. */
    private static UnaryOperator<Transport.Response> field(String name, String value) {
        return answer -> {
            String body = String.valueOf(Text.decode(answer.body()));
            String changed = body.replaceAll("\"" + name + "\": ?(\"[^\"]*\"|[0-9]+|\\[[^\\]]*\\]|\\{[^}]*\\})", "\"" + name + "\":" + value);
            return new Transport.Response(answer.status(), changed.getBytes(StandardCharsets.UTF_8), answer.retryAfter());
        };
    }

    private static List<UnaryOperator<Transport.Response>> changes() {
        List<UnaryOperator<Transport.Response>> all = new ArrayList<>();
        for (String body : List.of("", "{}", "[]", "null", "{\"code\": 5}", "\u00ff\u00fe")) {
            for (int status : List.of(200, 404, 409, 422)) {
                all.add(answer -> new Transport.Response(status, body.getBytes(StandardCharsets.ISO_8859_1), Duration.ZERO));
            }
        }
        for (String name : List.of("next_seq", "prev", "head", "entry", "hashes", "checkpoint", "indexes", "first_index", "seal_index")) {
            for (String value : List.of("null", "\"x\"", "[null]", "[\"AAAA\"]", "{\"index\": 0, \"seq\": 0}", "-1", "0", "2", "[0]")) {
                all.add(field(name, value));
            }
        }
        return all;
    }

    /** Changes each answer in turn, in ways that chance takes: what is noted as in is in, once, and nothing is noted as refused. */
    @Test
    void aServerThatSaysNonsenseIsNotBelieved() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            List<Long> ids = new ArrayList<>(app.put(awards(0, 1)));
            sends(1, app);
            List<UnaryOperator<Transport.Response>> all = changes();
            Random dice = new Random(7);
            int event = 100;
            for (int width : List.of(2, 1)) {
                boolean isChanged = true;
                for (int request = 0; isChanged; request++) {
                    isChanged = false;
                    for (int n = 0; n < 10; n++) {
                        ids.addAll(app.put(awards(event, width)));
                        event += width;
                        Changing changing = new Changing(request, all.get(dice.nextInt(all.size())), false);
                        try {
                            platform(ledger, "app", "app", changing, 1_000, 1_000).outbox.send();
                        } catch (ArborlogException | Problem told) {
                            // Each is one of ours.
                        }
                        isChanged |= changing.isChanged;
                    }
                    app.outbox.send();
                }
            }
            app.checkOnce(ids);
        }
    }
}
