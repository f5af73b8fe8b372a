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

    /** The newest commit's checkpoint. A web server that has a ledger's files alone has no such address, and says so in words of its own. */
    private static final String NEWEST_CHECKPOINT = "/v1/checkpoint";

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
                if (problem == null && answer.status() == 404 && path.equals(NEWEST_CHECKPOINT)) {
                    throw Problem.absent();
                }
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
            throw new ArborlogException("answer_malformed", path, "the answer is not what docs/http.md says: " + wrong.getMessage());
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

    /** Fetches an entry and decodes it. That it is in the log, provenEntry or a receipt proves. */
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

    /**
     * Fetches the note of the newest commit's checkpoint; nothing of it is verified. Where a policy is in force, what stands at /checkpoint is
     * older: it waits for cosignatures. A server that has no such address has the newest at /checkpoint.
     */
    public String checkpoint() throws InterruptedException {
        try {
            return checkpointAt(NEWEST_CHECKPOINT);
        } catch (Problem problem) {
            if (problem.status() != 404) {
                throw problem;
            }
            return checkpointAt("/checkpoint");
        }
    }

    private String checkpointAt(String path) throws InterruptedException {
        return call("GET", path, null, null, body -> {
            Checkpoint.read(body);
            return Text.decode(body);
        });
    }

    static Checkpoint checkpoint(String note) {
        return Checkpoint.read(note.getBytes(StandardCharsets.UTF_8));
    }

    /** The log is shorter than one that was acknowledged: an address lags, or an older copy was put back. */
    static final class Behind extends Exception {
        private static final long serialVersionUID = 1;
    }

    /**
     * Checks that the log, as it is now, extends an earlier checkpoint of it, or an empty text for none: nothing was taken back. Both are signed
     * by the log's key. It gives the newest checkpoint. An address that lags is passed over, if there are others.
     */
    public String checkExtends(VerifierKey log, String earlier) throws InterruptedException {
        String note = "";
        for (int tries = 0; tries < 2 * places(); tries++) {
            note = checkpoint();
            try {
                checkExtends(log, earlier, note);
                return note;
            } catch (Behind behind) {
                turn();
            }
        }
        throw wentBack(earlier, note);
    }

    /** Checks that a checkpoint is the log's, and extends an earlier one. */
    Checkpoint checkExtends(VerifierKey log, String earlier, String note) throws InterruptedException, Behind {
        Checkpoint now = checkpoint(note);
        now.verify(log);
        Checkpoint before = earlier.isEmpty() ? now : checkpoint(earlier);
        if (now.size() == before.size() && now.root().equals(before.root())) {
            return now;
        }
        if (now.size() < before.size()) {
            throw new Behind();
        }
        if (now.size() == before.size()
            || !Hashes.consistent(before.size(), now.size(), before.root(), now.root(), consistency(before.size(), now.size()))) {
            throw wentBack(earlier, note);
        }
        return now;
    }

    static ArborlogException wentBack(String earlier, String note) {
        return new ArborlogException("log_went_back", "log", "the log does not extend the checkpoint that it gave before: it lost acknowledged "
            + "entries, an older copy was put back, or it is another log. Tell its operator, and keep both checkpoints.\nbefore:\n" + earlier
            + "now:\n" + note);
    }

    /** How many addresses there are. */
    int places() {
        return addresses.size();
    }

    /** Asks another address first from now on: this one lags. */
    void turn() {
        address++;
    }

    /** Fetches an entry and the proof that it is in the log of a checkpoint, which the caller has verified. */
    public Entry provenEntry(long index, Checkpoint checkpoint) throws InterruptedException {
        String where = "entry " + Long.toUnsignedString(index);
        if (Long.compareUnsigned(index, checkpoint.size()) >= 0) {
            throw new ArborlogException("answer_malformed", where, "the log has " + checkpoint.size() + " entries");
        }
        String path = "/v1/entries/" + index;
        Object bytes = found(path).get("entry");
        byte[] entry = within(path, () -> Base64.getDecoder().decode((String) bytes));
        List<Bytes32> hashes = hashes("/v1/proofs/inclusion?index=" + index + "&size=" + checkpoint.size());
        ReceiptFile.Link link = new ReceiptFile.Link(index, entry, hashes);
        try {
            link.checkComplete(checkpoint);
            return link.open(checkpoint);
        } catch (ArborlogException wrong) {
            throw wrong.at(where);
        }
    }

    /** Each address is asked before a 404 is an answer: one may lag. */
    private Map<String, Object> found(String path) throws InterruptedException {
        for (int tries = 0; tries < places(); tries++) {
            try {
                return get(path);
            } catch (Problem problem) {
                if (problem.status() != 404) {
                    throw problem;
                }
                turn();
            }
        }
        throw new ArborlogException("entry_missing", path, "the log, which has it by its checkpoint, does not give it");
    }

    /** A bundle has so many entries (c2sp.org/tlog-tiles). */
    private static final int BUNDLE_WIDTH = 256;

    /** Fetches the bytes of entries from their bundles. Nothing of them is proven yet. */
    List<byte[]> entries(long start, long end, long size) throws InterruptedException {
        List<byte[]> found = new ArrayList<>();
        for (long first = start - start % BUNDLE_WIDTH; first < end; first += BUNDLE_WIDTH) {
            int width = (int) Math.min(BUNDLE_WIDTH, size - first);
            String path = "/tile/entries/" + bundleName(first / BUNDLE_WIDTH) + (width < BUNDLE_WIDTH ? ".p/" + width : "");
            List<byte[]> bundle = call("GET", path, null, null, bytes -> readBundle(bytes, width));
            for (int n = 0; n < width; n++) {
                if (first + n >= start && first + n < end) {
                    found.add(bundle.get(n));
                }
            }
        }
        return found;
    }

    private static List<byte[]> readBundle(byte[] bundle, int width) {
        Reader in = new Reader(bundle);
        List<byte[]> entries = new ArrayList<>();
        while (entries.size() < width) {
            entries.add(in.take(in.uint(2)));
        }
        return entries;
    }

    /** A bundle's number as paths have it: three digits a part, all but the last behind an x. */
    private static String bundleName(long number) {
        String name = String.format("%03d", number % 1_000);
        for (long rest = number / 1_000; rest > 0; rest /= 1_000) {
            name = String.format("x%03d/", rest % 1_000) + name;
        }
        return name;
    }

    private List<Bytes32> consistency(long from, long to) throws InterruptedException {
        return hashes("/v1/proofs/consistency?from=" + from + "&to=" + to);
    }

    private List<Bytes32> hashes(String path) throws InterruptedException {
        Object hashes = found(path).get("hashes");
        return within(path, () -> ((List<?>) hashes).stream().map(one -> Bytes32.of(Base64.getDecoder().decode((String) one))).toList());
    }

    /** The answer to what was posted: where the record is, or the seal, and a checkpoint that covers it. */
    public record Admitted(long index, String checkpoint) {}

    /** Sends what was signed: again the same bytes, until the ledger answers. A refusal is a Problem. */
    public Admitted post(SignedBody body, int statements) throws InterruptedException {
        Map<String, Object> said = call("POST", body.path(), body.mediaType(), body.body(), bytes -> {
            Map<String, Object> answer = Json.object(String.valueOf(Text.decode(bytes)));
            need(answer.get("checkpoint") instanceof String, "json_malformed", "the answer has no checkpoint");
            return answer;
        });
        Long index = body.isSealed() ? number(said.get("seal_index"))
            : said.get("indexes") instanceof List<?> list && list.size() == 1 ? number(list.get(0)) : null;
        Long first = body.isSealed() ? number(said.get("first_index")) : index;
        if (index == null || first == null || index - first != (body.isSealed() ? statements : 0)) {
            throw new ArborlogException("answer_malformed", body.path(), "the answer's indexes are not those of what was sent");
        }
        return new Admitted(index, (String) said.get("checkpoint"));
    }
}
