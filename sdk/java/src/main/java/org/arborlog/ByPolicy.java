package org.arborlog;

import java.util.List;

/**
 * Who of a policy cosigned a checkpoint (docs/format.md, 12.3).
 *
 * @param levels those reached of cosigned, witnessed and audited
 * @param notChecked the witnesses, by the policy's names, whose lines are of ML-DSA-44 where nothing checks these
 */
public record ByPolicy(List<String> levels, List<Cosigner> cosignedBy, List<String> notChecked) {
    /**
     * A witness, or an auditor, whose line holds.
     *
     * @param as the policy's name for it, and name its key's
     * @param role witness or auditor
     * @param atS the newest time of its lines, null where an auditor gives none
     */
    public record Cosigner(String as, String name, String role, Long atS) {}
}
