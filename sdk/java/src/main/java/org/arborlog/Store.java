package org.arborlog;

import java.util.List;

/** Keeps an outbox durably, beside the platform's own tables. JdbcBox is one. */
public interface Store {
    /**
     * Runs work in one transaction that no other of the store runs beside. When it returns, all that was written is durable; when it throws,
     * nothing is. What fails in the store itself is a StoreException.
     */
    <T> T inTransaction(Work<T> work);

    /** What is done in a transaction. */
    @FunctionalInterface
    interface Work<T> {
        /** Does it. */
        T in(Tx tx);
    }

    /** A store that failed: nothing was written. */
    final class StoreException extends RuntimeException {
        private static final long serialVersionUID = 1;

        /** With what failed. */
        public StoreException(Throwable cause) {
            super("the outbox's store failed: " + cause.getMessage(), cause);
        }
    }

    /** Why a statement is refused whose event another one speaks of, which is in. */
    String EVENT_IS_IN = "event_is_in";

    /** Where a key's chain goes on, and the newest checkpoint that the ledger answered. */
    record Head(Chain chain, String checkpoint) {}

    /** A statement in the outbox. */
    record Queued(long id, byte[] bytes) {}

    /** What was signed, and not answered, or refused (replaced). */
    record Attempt(long number, Bytes32 issuer, SignedBody body, List<Long> statements, boolean replaced) {}

    /** A store within a transaction. */
    interface Tx {
        /** Where a key's chain goes on, or null before the first time. */
        Head head(Bytes32 issuer);

        /** Notes where it goes on. */
        void setHead(Bytes32 issuer, Head head);

        /** The first statements, in the order in which they were put, that are neither in nor refused. */
        List<Queued> waiting(int most);

        /** What was signed for the place of the chain that is not settled, in the order of signing. */
        List<Attempt> attempts();

        /** Keeps one; the store gives its number. */
        void addAttempt(Attempt attempt);

        /** What it signed was refused, and is signed anew. Its bytes stay, for a late request may bring them in. */
        void replace(Attempt attempt);

        /** Forgets all: their place is settled. */
        void dropAttempts();

        /** The statement is in, as this entry. What was put to correct it, and waits, is refused then (EVENT_IS_IN). */
        void markIn(long statement, long entry);

        /** All statements that are not in, waiting or refused, in the order in which they were put. */
        List<Queued> unsettled();

        /**
         * Notes a statement that is in and was never put here. It takes the name of the one that it stands for, if that is not 0; else an award is
         * known by its evidence, as put has it, unless another statement is.
         */
        void addIn(byte[] statement, long entry, long standsFor);

        /** The rules refuse the statement. */
        void markRefused(long statement, String code, String detail);
    }
}
