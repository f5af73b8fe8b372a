package org.arborlog;

import java.util.List;

/**
 * By what a receipt is verified: keys that you have from somebody you trust, not from the file's sender.
 *
 * @param log the log's verifier key; null where the policy names logs
 * @param genesis the genesis' record id; null for any of that log, and Proven shows which
 * @param witnesses those of which each must have cosigned
 * @param policy names logs, which then must have signed, and the witnesses and auditors that must have cosigned; or null
 * @param check verifies signatures
 * @param mldsa verifies those of ML-DSA-44: the JDK's from 24 on. Null where nothing does: what depends on them could not be checked
 */
public record Trust(VerifierKey log, Bytes32 genesis, List<VerifierKey> witnesses, Policy policy, SignatureCheck check, MldsaCheck mldsa) {
    private static final MldsaCheck OF_JDK = JdkMldsa.find();

    /** By a log's key alone. */
    public static Trust of(VerifierKey log) {
        return new Trust(log, null, List.of(), null, Ed25519::holds, OF_JDK);
    }

    /** By a policy: its logs, and the witnesses that it asks for. */
    public static Trust of(Policy policy) {
        return new Trust(null, null, List.of(), policy, Ed25519::holds, OF_JDK);
    }

    /** The same, and the log's key beside a policy. */
    public Trust withLog(VerifierKey key) {
        return new Trust(key, genesis, witnesses, policy, check, mldsa);
    }

    /** The same, and the genesis. */
    public Trust withGenesis(Bytes32 id) {
        return new Trust(log, id, witnesses, policy, check, mldsa);
    }

    /** The same, and witnesses that must have cosigned. */
    public Trust withWitnesses(List<VerifierKey> keys) {
        return new Trust(log, genesis, keys, policy, check, mldsa);
    }

    /** The same, with another check of ML-DSA-44, such as Bouncy Castle's; null for none. */
    public Trust withMldsa(MldsaCheck other) {
        return new Trust(log, genesis, witnesses, policy, check, other);
    }
}
