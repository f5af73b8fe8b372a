package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.refuse;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;

/** A key of a log (type 1), a witness (4), or either by ML-DSA-44 (6), by its name (c2sp.org/signed-note). */
public final class VerifierKey {
    static final int LOG = 1;
    static final int WITNESS = 4;
    static final int MLDSA = 6;

    private final String name;
    private final int type;
    private final byte[] key;
    private final String id;

    private VerifierKey(String name, int type, byte[] key, String id) {
        this.name = name;
        this.type = type;
        this.key = key;
        this.id = id;
    }

    /** Reads a log's verifier key, as it is published: of Ed25519, or of ML-DSA-44, by which receipts alone are verified. */
    public static VerifierKey ofLog(String written) {
        return read(strip(written), List.of(LOG, MLDSA));
    }

    /** Reads a witness's verifier key. */
    public static VerifierKey ofWitness(String written) {
        return read(strip(written), List.of(WITNESS, MLDSA));
    }

    private static String strip(String written) {
        return written.replaceAll("^[\t\n\f\r ]+|[\t\n\f\r ]+$", "");
    }

    static VerifierKey read(String written, List<Integer> types) {
        String[] parts = written.split("\\+", 3);
        need(parts.length == 3, "vkey_malformed", "a verifier key is <name>+<id>+<base64>");
        byte[] decoded = Base64s.decode(parts[2]);
        need(decoded != null, "vkey_malformed", "the verifier key is no base64");
        Text.encode(parts[0], Wire.Form.ORIGIN, 200);
        int type = decoded[0];
        need(types.contains(type) && decoded.length == (type == MLDSA ? 1 + Statement.MldsaKey.BYTES : 33), "vkey_malformed",
            "the key is of another type or length");
        byte[] sum = Hashes.sha256((parts[0] + "\n").getBytes(StandardCharsets.UTF_8), decoded).bytes();
        String id = HexFormat.of().formatHex(sum, 0, 4);
        need(parts[1].equals(id), "vkey_malformed", "the id does not belong to the key");
        byte[] key = Arrays.copyOfRange(decoded, 1, decoded.length);
        if (type != MLDSA && !Ed25519.isGood(Bytes32.of(key))) {
            throw refuse("key_invalid", "it is no good key");
        }
        return new VerifierKey(parts[0], type, key, id);
    }

    /** The name: a log's is its origin. */
    public String name() {
        return name;
    }

    int type() {
        return type;
    }

    byte[] key() {
        return key;
    }

    String id() {
        return id;
    }

    @Override
    public String toString() {
        byte[] all = new byte[1 + key.length];
        all[0] = (byte) type;
        System.arraycopy(key, 0, all, 1, key.length);
        return name + "+" + id + "+" + Base64.getEncoder().encodeToString(all);
    }
}
