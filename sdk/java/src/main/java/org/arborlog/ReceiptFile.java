package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A receipt's file as it is read; nothing is verified yet. */
final class ReceiptFile {
    static final int BYTES_MAX = 4 << 20;
    static final int EXTRA_MAX = 2 << 20;
    static final int PATH_MAX = 65;
    static final int LINKS_MAX = 64;
    static final int SIBLINGS_MAX = 14;
    static final int ITEMS_MAX = 64;
    static final int SHOWN_MAX = 512;
    private static final String FIRST_LINE = "c2sp.org/tlog-proof@v1";

    final List<Link> chain = new ArrayList<>();
    Link seal;
    List<Bytes32> siblings = List.of();
    final List<RawItem> items = new ArrayList<>();
    final List<Shown> shown = new ArrayList<>();
    List<Bytes32> hashes = List.of();
    Checkpoint checkpoint;
    SecondCheckpoint second;

    record Link(long index, byte[] entry, List<Bytes32> path) {
        void checkComplete(Checkpoint checkpoint) {
            need(Long.compareUnsigned(index, checkpoint.size()) < 0 && path.size() == Hashes.pathLength(index, checkpoint.size()), "proof_incomplete",
                "the proof of entry " + Long.toUnsignedString(index) + " has not the number of hashes that it needs");
        }

        boolean isIncluded(Checkpoint checkpoint) {
            return Hashes.rootByPath(Hashes.leaf(entry), index, checkpoint.size(), path).equals(checkpoint.root());
        }

        /** Step 6, but for the signatures. */
        Entry open(Checkpoint checkpoint) {
            need(isIncluded(checkpoint), "not_included", "it is not at its index in the checkpoint's tree");
            try {
                return Entry.decode(entry);
            } catch (ArborlogException wrong) {
                throw wrong.recoded("not_canonical");
            }
        }
    }

    record RawItem(byte[] key, byte[] fields, byte[] proof) {}

    record Shown(long index, byte[] entry, List<Bytes32> siblings) {}

    static ReceiptFile read(byte[] data) {
        if (!mayBeReceipt(data)) {
            throw new ArborlogException("not_a_receipt", "file", "its first line is not " + FIRST_LINE);
        }
        if (data.length > BYTES_MAX) {
            throw new ArborlogException("too_long", "file", "a receipt has at most 4 MiB");
        }
        ReceiptFile file = new ReceiptFile();
        byte[] note;
        try {
            note = file.readLines(data);
        } catch (ArborlogException wrong) {
            throw FileFault.name(data, wrong.recoded("receipt_malformed").at("file"));
        }
        try {
            file.checkpoint = Checkpoint.read(note);
            if (file.second != null) {
                file.second.read(file.checkpoint.size());
            }
        } catch (ArborlogException wrong) {
            throw FileFault.name(data, wrong.at("checkpoint"));
        }
        return file;
    }

    /** The file's own checkpoint, and the second one if it has one. */
    List<Checkpoint> checkpoints() {
        return second == null ? List.of(checkpoint) : List.of(checkpoint, second.checkpoint());
    }

    /** The end of step 4, of a file with two checkpoints. */
    void checkSecond() {
        if (second != null) {
            second.checkExtends(checkpoint);
        }
    }

    /** Whether a file is a receipt, whatever was done to it. */
    private static boolean mayBeReceipt(byte[] data) {
        StringBuilder visible = new StringBuilder();
        for (int i = 0; i < Math.min(256, data.length); i++) {
            if (data[i] >= 0x21 && data[i] <= 0x7e && (visible.length() > 0 || data[i] != '>')) {
                visible.append((char) data[i]);
            }
        }
        return visible.toString().startsWith(FIRST_LINE) || data.length <= 256 && FIRST_LINE.startsWith(visible.toString());
    }

    private byte[] readLines(byte[] data) {
        int parted = 0;
        while (parted + 1 < data.length && !(data[parted] == '\n' && data[parted + 1] == '\n')) {
            parted++;
        }
        String head = Text.decode(Arrays.copyOf(data, Math.min(parted, data.length)));
        String[] lines = head == null ? new String[0] : head.split("\n", -1);
        need(parted + 1 < data.length && lines.length >= 3 && lines.length <= 3 + PATH_MAX && lines[0].equals(FIRST_LINE)
            && lines[1].startsWith("extra ") && lines[2].startsWith("index "), "",
            "its lines are not its first line, extra, index, at most 65 hashes, and a checkpoint");
        byte[] extra = Base64s.decode(lines[1].substring(6));
        need(extra != null && extra.length <= EXTRA_MAX, "", "the extra line is no base64 of at most 2 MiB");
        Long index = Base64s.decimal(lines[2].substring(6));
        need(index != null, "", "the index is no plain decimal below 2^64");
        List<Bytes32> path = new ArrayList<>();
        for (String line : List.of(lines).subList(3, lines.length)) {
            byte[] hash = Base64s.decode(line);
            need(hash != null && hash.length == 32, "", "a hash of the proof is not 32 bytes in base64");
            path.add(Bytes32.of(hash));
        }
        Reader in = new Reader(extra);
        readExtra(in, index, path);
        if (in.left() > 0) {
            second = new SecondCheckpoint(in.byteString(Checkpoint.NOTE_BYTES_MAX), in.hashes(PATH_MAX));
        }
        in.end();
        return Arrays.copyOfRange(data, parted + 2, data.length);
    }

    /** The entry, its seal if it is a sealed one, the authority, and of a state entry what is shown beside it. */
    private void readExtra(Reader in, long index, List<Bytes32> path) {
        byte[] entry = in.byteString(Entry.BYTES_MAX);
        chain.add(new Link(index, entry, path));
        if (Entry.formOf(entry) == 2) {
            seal = readLink(in);
            siblings = in.hashes(SIBLINGS_MAX);
        }
        int links = in.count(LINKS_MAX, 24);
        for (int i = 0; i < links; i++) {
            chain.add(readLink(in));
        }
        if (Entry.formOf(entry) == 3) {
            readAboutState(in);
        }
    }

    private static Link readLink(Reader in) {
        return new Link(in.uint(8), in.byteString(Entry.BYTES_MAX), in.hashes(PATH_MAX));
    }

    private void readAboutState(Reader in) {
        int count = in.count(ITEMS_MAX, 17);
        for (int i = 0; i < count; i++) {
            byte[] key = in.byteString(EXTRA_MAX);
            long tag = in.uint(1);
            need(tag < 2, "", "an option's tag is neither 0 nor 1");
            byte[] fields = tag == 1 ? in.byteString(EXTRA_MAX) : null;
            items.add(new RawItem(key, fields, in.byteString(EXTRA_MAX)));
        }
        count = in.count(SHOWN_MAX, 24);
        for (int i = 0; i < count; i++) {
            Shown one = new Shown(in.uint(8), in.byteString(Entry.BYTES_MAX), in.hashes(SIBLINGS_MAX));
            need(i == 0 || Long.compareUnsigned(shown.get(i - 1).index, one.index) < 0, "", "the indexes of shown entries do not ascend");
            need(Entry.formOf(one.entry) == 2 || one.siblings.isEmpty(), "", "an entry that is not sealed has siblings");
            shown.add(one);
        }
        if (!shown.isEmpty()) {
            hashes = in.hashes(Long.MAX_VALUE);
        }
    }
}
