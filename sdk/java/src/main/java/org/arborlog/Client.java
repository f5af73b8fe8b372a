package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.io.IOException;
import java.math.BigInteger;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/** Asks a ledger at one or several addresses. It asks again what may pass: no answer, a cut one, 408, 429 and 5xx. */
public final class Client {
    private static final long PAUSE_FIRST_MS = 100;
    private static final long PAUSE_LONGEST_MS = 5_000;

    private final List<String> addresses;
    private final Transport transport;
    private final Duration attemptTimeout;
    private final Duration retryFor;
    private int address;

    /** Addresses such as https://ledger.example.org, with 5 seconds for a request and 120 for all tries of one. */
    public Client(List<String> addresses) {
        this(addresses, new HttpTransport(), Duration.ofSeconds(5), Duration.ofSeconds(120));
    }

    /** With a transport and times of your own. */
    public Client(List<String> addresses, Transport transport, Duration attemptTimeout, Duration retryFor) {
        need(!addresses.isEmpty(), "wrong_use", "no address of a ledger was given");
        this.addresses = List.copyOf(addresses);
        this.transport = transport;
        this.attemptTimeout = attemptTimeout;
        this.retryFor = retryFor;
    }

    private <T> T call(String method, String path, String mediaType, byte[] body, Function<byte[], T> read) throws InterruptedException {
        long deadline = System.nanoTime() + retryFor.toNanos();
        long pause = PAUSE_FIRST_MS;
        for (int tries = 1;; tries++) {
            String base = addresses.get(Math.floorMod(address, addresses.size())).replaceAll("/+$", "");
            String why;
            long wait = 0;
            try {
                Transport.Response answer = transport.send(new Transport.Request(method, base + path, mediaType, body), attemptTimeout);
                if (answer.status() == 200) {
                    return read.apply(answer.body());
                }
                Problem problem = Problem.read(answer.status(), answer.body());
                if (problem != null && answer.status() != 408 && answer.status() != 429 && answer.status() < 500) {
                    throw problem;
                }
                why = problem == null ? "an answer with status " + answer.status() + " that is not the ledger's" : problem.getMessage();
                wait = answer.retryAfter().toMillis();
            } catch (IOException noAnswer) {
                why = String.valueOf(noAnswer.getMessage());
            } catch (ArborlogException notWhole) {
                why = notWhole.getMessage();
            }
            address++;
            if (tries % addresses.size() == 0) { // else another address is asked at once
                wait = Math.max(wait, pause);
                pause = Math.min(2 * pause, PAUSE_LONGEST_MS);
            } else {
                wait = 0;
            }
            if (System.nanoTime() + wait * 1_000_000 > deadline) {
                throw new ArborlogException("unanswered", method + " " + path, "no answer from the ledger in " + tries + " tries: " + why);
            }
            Thread.sleep(wait);
        }
    }

    private Map<String, Object> get(String path) throws InterruptedException {
        return call("GET", path, null, null, body -> Json.object(String.valueOf(Text.decode(body))));
    }

    private byte[] file(String path) throws InterruptedException {
        return call("GET", path, null, null, body -> {
            String fault = FileFault.of(body);
            need(fault == null, String.valueOf(fault), "the file did not arrive whole");
            return body;
        });
    }

    /** Reads an answer; that it is another than docs/http.md says is told as that. */
    private static <T> T within(String path, Supplier<T> read) {
        try {
            return read.get();
        } catch (ClassCastException | NullPointerException | IllegalArgumentException wrong) {
            throw new ArborlogException("answer_false", path, "the answer is not what docs/http.md says: " + wrong.getMessage());
        }
    }

    static Long number(Object json) {
        return json instanceof BigInteger n && n.signum() >= 0 && n.bitLength() <= 64 ? n.longValue() : null;
    }

    /** What the ledger says of a key: where its chain goes on, and its newest entry and that one's place of the chain, or null. */
    public record Issuer(Chain chain, Long headIndex, Long headSeq) {}

    /** Asks about a key; a Problem with the status 404 where it has no role. */
    public Issuer issuer(Bytes32 key) throws InterruptedException {
        String path = "/v1/issuers/" + key;
        Map<String, Object> said = get(path);
        return within(path, () -> issuerOf(said));
    }

