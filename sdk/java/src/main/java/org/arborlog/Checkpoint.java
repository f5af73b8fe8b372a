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
    private static final int NOTE_BYTES_MAX = 262_144;
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

    /** Checks every line that names a key, and gives their times in seconds; those of a log are 0. */
    List<Long> linesOf(VerifierKey key, SignatureCheck check) {
        List<Long> times = new ArrayList<>();
        for (Line line : lines) {
            if (!line.name.equals(key.name()) || !line.id.equals(key.id())) {
                continue;
            }
            byte[] signature = line.signature;
            byte[] message = signed;
            long seconds = 0;
            boolean isWhole = true;
            if (key.type() == VerifierKey.WITNESS) {
                isWhole = signature.length >= 8;
                seconds = isWhole ? ByteBuffer.wrap(signature).getLong() : 0;
                signature = isWhole ? Arrays.copyOfRange(signature, 8, signature.length) : signature;
                byte[] head = ("cosignature/v1\ntime " + Long.toUnsignedString(seconds) + "\n").getBytes(StandardCharsets.UTF_8);
                message = new Writer().put(head).put(signed).bytes();
            }
            if (!isWhole || seconds < 0 || signature.length != 64 || !check.holds(Bytes32.of(key.key()), signature, message)) {
                throw new ArborlogException("signature_invalid", "checkpoint", "the line by " + key.name() + " " + key.id() + " does not hold");
            }
            times.add(seconds);
        }
        return times;
    }

    /** Checks the line of a log's key. */
    public void verify(VerifierKey log) {
        verify(log, Ed25519::holds);
    }

    void verify(VerifierKey log, SignatureCheck check) {
        if (!origin.equals(log.name())) {
            throw new ArborlogException("other_log", "checkpoint", "it is of " + origin + ", the key given is " + log.name() + "'s");
        }
        if (linesOf(log, check).isEmpty()) {
            throw new ArborlogException("unsigned", "checkpoint", "no line is by the log's key that was given");
        }
    }
}
