package org.arborlog;

import static org.arborlog.Ledger.award;
import static org.arborlog.Ledger.awards;
import static org.arborlog.Ledger.number;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/** The outbox against a real server: ARBORLOG is the path of the program. */
@EnabledIfEnvironmentVariable(named = "ARBORLOG", matches = ".+")
@Timeout(180)
class OutboxTest {
    @TempDir
    Path dir;

    private static String codeOf(Ledger.Platform platform) {
        return assertThrows(ArborlogException.class, platform.outbox::send).code();
    }

    @Test
    void manyAreSealedAndOneIsARecord() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            List<Long> ids = new ArrayList<>(app.put(awards(0, 1)));
            assertEquals(new Outbox.Report(1, 0), app.outbox.send());
            ids.addAll(app.put(awards(1, 1_500)));
            assertEquals(new Outbox.Report(1_500, 0), app.outbox.send());
            assertEquals(new Outbox.Report(0, 0), app.outbox.send());
            assertNull(app.verify(app.box.state(ids.get(0)).entry()).sealIndex());
            Proven sealed = app.verify(app.box.state(ids.get(1_500)).entry());
            assertNotNull(sealed.sealIndex());
            assertEquals(number(1_500), ((Statement.Award) sealed.entry().statement()).evidence());
            app.checkOnce(ids);
        }
    }

    @Test
    void aCertificateIsVerifiedByWhatItAnswers() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            List<Long> ids = app.put(List.of(award(0, 0, 2_000), award(0, 7, 10_000), new Statement.Claim(number(0), 1, 1, 1, 300)));
            app.outbox.send();
            long claim = app.box.state(ids.get(2)).entry();
            Proven proven = Receipt.verify(app.client.certificate(claim), Trust.of(ledger.log));
            proven.checkAbout("certificate/" + claim);
            assertEquals("about_other", Golden.codeOf(() -> proven.checkAbout("certificate/1")));
            Proven account = Receipt.verify(app.client.stateProof("account", number(0).toString()), Trust.of(ledger.log));
            assertEquals(104 + 520 - 300, ((Item.Account) account.items().get(0).fields()).balance());
        }
    }

    @Test
    void whatIsRefusedIsNamedAndTheOthersGoIn() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            Statement.Award right = award(1, 2, 2_000);
            Statement wrong = new Statement.Award(right.account(), 1, 1, 1, 2_000, right.points() + 1, right.occurredOn(), right.evidence());
            List<Long> ids = app.put(List.of(award(1, 0, 2_000), wrong, award(1, 1, 2_000), award(1, 3, 20_000), award(1, 4, 2_000)));
            assertEquals(new Outbox.Report(3, 2), app.outbox.send());
            List<String> codes = ids.stream().map(id -> app.box.state(id).code()).toList();
            assertEquals(Arrays.asList(null, "points_mismatch", null, "cap_exceeded", null), codes);
            // The same event, put right, goes in under the same name; said otherwise again, it is wrong use.
            List<Long> mended = app.put(List.of(right));
            assertEquals(new Outbox.Report(1, 0), app.outbox.send());
            assertEquals("in", app.box.state(mended.get(0)).state());
            assertEquals(mended, app.put(List.of(right)));
            try (Connection connection = app.open()) {
                assertEquals("wrong_use", assertThrows(ArborlogException.class, () -> app.box.put(connection, null, wrong)).code());
            }
            Statement.Award other = award(1, 5, 2_000);
            List<Long> alone = app.put(List.of(new Statement.Award(other.account(), 1, 1, 1, 2_000, other.points() + 1, other.occurredOn(), other.evidence())));
            assertEquals(new Outbox.Report(0, 1), app.outbox.send());
            assertEquals("points_mismatch", app.box.state(alone.get(0)).code());
            app.put(awards(10, 1));
            assertEquals(new Outbox.Report(1, 0), app.outbox.send());
        }
    }

    @Test
    void nothingIsLostOrDoubledByKills() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            List<Long> ids = app.put(awards(0, 1_200));
            String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
            for (int kill = 0; kill < 6; kill++) {
                Process sender = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xshare:auto",
                    "-XX:TieredStopAtLevel=1", "-cp", classPath, "org.arborlog.Sender", dir.toString(), ledger.url, ledger.log.toString()).start();
                assertEquals("sending", sender.inputReader().readLine());
                Thread.sleep(60 + 50 * kill % 160);
                if (kill % 3 == 2) { // the server too, amid what is under way
                    ledger.kill();
                    ledger.start();
                }
                sender.destroyForcibly().waitFor();
            }
            app.outbox.send();
            app.checkOnce(ids);
        }
    }

    @Test
    void anotherWriterIsTold() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform one = ledger.platform("one", "app");
            Ledger.Platform other = ledger.platform("other", "app");
            one.put(awards(0, 2));
            one.outbox.send();
            // An outbox that is new for a key that is not: nothing is signed before it knows what the key said.
            other.put(awards(2, 2));
            assertEquals("another_writer", codeOf(other));
            assertEquals(new Outbox.Recovered(0, 2), other.outbox.recover());
            assertEquals(new Outbox.Report(2, 0), other.outbox.send());
            one.put(awards(4, 3));
            assertEquals("another_writer", codeOf(one));
            assertEquals("another_writer", codeOf(one));
        }
    }

    /** Keeps the first batch back, and lets it arrive when the next one is sent. */
    private static final class Late implements Transport {
        private final Transport behind = new HttpTransport();
        private Request first;
        private Runnable before;

        @Override
        public Response send(Request request, Duration timeout) throws IOException, InterruptedException {
            if (request.method().equals("POST") && before != null) {
                if (first == null) {
                    first = request;
                } else if (!Arrays.equals(first.body(), request.body())) {
                    before.run();
                    before = null;
                    behind.send(first, timeout);
                }
            }
            return behind.send(request, timeout);
        }
    }

    @Test
    void myOwnRecordThatCameFirstIsNoOtherWriters() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            ledger.grant("second");
            Late late = new Late();
            Ledger.Platform app = new Ledger.Platform(dir, "app", "app", ledger.log, List.of(ledger.url), late, 1_000);
            Ledger.Platform second = ledger.platform("second", "second");
            // The transfer is refused, for the account has nothing. Then it gets points, and the first batch arrives again.
            List<Long> ids = app.put(List.of(award(1, 1, 2_000), new Statement.Transfer(number(5), number(8), 50, Statement.Reason.GIFT), award(1, 2, 2_000)));
            late.before = () -> {
                try {
                    second.put(List.of(award(5, 3, 2_000)));
                    second.outbox.send();
                } catch (Exception wrong) {
                    throw new AssertionError(wrong);
                }
            };
            app.outbox.send();
            ids.forEach(id -> assertEquals("in", app.box.state(id).state()));
            app.put(awards(20, 2));
            assertEquals(new Outbox.Report(2, 0), app.outbox.send());
        }
    }

    @Test
    void aLogThatWasPutBackIsTold() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            app.put(awards(0, 3));
            app.outbox.send();
            ledger.kill();
            assertEquals(0, new ProcessBuilder("cp", "-a", "ledger", "copy").directory(dir.toFile()).start().waitFor());
            ledger.start();
            app.put(awards(3, 3));
            app.outbox.send();
            ledger.kill();
            Files.move(dir.resolve("ledger"), dir.resolve("newer"));
            Files.move(dir.resolve("copy"), dir.resolve("ledger"));
            ledger.start();
            app.put(awards(6, 1));
            assertEquals("log_went_back", codeOf(app));
        }
    }

    @Test
    void answersThatAreCutAndAddressesThatAreDown() throws Exception {
        try (Ledger ledger = new Ledger(dir); CuttingProxy proxy = new CuttingProxy(ledger.url)) {
            Ledger.Platform app = new Ledger.Platform(dir, "app", "app", ledger.log, List.of("http://127.0.0.1:9", proxy.url()), new HttpTransport(), 10);
            List<Long> ids = app.put(awards(0, 95));
            assertEquals(new Outbox.Report(95, 0), app.outbox.send());
            app.checkOnce(ids);
        }
    }

    @Test
    void aPlatformsTransactionThatIsUndoneSendsNothing() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            Ledger.Platform app = ledger.platform("app", "app");
            try (Connection connection = app.open()) {
                connection.setAutoCommit(false);
                app.box.put(connection, "ride-1", award(1, 1, 2_000));
                connection.rollback();
            }
            assertEquals(new Outbox.Report(0, 0), app.outbox.send());
            try (Connection connection = app.open()) { // the same ride, told twice
                assertEquals(app.box.put(connection, "ride-1", award(1, 1, 2_000)), app.box.put(connection, "ride-1", award(1, 1, 2_000)));
                assertThrows(ArborlogException.class, () -> app.box.put(connection, "ride-1", award(2, 1, 2_000)));
            }
            assertEquals(new Outbox.Report(1, 0), app.outbox.send());
        }
    }

    @Test
    void aKeyWithoutARoleIsTold() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            ledger.run("keygen", "stranger.pem");
            Ledger.Platform stranger = ledger.platform("stranger", "stranger");
            stranger.put(awards(0, 1));
            assertEquals("key_refused", codeOf(stranger));
        }
    }

    /** Runs the lines of the README, with this ledger's address and key in them. */
    @Test
    void theReadmesFirstAward() throws Exception {
        try (Ledger ledger = new Ledger(dir)) {
            String readme = Files.readString(Path.of("README.md"));
            String lines = readme.substring(readme.indexOf("```java\n") + 8);
            lines = lines.substring(0, lines.indexOf("```"));
            assertEquals(10, lines.lines().count());
            org.junit.jupiter.api.Assertions.assertTrue(Files.readString(Path.of("../../docs/integrating.md")).contains("```java\n" + lines + "```"));
            lines = lines.replace("https://ledger.example.org", ledger.url).replaceAll("example\\.org/ledger\\+[0-9a-f]{8}\\+[^\"]+",
                java.util.regex.Matcher.quoteReplacement(ledger.log.toString())).replace("\"app.pem\"", "\"" + dir.resolve("app.pem") + "\"")
                .replace("jdbc:sqlite:platform.db", "jdbc:sqlite:" + dir.resolve("platform.db"));
            String source = "import java.nio.file.Path;\nimport java.sql.Connection;\nimport java.sql.DriverManager;\nimport java.util.List;\n"
                + "import org.arborlog.*;\npublic class First {\n public static void main(String[] none) throws Exception {\n"
                + "Bytes32 account = Bytes32.hex(\"11\".repeat(32)), evidence = Bytes32.hex(\"22\".repeat(32));\n" + lines
                + "System.out.println(report.in() + \" \" + state.state());\n}\n}\n";
            Path file = Files.writeString(dir.resolve("First.java"), source);
            String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
            Process java = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp", classPath, file.toString())
                .redirectErrorStream(true).start();
            try (Stream<String> out = java.inputReader().lines()) {
                assertEquals(List.of("1 in"), out.filter(line -> !line.startsWith("WARNING")).toList());
            }
        }
    }
}