    private static Issuer issuerOf(Map<String, Object> said) {
        Object day = said.get("last_issued_on");
        Chain chain = new Chain(number(said.get("next_seq")), Bytes32.hex((String) said.get("prev")), day == null ? new Day(0) : Day.parse((String) day));
        Map<?, ?> head = said.get("head") instanceof Map<?, ?> map ? map : Map.of();
        return new Issuer(chain, number(head.get("index")), number(head.get("seq")));
    }

    /** Fetches an entry and decodes it. That it is in the log, a receipt proves. */
    public Entry entry(long index) throws InterruptedException {
        String path = "/v1/entries/" + Long.toUnsignedString(index);
        Object bytes = get(path).get("entry");
        return within(path, () -> Entry.decode(Base64.getDecoder().decode((String) bytes)));
    }

    /** Fetches the receipt of an entry. */
    public byte[] receipt(long index) throws InterruptedException {
        return file("/v1/receipts/" + Long.toUnsignedString(index));
    }

    /** Fetches a claim's file about the state, with all that it rests on. */
    public byte[] certificate(long index) throws InterruptedException {
        return file("/v1/proofs/certificate/" + Long.toUnsignedString(index));
    }

    /** Fetches an item of the state, proven, such as ("account", id) or ("tree", "1/7"). */
    public byte[] stateProof(String domain, String key) throws InterruptedException {
        return file("/v1/proofs/state?domain=" + URLEncoder.encode(domain, StandardCharsets.UTF_8) + "&key="
            + URLEncoder.encode(key, StandardCharsets.UTF_8).replace("%2F", "/"));
    }

    /** Fetches the newest checkpoint's note; nothing of it is verified. */
    public String checkpoint() throws InterruptedException {
        return call("GET", "/checkpoint", null, null, body -> {
            Checkpoint.read(body);
            return Text.decode(body);
        });
    }

    static Checkpoint checkpoint(String note) {
        return Checkpoint.read(note.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Checks that the log, as it is now, extends an earlier checkpoint of it, or an empty text for none: nothing was taken back. Both are signed
     * by the log's key. It gives the newest checkpoint.
     */
    public String checkExtends(VerifierKey log, String earlier) throws InterruptedException {
        String note = checkpoint();
        Checkpoint now = checkpoint(note);
        now.verify(log);
        if (earlier.isEmpty()) {
            return note;
        }
        Checkpoint before = checkpoint(earlier);
        boolean isSame = now.size() == before.size() && now.root().equals(before.root());
        if (!isSame && (now.size() <= before.size()
            || !Hashes.consistent(before.size(), now.size(), before.root(), now.root(), consistency(before.size(), now.size())))) {
            throw new ArborlogException("log_went_back", "log", "the log does not extend the checkpoint that it gave before: it lost acknowledged "
                + "entries, an older copy was put back, or it is another log. Tell its operator, and keep both checkpoints.\nbefore:\n" + earlier
                + "now:\n" + note);
        }
        return note;
    }

    private List<Bytes32> consistency(long from, long to) throws InterruptedException {
        String path = "/v1/proofs/consistency?from=" + from + "&to=" + to;
        Object hashes = get(path).get("hashes");
        return within(path, () -> ((List<?>) hashes).stream().map(one -> Bytes32.of(Base64.getDecoder().decode((String) one))).toList());
    }

    /** The answer to what was posted: the entries' indexes, in the order of the statements, and a checkpoint that covers them. */
    public record Admitted(List<Long> indexes, String checkpoint) {}

    /** Sends what was signed: again the same bytes, until the ledger answers. A refusal is a Problem. */
    public Admitted post(SignedBody body, int statements) throws InterruptedException {
        return call("POST", body.path(), body.mediaType(), body.body(), bytes -> {
            Map<String, Object> said = Json.object(String.valueOf(Text.decode(bytes)));
            need(said.get("checkpoint") instanceof String, "json_malformed", "the answer has no checkpoint");
            List<Long> indexes = new ArrayList<>();
            if (body.isSealed()) {
                Long first = number(said.get("first_index"));
                for (int i = 0; first != null && i < statements; i++) {
                    indexes.add(first + i);
                }
            } else if (said.get("indexes") instanceof List<?> list) {
                list.forEach(one -> indexes.add(number(one)));
            }
            return new Admitted(indexes, (String) said.get("checkpoint"));
        });
    }
}
