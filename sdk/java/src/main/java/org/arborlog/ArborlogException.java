package org.arborlog;

import java.util.Set;

/** Something is not as the format says, or a ledger can't be written to: a code, where, and what is wrong. */
public class ArborlogException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** What says nothing against anybody: something is missing, or was changed on its way. */
    private static final Set<String> UNCHECKED = Set.of("too_long", "receipt_malformed", "note_malformed", "checkpoint_malformed",
        "other_log", "unsigned", "witness_missing", "quorum_missing", "proof_incomplete", "other_format", "mldsa_unsupported", "state_item_malformed",
        "state_file_unfit", "about_part", "rules_version_unsupported", "file_utf16", "file_bom", "file_crlf", "file_not_utf8",
        "file_quoted", "file_spaces", "file_wrapped", "file_cut", "file_trailing",
        // Of an outbox.
        "unanswered", "key_refused");

    /** What is about what was asked for, here or by the ledger's word. */
    private static final Set<String> WRONG_USE = Set.of("wrong_use", "policy_malformed", "vkey_malformed", "refused", "answer_malformed");

    private final String code;
    private final String where;
    private final String what;

    /** A code of docs/format.md or of this package, where it was found, or an empty text, and what is wrong. */
    public ArborlogException(String code, String where, String what) {
        super((where.isEmpty() ? "" : where + ": ") + what + " (" + code + ")");
        this.code = code;
        this.where = where;
        this.what = what;
    }

    static ArborlogException refuse(String code, String what) {
        return new ArborlogException(code, "", what);
    }

    static ArborlogException notCanonical(String what) {
        return refuse("not_canonical", what);
    }

    /** The stable name of what is wrong. */
    public String code() {
        return code;
    }

    /** Where it was found. */
    public String where() {
        return where;
    }

    /** What is wrong, without code and where. */
    String what() {
        return what;
    }

    /** The outcome that this code means for a receipt, and of an outbox: only what is FALSE accuses somebody. */
    public Outcome outcome() {
        if (code.equals("not_a_receipt")) {
            return Outcome.NOT_THAT_KIND;
        }
        if (WRONG_USE.contains(code)) {
            return Outcome.WRONG_USE;
        }
        return UNCHECKED.contains(code) ? Outcome.UNCHECKED : Outcome.FALSE;
    }

    /** The same with another code: it was this that could not be read, whatever is wrong inside. */
    ArborlogException recoded(String other) {
        return new ArborlogException(other, where, what);
    }

    /** The same, and where it happened, unless that is said already. */
    ArborlogException at(String place) {
        return where.isEmpty() ? new ArborlogException(code, place, what) : this;
    }

    /** The same, with the name of a field in front of where it happened. */
    ArborlogException within(String name) {
        String dot = where.isEmpty() || where.startsWith("[") ? "" : ".";
        return new ArborlogException(code, name + dot + where, what);
    }

    static void need(boolean condition, String code, String what) {
        if (!condition) {
            throw refuse(code, what);
        }
    }
}
