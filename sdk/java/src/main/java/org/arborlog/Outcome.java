package org.arborlog;

/** What a check comes to (docs/format.md, 13.2). */
public enum Outcome {
    /** Every step holds. */
    HOLDS,
    /** Something signed contradicts what is shown. */
    FALSE,
    /** What was asked makes no sense, such as a policy that is none. */
    WRONG_USE,
    /** What is needed is missing, which accuses nobody. */
    UNCHECKED,
    /** The file is no receipt. */
    NOT_THAT_KIND;

    @Override
    public String toString() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
