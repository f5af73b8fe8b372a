package org.arborlog;

import java.util.List;

/** quorum_missing: too few of a policy's witnesses signed. */
public final class QuorumMissing extends ArborlogException {
    private static final long serialVersionUID = 1;

    private final transient List<Witness> missing;
    private final transient List<String> levels;

    /** A witness by the policy's name for it, and its key's. */
    public record Witness(String as, String name) {}

    QuorumMissing(String what, List<Witness> missing, List<String> levels) {
        super("quorum_missing", "checkpoint", what);
        this.missing = List.copyOf(missing);
        this.levels = List.copyOf(levels);
    }

    /** Those that the quorum asks for and that did not sign, in the order of the policy's lines. */
    public List<Witness> missing() {
        return missing;
    }

    /** Those of witnessed and audited that are reached all the same. */
    public List<String> levels() {
        return levels;
    }
}
