package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/** What a note claims of a log; which of its lines hold, verify tells. */
public final class Checkpoint {
    static final int NOTE_BYTES_MAX = 262_144;
    private static final int SIGNATURES_MAX = 64;

    private record Line(String name, String id, byte[] signature) {}

    private final String origin;
    private final long size;
    private final Bytes32 root;
    private final byte[] signed;
    private final List<Line> lines;

    private Checkpoint(String origin, long size, Bytes32 root, byte[] signed, List<Line> lines) {
        this.origin = origin;
        this.size = size;
        this.root = root;
        this.signed = signed;
        this.lines = lines;
    }

    /** The log's name. */
    public String origin() {
        return origin;
    }

    /** The number of entries. */
    public long size() {
        return size;
    }

    /** The root of the tree over them. */
    public Bytes32 root() {
        return root;
    }

    /** Reads a checkpoint as the bytes that it is. Nothing is verified yet. */
    public static Checkpoint read(byte[] note) {
        need(note.length <= NOTE_BYTES_MAX, "note_malformed", "the note is longer than 262144 bytes");
        String text = Text.decode(note);
        int parted = text == null ? -1 : text.lastIndexOf("\n\n");
        need(parted >= 0 && text.endsWith("\n") && parted + 2 < text.length() && text.chars().noneMatch(c -> c < 0x20 && c != '\n'),
            "note_malformed", "the note is not text, an empty line and lines of signatures");
        List<Line> lines = new ArrayList<>();
        for (String line : text.substring(parted + 2, text.length() - 1).split("\n", -1)) {
            lines.add(readLine(line));
        }
        need(lines.size() <= SIGNATURES_MAX, "note_malformed", "the note has more than 64 lines of signatures");
        String signed = text.substring(0, parted + 1);
        String[] parts = signed.split("\n", -1);
        need(parts.length == 4, "checkpoint_malformed", "a checkpoint's text is not just three lines");
        try {
            Text.encode(parts[0], Wire.Form.ORIGIN, 200);
        } catch (ArborlogException wrong) {
            throw wrong.recoded("checkpoint_malformed");
        }
        Long size = Base64s.decimal(parts[1]);
        byte[] root = Base64s.decode(parts[2]);
        need(size != null && size != 0 && root != null && root.length == 32, "checkpoint_malformed",
            "the size is no plain decimal or 0, or the root not 32 bytes in base64");
        return new Checkpoint(parts[0], size, Bytes32.of(root), signed.getBytes(StandardCharsets.UTF_8), lines);
    }

    private static Line readLine(String line) {
        String[] parts = line.split(" ", -1);
        need(parts.length == 3 && parts[0].equals("\u2014") && Text.isLineName(parts[1]), "note_malformed",
            "a signature's line is not a dash, a name and base64");
        byte[] decoded = Base64s.decode(parts[2]);
        need(decoded != null && decoded.length >= 5, "note_malformed", "a signature's line has no signature in base64");
        return new Line(parts[1], HexFormat.of().formatHex(decoded, 0, 4), Arrays.copyOfRange(decoded, 4, decoded.length));
    }

    /** The times, in seconds, of the lines that name a key; and whether these are of ML-DSA-44 and nothing checks them. */
    record Lines(List<Long> times, boolean isUnread) {}

    /** Checks every line that names a key. Times of a log's Ed25519 key are 0. Of lines that nothing checks the form alone is known. */
    Lines readLines(VerifierKey key, SignatureCheck check, MldsaCheck mldsa) {
        int stamp = key.type() == VerifierKey.LOG ? 0 : 8;
        int width = key.type() == VerifierKey.MLDSA ? SignedRecord.MLDSA_BYTES : 64;
        List<byte[]> own = lines.stream().filter(line -> line.name.equals(key.name()) && line.id.equals(key.id())).map(Line::signature).toList();
        List<Long> times = new ArrayList<>();
        for (byte[] line : own) {
            mustHold(line.length == stamp + width, key);
            times.add(stamp == 0 ? 0 : ByteBuffer.wrap(line).getLong());
        }
        mustHold(times.stream().allMatch(seconds -> seconds >= 0), key);
        if (key.type() == VerifierKey.MLDSA && mldsa == null) {
            return new Lines(times, !own.isEmpty());
        }
        for (int i = 0; i < own.size(); i++) {
            byte[] signature = Arrays.copyOfRange(own.get(i), stamp, stamp + width);
            mustHold(key.type() == VerifierKey.MLDSA ? mldsa.holds(key.key(), signature, mldsaMessage(key.name(), times.get(i)))
                : check.holds(Bytes32.of(key.key()), signature, message(key, times.get(i))), key);
        }
        return new Lines(times, false);
    }

    private static void mustHold(boolean holds, VerifierKey key) {
        if (!holds) {
            throw new ArborlogException("signature_invalid", "checkpoint", "the line by " + key.name() + " " + key.id() + " does not hold");
        }
    }

    private byte[] message(VerifierKey key, long seconds) {
        byte[] head = key.type() == VerifierKey.WITNESS ? ("cosignature/v1\ntime " + seconds + "\n").getBytes(StandardCharsets.UTF_8) : new byte[0];
        return new Writer().put(head).put(signed).bytes();
    }

    /** What a line of ML-DSA-44 signs: names, time, and the tree from its first entry on (docs/format.md, 12.2). */
    private byte[] mldsaMessage(String name, long seconds) {
        return new Writer().put("subtree/v1\n\0".getBytes(StandardCharsets.UTF_8)).framed(name.getBytes(StandardCharsets.UTF_8), 1).uint(seconds, 8)
            .framed(origin.getBytes(StandardCharsets.UTF_8), 1).uint(0, 8).uint(size, 8).put(root).bytes();
    }

    /** The times of the lines that name a key; lines that nothing checks are an exception. */
    List<Long> linesOf(VerifierKey key, SignatureCheck check, MldsaCheck mldsa) {
        Lines read = readLines(key, check, mldsa);
        if (read.isUnread) {
            throw new ArborlogException("mldsa_unsupported", "checkpoint",
                "the line by " + key.name() + " " + key.id() + " is of ML-DSA-44, which nothing here checks (the JDK does from 24 on)");
        }
        return read.times;
    }

    /** Checks the line of a log's key. */
    public void verify(VerifierKey log) {
        verify(log, Ed25519::holds, null);
    }

    void verify(VerifierKey log, SignatureCheck check, MldsaCheck mldsa) {
        if (!origin.equals(log.name())) {
            throw new ArborlogException("other_log", "checkpoint", "it is of " + origin + ", the key given is " + log.name() + "'s");
        }
        if (linesOf(log, check, mldsa).isEmpty()) {
            throw new ArborlogException("unsigned", "checkpoint", "no line is by the log's key that was given");
        }
    }
}
