package org.arborlog;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import org.arborlog.StateReceipt.Shown;

/** Histories of accounts and plots, from a newest entry back (docs/format.md, 13.4). */
final class History {
    /** What an entry adds, and the entry about the same before it. */
    private record Step(BigInteger points, long before) {}

    private interface Steps {
        /** The step of an entry; null if it is about something else. */
        Step of(Shown entry, Shown target);
    }

    private final Story story;
    private boolean complete;
    final List<StateFile.HistoryEntry> entries = new ArrayList<>();
    long begin;
    Long next;
    String missing = "";

    History(Story story) {
        this.story = story;
    }

    boolean isComplete() {
        return complete;
    }

    /** lineage[2] and those behind it, of which there must be just so many. A sealed correction has as many as any can have: the rest is none. */
    private static List<Long> places(Shown entry, int count) {
        boolean isSealed = entry.seal() != null;
        List<Long> lineage = entry.entry().lineage();
        List<Long> places = isSealed ? entry.entry().places() : lineage.subList(Math.min(2, lineage.size()), lineage.size());
        if (places.size() < count || !isSealed && places.size() != count) {
            return null;
        }
        return places.subList(count, places.size()).stream().allMatch(place -> place == Entry.NONE) ? places.subList(0, count) : null;
    }

    private static Step step(Shown entry, BigInteger points, int count, int place) {
        List<Long> places = places(entry, count);
        if (places == null || entry.said() instanceof Statement.Correction c && places.get(0) != c.target()) {
            return null;
        }
        return new Step(points, places.get(place));
    }

    private static Step accountStep(Bytes32 account, Shown entry, Shown target) {
        Statement said = entry.said();
        if (said instanceof Statement.Award s && s.account().equals(account)) {
            return step(entry, Hashes.unsigned(s.points()), 1, 0);
        } else if (said instanceof Statement.Claim s && s.account().equals(account)) {
            return step(entry, Hashes.unsigned(s.points()).negate(), 1, 0);
        } else if (said instanceof Statement.Transfer s && s.from().equals(account)) {
            return step(entry, Hashes.unsigned(s.points()).negate(), 2, 0);
        } else if (said instanceof Statement.Transfer s && account.equals(s.to())) {
            return step(entry, Hashes.unsigned(s.points()), 2, 1);
        } else if (said instanceof Statement.Correction s) {
            if (s.remedy() instanceof Statement.Remedy.Reverse reverse) {
                return target.said() instanceof Statement.Award t && t.account().equals(account)
                    ? step(entry, Hashes.unsigned(reverse.points()).negate(), 2, 1) : null;
            } else if (s.remedy() instanceof Statement.Remedy.Void) {
                return voidStep(account, entry, target.said());
            }
        }
        return null;
    }

    private static Step voidStep(Bytes32 account, Shown entry, Statement target) {
        if (target instanceof Statement.Claim t && t.account().equals(account)) {
            return step(entry, Hashes.unsigned(t.points()), 2, 1);
        } else if (target instanceof Statement.Transfer t && t.from().equals(account)) {
            return step(entry, Hashes.unsigned(t.points()), 3, 1);
        } else if (target instanceof Statement.Transfer t && account.equals(t.to())) {
            return step(entry, Hashes.unsigned(t.points()).negate(), 3, 2);
        }
        return null;
    }

    /** The plot that a planting, survey or assignment is on; -1 of anything else. */
    private static long plotOf(Statement said) {
        if (said instanceof Statement.Planting s) {
            return s.plot();
        } else if (said instanceof Statement.Survey s) {
            return s.plot();
        }
        return said instanceof Statement.Assignment s ? s.plot() : -1;
    }

    private Step plotStep(long number, Shown entry, Shown target) {
        Statement said = entry.said();
        if (said instanceof Statement.Plot s && s.number() == number || plotOf(said) == number) {
            return step(entry, null, 1, 0);
        }
        if (!(said instanceof Statement.Correction c) || c.remedy() instanceof Statement.Remedy.Reverse) {
            return null;
        }
        boolean isLoss = c.remedy() instanceof Statement.Remedy.Lost;
        Shown on = target;
        boolean voidsLoss = !isLoss && target.said() instanceof Statement.Correction t && t.remedy() instanceof Statement.Remedy.Lost;
        if (voidsLoss) {
            on = targetOf(target);
        }
        boolean isKind = !isLoss && !voidsLoss || on.said() instanceof Statement.Planting;
        return isKind && plotOf(on.said()) == number ? step(entry, null, 2, 1) : null;
    }

    /** The entry that a correction names, which is shown. */
    private Shown targetOf(Shown entry) {
        Shown target = story.shown(((Statement.Correction) entry.said()).target());
        Story.wrongUnless(Long.compareUnsigned(target.index(), entry.index()) < 0, "a correction names an entry behind it");
        return target;
    }

    /** Follows a history from its newest shown entry back. */
    private void walk(long last, Steps steps) {
        Long top = null;
        for (Shown entry : story.entries.values()) {
            if (!entry.entry().kind().equals("seal") && (top == null || Long.compareUnsigned(entry.index(), top) > 0)) {
                top = entry.index();
            }
        }
        Story.unfitUnless(top != null && Long.compareUnsigned(top, last) <= 0, "no entry that is shown can be of the history");
        begin = top;
        long index = top;
        while (true) {
            Shown entry = story.shown(index);
            Shown target = entry.said() instanceof Statement.Correction ? targetOf(entry) : null;
            Step step = steps.of(entry, target);
            String other = "entry " + index + " is about something else";
            Story.unfitUnless(step != null || index != begin || begin == last, other);
            Story.wrongUnless(step != null, other);
            entries.add(new StateFile.HistoryEntry(index, entry.entry().kind(), step.points));
            if (step.before == Entry.NONE) {
                break;
            }
            Story.wrongUnless(Long.compareUnsigned(step.before, index) < 0, "an entry names one behind it as the one before");
            if (!story.entries.containsKey(step.before)) {
                next = step.before;
                break;
            }
            index = step.before;
        }
        complete = begin == last && next == null;
        List<String> parts = new ArrayList<>();
        if (begin != last) {
            parts.add("the entries of the history above " + begin + ", up to " + last);
        }
        if (next != null) {
            parts.add("the entries of the history from " + next + " back");
        }
        missing = String.join(", and ", parts);
    }

    void account(Item first) {
        Bytes32 account = Bytes32.of(java.util.Arrays.copyOfRange(first.key(), 32, 64));
        Item.Account said = (Item.Account) first.fields();
        walk(said.last(), (entry, target) -> accountStep(account, entry, target));
        BigInteger sum = entries.stream().map(StateFile.HistoryEntry::points).reduce(BigInteger.ZERO, BigInteger::add);
        Story.wrongUnless(!complete || sum.equals(BigInteger.valueOf(said.balance())), "the account's entries do not add up to its balance");
    }

    void plot(Item first) {
        Item.PlotStands said = (Item.PlotStands) first.fields();
        walk(said.last(), (entry, target) -> plotStep(said.plot().number(), entry, target));
    }
}
