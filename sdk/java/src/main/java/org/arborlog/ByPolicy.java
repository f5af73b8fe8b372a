package org.arborlog;

import java.util.List;

/**
 * Who of a policy cosigned a receipt's checkpoint, or one of two (docs/format.md, 12.3 and 13.7).
 *
 * @param levels those reached of cosigned, witnessed and audited
 * @param seenTo the size of the larger of the file's checkpoints that is witnessed, and replayedTo of that which is audited; null where none is
 * @param notChecked the witnesses, by the policy's names, whose lines are of ML-DSA-44 where nothing checks these
 */
public record ByPolicy(List<String> levels, List<Cosigner> cosignedBy, Long seenTo, Long replayedTo, List<String> notChecked) {
    /**
     * A witness, or an auditor, whose line holds.
     *
     * @param as the policy's name for it, and name its key's
     * @param role witness or auditor
     * @param size of the checkpoint
     * @param atS the newest time of its lines, null where an auditor gives none
     */
    public record Cosigner(String as, String name, String role, long size, Long atS) {}
}
