package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.util.List;

/**
 * A second checkpoint in a receipt's file, larger than its own: where no checkpoint has the whole quorum, one has the witnesses' half and
 * another the auditors' (docs/format.md, 13.7).
 */
final class SecondCheckpoint {
    private final byte[] note;
    private final List<Bytes32> consistency;
    private Checkpoint checkpoint;

    SecondCheckpoint(byte[] note, List<Bytes32> consistency) {
        this.note = note;
        this.consistency = consistency;
    }

    /** Reads the note, of a file whose own checkpoint has this size. */
    void read(long size) {
        checkpoint = Checkpoint.read(note);
        need(Long.compareUnsigned(checkpoint.size(), size) > 0, "receipt_malformed", "its second checkpoint is not larger than its own");
    }

    Checkpoint checkpoint() {
        return checkpoint;
    }

    /** That the second checkpoint's tree begins with the file's own. */
    void checkExtends(Checkpoint own) {
        need(consistency.size() == consistencyLength(own.size(), checkpoint.size()), "proof_incomplete",
            "the proof between the two checkpoints has not the number of hashes that it needs");
        need(Hashes.consistent(own.size(), checkpoint.size(), own.root(), checkpoint.root(), consistency), "forked",
            "the second checkpoint's tree does not begin with the file's own");
    }

    /**
     * How many hashes prove that a tree begins with a smaller one (RFC 9162, 2.1.4.1): those of the place of the smaller one's last whole
     * subtree, and that subtree's own unless it is all of the smaller tree.
     */
    private static int consistencyLength(long from, long to) {
        int whole = Long.numberOfTrailingZeros(from);
        long place = from - 1 >>> whole;
        return Hashes.pathLength(place, (to - 1 >>> whole) + 1) + (place == 0 ? 0 : 1);
    }
}
