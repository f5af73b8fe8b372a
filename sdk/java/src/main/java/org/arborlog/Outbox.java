package org.arborlog;

import java.time.Clock;
import java.util.ArrayList;
import java.util.List;

/**
 * Sends the statements of a store into a ledger, each just once: signed once, kept before they are sent, the same bytes again after any cut.
 * Several processes may send one outbox at a time: they send the same bytes.
 */
public final class Outbox {
    private final Store store;
    private final Client client;
    private final Signer signer;
    private final VerifierKey log;
    private final int sealMost;
    private final Clock clock;

    /** What is answered is checked by the log's key, whose name is the ledger's origin. A seal signs up to 1,000 statements. */
    public Outbox(Store store, Client client, Signer signer, VerifierKey log) {
        this(store, client, signer, log, 1_000, Clock.systemUTC());
    }

    /** With a size of batches and a clock of your own. */
    public Outbox(Store store, Client client, Signer signer, VerifierKey log, int sealMost, Clock clock) {
        this.store = store;
        this.client = client;
        this.signer = signer;
        this.log = log;
        this.sealMost = sealMost;
        this.clock = clock;
    }

    /** What a run did. */
    public record Report(int in, int refused) {}

    /** What recover took as the outbox's own: statements that were put and are in, and those that it did not know. */
    public record Recovered(int taken, int added) {}

    /**
     * Sends all that waits, and returns when nothing does. What the rules refuse is marked so, and the others are sent. Where it can't go on it throws
     * an ArborlogException; run it again when that is mended. Its codes: unanswered (no address answered in time), another_writer (records that this
     * outbox did not sign are in the key's chain; recover takes them as its own), log_went_back (the ledger lost what it had acknowledged), key_refused (the key has no
     * role, or no more), refused (the ledger refuses what the outbox does; the text says why).
     */
    public Report send() throws InterruptedException {
        Sending run = new Sending();
        if (run.isIdle()) {
            return new Report(0, 0);
        }
        run.catchUp();
        for (Store.Attempt open = run.openAttempt(); open != null; open = run.openAttempt()) {
            run.settle(open);
        }
        return new Report(run.in, run.refused);
    }

    /**
     * Takes what the log has of the outbox's keys and the outbox does not know as its own, proven. It is for an outbox that was lost or put back from
     * an older copy, and for a key that something else used and no longer does (another_writer). Statements that wait and say the same are in then; of
     * an award's event that the log speaks of nothing else is sent. Make sure before that nothing else signs with the key.
     */
    public Recovered recover() throws InterruptedException {
        return new Recovery(store, client, new KeyLog(store, client, log)).run(signer.publicKey());
    }

    private Day today() {
        return Day.ofMillis(clock.millis());
    }

    private final class Sending {
        private final KeyLog keyLog = new KeyLog(store, client, log);
        private int most = sealMost;
        private int in;
        private int refused;

        /** Nothing waits, and nothing that was signed is without an answer. Nobody is asked then. */
        boolean isIdle() {
            return store.inTransaction(tx -> {
                Store.Attempt last = lastOf(tx);
                return tx.waiting(1).isEmpty() && (last == null || last.replaced());
            });
        }

        /** Before anything is signed: the log extends what was kept, and the key's chain ends where the outbox says. */
        void catchUp() throws InterruptedException {
            Bytes32 key = signer.publicKey();
            String note = keyLog.newest(key).note();
            Client.Issuer issuer = keyLog.issuer(key);
            Store.Head head = keyLog.head(key);
            if (head == null) {
                if (issuer.chain().seq() != 0) {
                    throw anotherWriter(key, 0, issuer);
                }
                Chain chain = issuer.chain();
                store.inTransaction(tx -> {
                    if (tx.head(key) == null) {
                        tx.setHead(key, new Store.Head(chain, note));
                    }
                    return null;
                });
                return;
            }
            while (issuer.chain().seq() < head.chain().seq()) {
                keyLog.behind(head, issuer.chain());
                issuer = keyLog.issuer(key);
            }
            if (issuer.chain().seq() != head.chain().seq() || !issuer.chain().prev().equals(head.chain().prev())) {
                settleByLog(key, head.chain().seq());
            }
        }

