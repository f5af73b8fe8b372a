package org.arborlog;

import java.util.List;

/**
 * By what a receipt is verified: keys that you have from somebody you trust, not from the file's sender.
 *
 * @param log the log's verifier key; null where the policy names logs
 * @param genesis the genesis' record id; null for any of that log, and Proven shows which
 * @param witnesses those of which each must have cosigned
 * @param policy what else must have cosigned, or null. Its ML-DSA witnesses count as absent: their signatures are not verified here
 * @param check verifies signatures
 */
public record Trust(VerifierKey log, Bytes32 genesis, List<VerifierKey> witnesses, Policy policy, SignatureCheck check) {
    /** By a log's key alone. */
    public static Trust of(VerifierKey log) {
        return new Trust(log, null, List.of(), null, Ed25519::holds);
    }

    /** By a policy: its logs, and the witnesses that it asks for. */
    public static Trust of(Policy policy) {
        return new Trust(null, null, List.of(), policy, Ed25519::holds);
    }

    /** The same, and the genesis. */
    public Trust withGenesis(Bytes32 id) {
        return new Trust(log, id, witnesses, policy, check);
    }

    /** The same, and witnesses that must have cosigned. */
    public Trust withWitnesses(List<VerifierKey> keys) {
        return new Trust(log, genesis, keys, policy, check);
    }
}
