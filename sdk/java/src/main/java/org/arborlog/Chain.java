package org.arborlog;

/** Where a key's chain goes on: the place of its next record, the id of the one before, and that one's day, which no later one is before. */
public record Chain(long seq, Bytes32 prev, Day issuedOn) {
    /** The chain behind a record. */
    Chain next(Bytes32 id, Day day) {
        return new Chain(seq + 1, id, day);
    }

    /** Today, or the day of the record before if that is later: the clock may have been put back. */
    Day day(Day today) {
        return today.compareTo(issuedOn) < 0 ? issuedOn : today;
    }
}
