package org.arborlog;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Takes what the log has of an outbox's keys and the outbox does not know as its own. */
final class Recovery {
    /** Another sender of the outbox may come between so often. */
    private static final int TRIES = 5;

    private final Store store;
    private final Client client;
    private final KeyLog log;

    Recovery(Store store, Client client, KeyLog log) {
        this.store = store;
        this.client = client;
        this.log = log;
    }

    /** A statement that is in: its bytes, and its entry's index. */
    private record Said(byte[] bytes, long index) {}

    /** A record, by the chain behind it, and what it says. */
    private record Found(Chain behind, List<Said> said) {}

    /** A key's records in the log behind what the outbox knows of it, the oldest first. */
    private record Behind(Bytes32 key, Store.Head from, List<Found> records, String note) {}

    Outbox.Recovered run(Bytes32 signer) throws InterruptedException {
        for (int tries = 0; tries < TRIES; tries++) {
            List<Store.Attempt> attempts = store.inTransaction(Store.Tx::attempts);
            Bytes32 last = attempts.isEmpty() ? null : attempts.get(attempts.size() - 1).issuer();
            List<Behind> all = new ArrayList<>(List.of(find(signer)));
            if (last != null && !last.equals(signer)) {
                all.add(find(last)); // a key that was replaced may have signed what has no answer
            }
            Outbox.Recovered recovered = store.inTransaction(tx -> adopt(tx, all, last));
            if (recovered != null) {
                return recovered;
            }
        }
        throw new ArborlogException("unanswered", "outbox", "other senders of it came between each time: stop them, and run it again");
    }

    /** Reads the key's records from the log, from the outbox's end of the chain on. */
    private Behind find(Bytes32 key) throws InterruptedException {
        Store.Head from = log.head(key);
        Chain known = from == null ? new Chain(0, Bytes32.of(new byte[32]), new Day(0)) : from.chain();
        // In this order: the checkpoint covers all that the end of the chain speaks of.
        Client.Issuer end = log.issuer(key);
        KeyLog.Newest newest = log.newest(key);
        List<Found> records = new ArrayList<>();
        if (end.chain().seq() <= known.seq()) {
            return new Behind(key, from, records, newest.note());
        }
        List<LedgerRecord> oldest = new ArrayList<>();
        log.walkBack(key, known.seq(), end, newest.checkpoint(), one -> {
            LedgerRecord record = one.entry().record();
            records.add(new Found(new Chain(record.seq() + 1, one.id(), record.issuedOn()), saidBy(one, newest.checkpoint())));
            oldest.clear();
            oldest.add(record);
        });
        LedgerRecord first = oldest.get(0);
        if (first.seq() != known.seq() || known.seq() > 0 && !first.prev().equals(known.prev())) {
            throw Client.wentBack(from == null ? "" : from.checkpoint(), newest.note());
        }
        Collections.reverse(records);
        return new Behind(key, from, records, newest.note());
    }

    /** What a record says: of a seal each statement that it signs for, by the seal's root. */
    private List<Said> saidBy(KeyLog.Chained one, Checkpoint checkpoint) throws InterruptedException {
        if (!(one.entry().statement() instanceof Statement.Seal seal)) {
            return List.of(new Said(one.entry().statementBytes(), one.index()));
        }
        ArborlogException wrong = new ArborlogException("seal_mismatch", "entry " + one.index(), "the entries before it are not those that it seals");
        if (seal.count() > one.index()) {
            throw wrong;
        }
        long start = one.index() - seal.count();
        List<Said> said = new ArrayList<>();
        List<Bytes32> leaves = new ArrayList<>();
        for (byte[] bytes : client.entries(start, one.index(), checkpoint.size())) {
            if (Entry.formOf(bytes) != 2) {
                throw wrong;
            }
            byte[] statement = Entry.decode(bytes).statementBytes();
            leaves.add(Hashes.leaf(statement));
            said.add(new Said(statement, start + said.size()));
        }
        if (leaves.isEmpty() || !Hashes.root(leaves).equals(seal.root())) {
            throw wrong;
        }
        return said;
    }

    /** Notes what was found; null if the outbox's chains moved meanwhile. */
    private static Outbox.Recovered adopt(Store.Tx tx, List<Behind> all, Bytes32 lastSigned) {
        for (Behind one : all) {
            Store.Head now = tx.head(one.key);
            if (!Objects.equals(now == null ? null : now.chain(), one.from == null ? null : one.from.chain())) {
                return null;
            }
        }
        int taken = 0;
        int added = 0;
        for (Behind one : all) {
            if (one.records.isEmpty()) {
                continue;
            }
            Outbox.Recovered recovered = new Adoption(tx).of(one);
            taken += recovered.taken();
            added += recovered.added();
            if (one.key.equals(lastSigned)) {
                // Its place is taken: it can't come in any more, and what it carries and is not in waits.
                tx.dropAttempts();
            }
        }
        return new Outbox.Recovered(taken, added);
    }

    /** The statements of the outbox that are not in yet, by their bytes and by the event that they are about. */
    private static final class Adoption {
        private final Store.Tx tx;
        private final Map<Bytes32, Deque<Long>> same = new HashMap<>();
        private final Map<Bytes32, List<Long>> ofEvent = new HashMap<>();
        private final Set<Long> in = new HashSet<>();

        Adoption(Store.Tx tx) {
            this.tx = tx;
            for (Store.Queued one : tx.unsettled()) {
                same.computeIfAbsent(Hashes.leaf(one.bytes()), none -> new ArrayDeque<>()).add(one.id());
                Bytes32 event = eventIn(one.bytes());
                if (event != null) {
                    ofEvent.computeIfAbsent(event, none -> new ArrayList<>()).add(one.id());
                }
            }
        }

        Outbox.Recovered of(Behind found) {
            int taken = 0;
            int added = 0;
            for (Found record : found.records) {
                for (Said said : record.said) {
                    Long waiting = same.getOrDefault(Hashes.leaf(said.bytes), new ArrayDeque<>()).poll();
                    if (waiting != null) {
                        in.add(waiting);
                        tx.markIn(waiting, said.index);
                        taken++;
                    }
                    long standsFor = refuseOthersOf(said);
                    if (waiting == null) {
                        tx.addIn(said.bytes, said.index, standsFor);
                        added++;
                    }
                }
            }
            tx.setHead(found.key, new Store.Head(found.records.get(found.records.size() - 1).behind, found.note));
            return new Outbox.Recovered(taken, added);
        }

        /** Of an award's event that the log speaks of nothing else is sent; gives the last one that would have been, or 0. */
        private long refuseOthersOf(Said said) {
            long last = 0;
            Bytes32 event = eventIn(said.bytes);
            for (long id : event == null ? List.<Long>of() : ofEvent.getOrDefault(event, List.of())) {
                if (!in.contains(id)) {
                    tx.markRefused(id, Store.EVENT_IS_IN, "entry " + said.index + " speaks of this event");
                    last = id;
                }
            }
            return last;
        }

        private static Bytes32 eventIn(byte[] statement) {
            return Statement.decode(statement) instanceof Statement.Award award ? award.evidence() : null;
        }
    }
}
