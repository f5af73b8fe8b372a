package org.arborlog;

import java.util.List;

/**
 * What a receipt proves. It does not prove that the issuer's key was not revoked, that the rules held, or that nothing newer followed: an
 * audit tells that.
 *
 * @param index the entry's place in the log
 * @param treeSize the size of the checkpoint's tree, and root its root
 * @param issuer who signed; null of a state entry, which is the log's own word
 * @param id the record's id; of a sealed entry its seal's
 * @param sealIndex the place of a sealed entry's seal, or null
 * @param genesis the ledger's genesis, where the file leads to one
 * @param witnesses those of Trust, in that order
 * @param byPolicy who else cosigned by the policy of Trust, or null without one
 * @param items items of the state, and shown the entries beside them, of a file about the state
 * @param file what such a file answers, or null
 */
public record Proven(long index, long treeSize, Bytes32 root, Entry entry, Bytes32 issuer, Bytes32 id, Long sealIndex, Bytes32 genesis,
                     List<Seen> witnesses, ByPolicy byPolicy, List<Item> items, List<Long> shown, StateFile file) {
    /** When a witness saw the log so. */
    public record Seen(String witness, long atS) {}

    /**
     * Checks that what was proven answers a question of docs/format.md, 13.6, such as certificate/33258. Else an ArborlogException: about_other
     * (false), about_part (unchecked) where the file has a part of the history that was asked for, wrong_use for no question.
     */
    public void checkAbout(String question) {
        Question.check(this, question);
    }
}
