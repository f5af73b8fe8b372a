package org.arborlog;

/** The log as a writer of keys sees it: it extends what was acknowledged, and a key's chain in it continues where it must. */
final class KeyLog {
    /** So many records of a key are looked at, from the newest one back. */
    private static final int WALK_MAX = 65_536;

    private final Store store;
    private final Client client;
    private final VerifierKey log;
    private int lags;

    KeyLog(Store store, Client client, VerifierKey log) {
        this.store = store;
        this.client = client;
        this.log = log;
    }

    /** A record of a key, proven to be in the log. */
    record Chained(long index, Entry entry, Bytes32 id) {}

    /** A checkpoint that extends the one that was kept, with its note. */
    record Newest(Checkpoint checkpoint, String note) {}

    Store.Head head(Bytes32 key) {
        return store.inTransaction(tx -> tx.head(key));
    }

    /** The newest checkpoint, which is kept from now on. */
    Newest newest(Bytes32 key) throws InterruptedException {
        Store.Head head = head(key);
        String note = client.checkExtends(log, head == null ? "" : head.checkpoint());
        if (head != null) {
            store.inTransaction(tx -> {
                Store.Head now = tx.head(key);
                tx.setHead(key, new Store.Head(now.chain(), larger(now.checkpoint(), note)));
                return null;
            });
        }
        return new Newest(Client.checkpoint(note), note);
    }

    /** The checkpoint of the larger tree: two senders may note theirs in either order. */
    static String larger(String kept, String shown) {
        return Client.checkpoint(kept).size() > Client.checkpoint(shown).size() ? kept : shown;
    }

    /** What the ledger says of a key, whose chain has an end if it counts records of it. */
    Client.Issuer issuer(Bytes32 key) throws InterruptedException {
        Client.Issuer issuer;
        try {
            issuer = client.issuer(key);
        } catch (Problem problem) {
            if (problem.status() == 404) {
                throw new ArborlogException("key_refused", "key " + key, "it has no role in the ledger yet: governors grant it");
            }
            throw problem;
        }
        if ((issuer.headIndex() == null) != (issuer.chain().seq() == 0)) {
            throw new ArborlogException("answer_malformed", "key " + key, "the server counts records of the key, and names no entry of one");
        }
        return issuer;
    }

    /** A request was answered as it must be: what lagged does not count any more. */
    void settled() {
        lags = 0;
    }

    /** Passes over an address whose chain ends before what was acknowledged. When all were asked, it is a fault of the log. */
    void behind(Store.Head head, Chain chain) {
        if (++lags <= 2 * client.places()) {
            client.turn();
            return;
        }
        if (chain.seq() == head.chain().seq() && chain.prev().equals(head.chain().prev())) {
            throw new ArborlogException("answer_malformed", "log", "the server refuses the place of the chain that it names itself");
        }
        throw new ArborlogException("log_went_back", "log", "it has " + chain.seq() + " records of this key, and acknowledged " + head.chain().seq()
            + ", or others: tell its operator, and keep the checkpoint.\nbefore:\n" + head.checkpoint());
    }

    /** A signed entry of the key, proven to be in the log of the checkpoint. */
    Chained ownEntry(Bytes32 key, long index, Checkpoint checkpoint) throws InterruptedException {
        Entry entry = client.provenEntry(index, checkpoint);
        if (entry.form() != 1 || !entry.record().issuer().equals(key)) {
            throw wrong(index, "it is no record of the key");
        }
        return new Chained(index, entry, LedgerRecord.id(checkpoint.origin(), entry.signed().record()));
    }

    private static ArborlogException wrong(long index, String what) {
        return new ArborlogException("entry_wrong", "entry " + Long.toUnsignedString(index), what);
    }

    /** What is done with a record of a chain. */
    interface Visit {
        void of(Chained one) throws InterruptedException;
    }

    /** The key's records from its newest one back to the one of a seq, the newest first: each names the one before it. */
    void walkBack(Bytes32 key, long seq, Client.Issuer end, Checkpoint checkpoint, Visit visit) throws InterruptedException {
        long index = end.headIndex();
        Chained after = null;
        for (int step = 0; step < WALK_MAX; step++) {
            Chained one = ownEntry(key, index, checkpoint);
            LedgerRecord record = one.entry.record();
            if (after == null && (record.seq() + 1 != end.chain().seq() || !one.id.equals(end.chain().prev()))) {
                throw new ArborlogException("answer_malformed", "entry " + index, "it is not the key's newest record, by what the server says of the key");
            }
            if (after != null && (after.entry.record().seq() != record.seq() + 1 || !after.entry.record().prev().equals(one.id))) {
                throw wrong(index, "it is not the record that the next one names");
            }
            visit.of(one);
            if (record.seq() <= seq) {
                return;
            }
            long before = one.entry.lineage().isEmpty() ? Entry.NONE : one.entry.lineage().get(0);
            if (Long.compareUnsigned(before, index) >= 0) {
                throw wrong(index, "it names no record of the key before it");
            }
            index = before;
            after = one;
        }
        throw new ArborlogException("chain_too_long", "key " + key, "the log has more than " + WALK_MAX + " records of it that are not known");
    }
}
