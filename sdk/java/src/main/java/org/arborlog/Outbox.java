package org.arborlog;

import java.time.Clock;
import java.util.ArrayList;
import java.util.List;

/**
 * Sends the statements of a store into a ledger, each just once: signed once, kept before they are sent, the same bytes again after any cut.
 * Several processes may send one outbox at a time: they send the same bytes.
 */
public final class Outbox {
    /** A look at a key's chain goes back at most so far. */
    private static final int WALK_MAX = 10_000;

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

    /**
     * Sends all that waits, and returns when nothing does. What the rules refuse is marked so, and the others are sent. Where it can't go on it throws
     * an ArborlogException; run it again when that is mended. Its codes: unanswered (no address answered in time), another_writer (a record that this
     * outbox did not sign stands in its place of the key's chain), log_went_back (the ledger lost what it had acknowledged), key_refused (the key has no
     * role, or no more), refused (the ledger refuses what the outbox does; the text says why).
     */
    public Report send() throws InterruptedException {
        Sending run = new Sending();
        run.checkHead();
        for (Store.Attempt open = run.openAttempt(); open != null; open = run.openAttempt()) {
            run.settle(open);
        }
        return new Report(run.in, run.refused);
    }

    private Day today() {
        return Day.ofMillis(clock.millis());
    }

    private final class Sending {
        private int most = sealMost;
        private int in;
        private int refused;

        /** The log extends what it answered before; the first time it is asked where the key's chain goes on. */
        void checkHead() throws InterruptedException {
            Bytes32 key = signer.publicKey();
            Store.Head head = store.inTransaction(tx -> tx.head(key));
            String note = client.checkExtends(log, head == null ? "" : head.checkpoint());
            if (head != null) {
                return;
            }
            Chain chain;
            try {
                chain = client.issuer(key).chain();
            } catch (Problem problem) {
                if (problem.status() == 404) {
                    throw new ArborlogException("key_refused", "key " + key, "it has no role in the ledger yet: governors grant it");
                }
                throw problem;
            }
            store.inTransaction(tx -> {
                if (tx.head(key) == null) {
                    tx.setHead(key, new Store.Head(chain, note));
                }
                return null;
            });
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
            Client.Admitted answer;
            try {
                answer = client.post(attempt.body(), attempt.statements().size());
            } catch (Problem problem) {
                settleRefused(attempt, problem);
                return;
            }
            Checkpoint checkpoint = Client.checkpoint(answer.checkpoint());
            checkpoint.verify(log);
            List<Long> indexes = answer.indexes();
            if (indexes.size() != attempt.statements().size() || indexes.contains(null)
                || Long.compareUnsigned(indexes.get(indexes.size() - 1), checkpoint.size()) >= 0) {
                throw new ArborlogException("answer_false", attempt.body().path(), "the answer's indexes are not those of the statements, or beyond its checkpoint");
            }
            markIn(attempt, indexes, answer.checkpoint());
        }

        private void settleRefused(Store.Attempt attempt, Problem problem) throws InterruptedException {
            SignedBody body = attempt.body();
            ArborlogException refusal = new ArborlogException("refused", body.path(), problem.getMessage());
            switch (problem.code()) {
                case "batch_refused" -> markRefused(attempt, problem.refused());
                case "sequence_used", "chain_broken", "already_in" -> lookUp(attempt);
                case "sequence_gap" -> throw new ArborlogException("log_went_back", "log",
                    "the ledger does not have the record before this one, which it acknowledged: tell its operator");
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

        /** Notes that an attempt's statements are in. Another process may have done so. */
        private void markIn(Store.Attempt attempt, List<Long> indexes, String note) {
            store.inTransaction(tx -> {
                Store.Head head = tx.head(attempt.issuer());
                if (head == null || head.chain().seq() != attempt.body().seq()) {
                    return null;
                }
                // An answer may have been under way when a later one came.
                boolean isOlder = Client.checkpoint(head.checkpoint()).size() > Client.checkpoint(note).size();
                for (int i = 0; i < indexes.size(); i++) {
                    tx.markIn(attempt.statements().get(i), indexes.get(i));
                }
                tx.dropAttempts();
                tx.setHead(attempt.issuer(), new Store.Head(head.chain().next(attempt.body().id(), attempt.body().issuedOn()), isOlder ? head.checkpoint() : note));
                return null;
            });
            in += indexes.size();
        }

        /** Notes what the rules refuse. The others are signed anew, in the same place of the chain. */
        private void markRefused(Store.Attempt attempt, List<Problem.Refused> all) {
            if (all.isEmpty() || all.stream().anyMatch(one -> one.position() < 0 || one.position() >= attempt.statements().size())) {
                throw new ArborlogException("answer_false", attempt.body().path(), "the batch has no such statement as was refused");
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
         * Finds what stands in the attempt's place of the chain: an attempt of ours that came first, late or through another address, or another writer's
         * record. A receipt proves which.
         */
        private void lookUp(Store.Attempt attempt) throws InterruptedException {
            long seq = attempt.body().seq();
            Client.Issuer issuer = client.issuer(attempt.issuer());
            if (issuer.headSeq() == null || issuer.headSeq() < seq) {
                return; // an address that lags behind; the same bytes again
            }
            long index = issuer.headIndex();
            for (int step = 0; step < WALK_MAX; step++) {
                Entry entry = client.entry(index);
                if (entry.form() != 1 || !entry.record().issuer().equals(attempt.issuer()) || entry.record().seq() < seq) {
                    throw new ArborlogException("answer_false", "entry " + index, "it is not on the key's chain");
                }
                if (entry.record().seq() == seq) {
                    cameFirst(attempt, index);
                    return;
                }
                long before = entry.lineage().isEmpty() ? Entry.NONE : entry.lineage().get(0);
                if (Long.compareUnsigned(before, index) >= 0) {
                    break;
                }
                index = before;
            }
            throw anotherWriter(attempt, issuer.headIndex());
        }

        private void cameFirst(Store.Attempt attempt, long index) throws InterruptedException {
            Bytes32 id = Receipt.verify(client.receipt(index), Trust.of(log)).id();
            for (Store.Attempt one : store.inTransaction(Store.Tx::attempts)) {
                if (!id.equals(one.body().id())) {
                    continue;
                }
                List<Long> indexes = new ArrayList<>();
                int count = one.statements().size();
                for (int i = 0; i < count; i++) {
                    indexes.add(one.body().isSealed() ? index - (count - i) : index);
                }
                String note = client.checkpoint();
                Client.checkpoint(note).verify(log);
                markIn(one, indexes, note);
                return;
            }
            throw anotherWriter(attempt, index);
        }

        private ArborlogException anotherWriter(Store.Attempt attempt, long index) {
            return new ArborlogException("another_writer", "entry " + index, "a record that this outbox did not sign stands in place " + attempt.body().seq()
                + " of the chain of the key " + attempt.issuer() + ": somebody else signs with the key, or the outbox was put back from an older copy. "
                + "Find out which, and what that writer said, before anything else is sent");
        }
    }
}