        /** What was signed and has no answer; else what waits is signed, and kept before anything is sent. */
        Store.Attempt openAttempt() {
            Bytes32 key = signer.publicKey();
            return store.inTransaction(tx -> {
                Store.Attempt last = lastOf(tx);
                if (last != null && !last.replaced()) {
                    return last;
                }
                List<Store.Queued> waiting = tx.waiting(most);
                if (waiting.isEmpty()) {
                    return null;
                }
                tx.addAttempt(sign(tx.head(key).chain(), waiting));
                return lastOf(tx);
            });
        }

        private Store.Attempt lastOf(Store.Tx tx) {
            List<Store.Attempt> attempts = tx.attempts();
            return attempts.isEmpty() ? null : attempts.get(attempts.size() - 1);
        }

        private boolean isOpen(Store.Tx tx, Store.Attempt attempt) {
            Store.Attempt last = lastOf(tx);
            return last != null && last.number() == attempt.number() && !last.replaced();
        }

        /** The first statements that may be sealed are; one that may not, or is alone, is a record. */
        private Store.Attempt sign(Chain chain, List<Store.Queued> waiting) {
            List<byte[]> batch = new ArrayList<>();
            List<Long> ids = new ArrayList<>();
            int total = 0;
            for (Store.Queued one : waiting) {
                total += one.bytes().length;
                if (!Statement.decode(one.bytes()).canSeal() || total > SignedBody.BATCH_MAX / 2) {
                    break;
                }
                batch.add(one.bytes());
                ids.add(one.id());
            }
            Store.Queued first = waiting.get(0);
            SignedBody body = batch.size() < 2 ? SignedBody.record(log.name(), chain, today(), first.bytes(), signer)
                : SignedBody.seal(log.name(), chain, today(), batch, signer);
            return new Store.Attempt(0, signer.publicKey(), body, batch.size() < 2 ? List.of(first.id()) : List.copyOf(ids), false);
        }

        /** Sends an attempt, and notes what became of it. */
        void settle(Store.Attempt attempt) throws InterruptedException {
            // Of before the request: another sender of this outbox may note a newer one meanwhile.
            Store.Head head = keyLog.head(attempt.issuer());
            if (head == null) {
                return;
            }
            Client.Admitted answer;
            try {
                answer = client.post(attempt.body(), attempt.statements().size());
            } catch (Problem problem) {
                settleRefused(attempt, problem);
                return;
            }
            Checkpoint checkpoint;
            try {
                checkpoint = client.checkExtends(log, head.checkpoint(), answer.checkpoint());
            } catch (Client.Behind behind) {
                // The address lags, or was put back from an older copy; the newest checkpoint of all tells which.
                client.turn();
                settleByLog(attempt.issuer(), attempt.body().seq());
                return;
            }
            // Only what is proven to be in the log's tree is noted as in.
            KeyLog.Chained own = keyLog.ownEntry(attempt.issuer(), answer.index(), checkpoint);
            if (!own.id().equals(attempt.body().id())) {
                throw new ArborlogException("entry_wrong", "entry " + answer.index(), "it is not the record that was sent");
            }
            markIn(attempt, answer.index(), answer.checkpoint());
        }

        private void settleRefused(Store.Attempt attempt, Problem problem) throws InterruptedException {
            SignedBody body = attempt.body();
            ArborlogException refusal = new ArborlogException("refused", body.path(), problem.getMessage());
            switch (problem.code()) {
                case "batch_refused" -> markRefused(attempt, problem.refused());
                case "sequence_used", "sequence_gap", "chain_broken", "already_in" -> settleByLog(attempt.issuer(), body.seq());
                case "issuer_unknown", "key_revoked", "key_expired" -> {
                    if (attempt.issuer().equals(signer.publicKey()) || problem.code().equals("issuer_unknown")) {
                        throw new ArborlogException("key_refused", "key " + attempt.issuer(), problem.getMessage());
                    }
                    // What a key signed that was replaced since can never come in: the new one signs it.
                    store.inTransaction(tx -> replace(tx, attempt));
                }
                case "not_canonical", "signature_invalid", "seal_mismatch", "issuers_mixed" -> throw refusal;
                default -> {
                    boolean isOld = List.of("day_refused", "issued_on_decreases").contains(problem.code()) && !body.issuedOn().equals(today());
                    boolean isLarge = problem.code().equals("batch_too_large") && attempt.statements().size() > 1;
                    if (isOld || isLarge) { // signed long ago, or too much: anew, with the day of today, or less
                        most = isLarge ? attempt.statements().size() / 2 : most;
                        store.inTransaction(tx -> replace(tx, attempt));
                    } else if (body.isSealed() || !List.of(403, 413, 422).contains(problem.status())) {
                        throw refusal;
                    } else {
                        markRefused(attempt, List.of(new Problem.Refused(0, problem.code(), problem.getMessage())));
                    }
                }
            }
        }

