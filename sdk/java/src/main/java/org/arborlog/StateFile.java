package org.arborlog;

import java.math.BigInteger;
import java.util.List;

/**
 * What a file about the state answers.
 *
 * @param about certificate, account_history, plot_history or corrections
 * @param of the key as people write it
 * @param complete whether a history is all of it; begin is its newest entry, next the one that the next part begins with, or null
 * @param missing in words which entries a part of a history lacks
 * @param history the entries of a history, the newest first
 * @param issuers the keys that issued the shown entries
 */
public record StateFile(String about, String of, Bytes32 genesis, boolean complete, long begin, Long next, String missing,
                        List<HistoryEntry> history, List<Item.Key> issuers) {
    /** One entry of a history; points is what it added to the account, and null of a plot. */
    public record HistoryEntry(long index, String kind, BigInteger points) {}
}