        private boolean replace(Store.Tx tx, Store.Attempt attempt) {
            boolean still = isOpen(tx, attempt);
            if (still) {
                tx.replace(attempt);
            }
            return still;
        }

        /** Notes that an attempt's statements are in. Another process may have done so. A batch's statements stand in front of their seal. */
        private void markIn(Store.Attempt attempt, long index, String note) {
            int count = attempt.statements().size();
            store.inTransaction(tx -> {
                Store.Head head = tx.head(attempt.issuer());
                if (head == null || head.chain().seq() != attempt.body().seq()) {
                    return null;
                }
                for (int i = 0; i < count; i++) {
                    tx.markIn(attempt.statements().get(i), attempt.body().isSealed() ? index - (count - i) : index);
                }
                tx.dropAttempts();
                tx.setHead(attempt.issuer(), new Store.Head(head.chain().next(attempt.body().id(), attempt.body().issuedOn()),
                    KeyLog.larger(head.checkpoint(), note)));
                return null;
            });
            keyLog.settled();
            in += count;
        }

        /** Notes what the rules refuse. The others are signed anew, in the same place of the chain. */
        private void markRefused(Store.Attempt attempt, List<Problem.Refused> all) {
            if (all.isEmpty() || all.stream().anyMatch(one -> one.position() < 0 || one.position() >= attempt.statements().size())) {
                throw new ArborlogException("answer_malformed", attempt.body().path(), "the batch has no such statement as was refused");
            }
            boolean noted = store.inTransaction(tx -> {
                if (!replace(tx, attempt)) {
                    return false;
                }
                all.forEach(one -> tx.markRefused(attempt.statements().get(one.position()), one.code(), one.detail()));
                return true;
            });
            refused += noted ? all.size() : 0;
        }

        /**
         * Finds what stands in the place of the chain that the outbox signed for: an attempt of ours that came first, late or through another address, or
         * another writer's record.
         */
        private void settleByLog(Bytes32 key, long seq) throws InterruptedException {
            Store.Head head = keyLog.head(key);
            if (head == null || head.chain().seq() > seq) {
                return; // another sender of this outbox noted it meanwhile
            }
            // In this order: the checkpoint covers all that the end of the chain speaks of.
            Client.Issuer issuer = keyLog.issuer(key);
            KeyLog.Newest newest = keyLog.newest(key);
            if (issuer.chain().seq() <= head.chain().seq()) {
                keyLog.behind(head, issuer.chain());
                return;
            }
            List<KeyLog.Chained> first = new ArrayList<>();
            keyLog.walkBack(key, seq, issuer, newest.checkpoint(), one -> {
                first.clear();
                first.add(one);
            });
            for (Store.Attempt one : store.inTransaction(Store.Tx::attempts)) {
                if (one.body().id().equals(first.get(0).id()) && issuer.chain().seq() == seq + 1) {
                    markIn(one, first.get(0).index(), newest.note());
                    return;
                }
            }
            if (keyLog.head(key).chain().seq() == seq) {
                throw anotherWriter(key, seq, issuer);
            }
        }

        private ArborlogException anotherWriter(Bytes32 key, long seq, Client.Issuer issuer) {
            return new ArborlogException("another_writer", "entry " + issuer.headIndex(), "the log has " + issuer.chain().seq() + " records of the key " + key
                + ", and this outbox knows the first " + seq + ": something else signs with the key, or the outbox was lost, or put back from an older "
                + "copy. Make sure that nothing else signs with it; then recover takes them as this outbox's own");
        }
    }
}
