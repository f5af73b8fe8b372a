package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The receipt of a state entry, with items of the state and entries beside them (docs/format.md, 13.4). */
final class StateReceipt {
    private StateReceipt() {}

    /** An entry that a file shows. A sealed one has its issuer from its seal. */
    record Shown(long index, Entry entry, Shown seal) {
        Bytes32 issuer() {
            return seal == null ? entry.record().issuer() : seal.entry.record().issuer();
        }

        Statement said() {
            return entry.statement();
        }
    }

    static Proven verify(ReceiptFile file, Trust trust, Receipt.Witnessed seen) {
        ReceiptFile.Link first = file.chain.get(0);
        Checkpoint checkpoint = file.checkpoint;
        Entry entry;
        Map<Long, Shown> entries;
        try {
            entry = openState(file);
            entries = openShown(file, trust.check());
        } catch (ArborlogException wrong) {
            throw wrong.at("entry");
        }
        List<Item> items = new ArrayList<>();
        for (int i = 0; i < file.items.size(); i++) {
            try {
                items.add(Item.open(file.items.get(i), entry.state().stateRoot(), trust.genesis()));
            } catch (ArborlogException wrong) {
                throw wrong.at("item " + i);
            }
        }
        StateFile about = null;
        if (!entries.isEmpty()) {
            try {
                about = new Story(items, entries, entry.state()).read(checkpoint.origin(), trust.genesis());
            } catch (ArborlogException wrong) {
                throw wrong.at("file");
            }
        }
        return new Proven(first.index(), checkpoint.size(), checkpoint.root(), entry, null, null, null, about == null ? null : about.genesis(), seen.seen(), seen.byPolicy(),
            List.copyOf(items), List.copyOf(entries.keySet()), about);
    }

    private static Entry openState(ReceiptFile file) {
        ReceiptFile.Link first = file.chain.get(0);
        Checkpoint checkpoint = file.checkpoint;
        first.checkComplete(checkpoint);
        if (!file.shown.isEmpty()) {
            long last = file.shown.get(file.shown.size() - 1).index();
            need(Long.compareUnsigned(last, checkpoint.size()) < 0 && file.hashes.size() == jointLength(file.shown, 0, checkpoint.size()),
                "proof_incomplete", "there are not as many hashes as the shown entries need");
        }
        file.checkSecond();
        need(first.isIncluded(checkpoint), "not_included", "it is not at its index in the checkpoint's tree");
        Entry entry;
        try {
            entry = Entry.decode(first.entry());
        } catch (ArborlogException wrong) {
            throw wrong.recoded("entry_wrong");
        }
        need(entry.state().rulesVersion() == Entry.RULES_VERSION, "rules_version_unsupported",
            "the state is by version " + entry.state().rulesVersion() + " of the rules, this package knows " + Entry.RULES_VERSION);
        need(file.chain.size() == 1, "authority_broken", "a state entry rests on nobody's authority");
        need(entry.state().mayStandAt(first.index()), "entry_wrong",
            "no state entry at its index can speak of that size, or name that one before");
        return entry;
    }

    private static int cut(List<ReceiptFile.Shown> shown, long half) {
        int place = 0;
        while (place < shown.size() && Long.compareUnsigned(shown.get(place).index(), half) < 0) {
            place++;
        }
        return place;
    }

    /** How many hashes prove the entries at ascending indexes, together. */
    private static int jointLength(List<ReceiptFile.Shown> shown, long start, long end) {
        if (shown.isEmpty()) {
            return 1;
        }
        if (end - start == 1) {
            return 0;
        }
        long half = Hashes.half(start, end);
        int cut = cut(shown, half);
        return jointLength(shown.subList(0, cut), start, half) + jointLength(shown.subList(cut, shown.size()), half, end);
    }

    /** The root over a range, from the shown entries in it and the hashes of what has none of them. */
    private static Bytes32 jointRoot(List<ReceiptFile.Shown> shown, java.util.Iterator<Bytes32> hashes, long start, long end) {
        if (shown.isEmpty()) {
            return hashes.next();
        }
        if (end - start == 1) {
            return Hashes.leaf(shown.get(0).entry());
        }
        long half = Hashes.half(start, end);
        int cut = cut(shown, half);
        Bytes32 left = jointRoot(shown.subList(0, cut), hashes, start, half);
        return Hashes.node(left, jointRoot(shown.subList(cut, shown.size()), hashes, half, end));
    }

    /** Steps 2 and 3. There are as many hashes as the entries need. */
    private static Map<Long, Shown> openShown(ReceiptFile file, SignatureCheck check) {
        Map<Long, Shown> entries = new LinkedHashMap<>();
        if (file.shown.isEmpty()) {
            return entries;
        }
        need(jointRoot(file.shown, file.hashes.iterator(), 0, file.checkpoint.size()).equals(file.checkpoint.root()), "not_included",
            "the shown entries are not at their indexes in the checkpoint's tree");
        for (ReceiptFile.Shown one : file.shown) {
            try {
                entries.put(one.index(), new Shown(one.index(), Entry.decode(one.entry()), null));
            } catch (ArborlogException wrong) {
                throw wrong.recoded("entry_wrong").at("entry " + one.index());
            }
        }
        for (ReceiptFile.Shown one : file.shown) {
            try {
                entries.put(one.index(), check(entries.get(one.index()), one.siblings(), entries, file.checkpoint.origin(), check));
            } catch (ArborlogException wrong) {
                throw wrong.at("entry " + one.index());
            }
        }
        return entries;
    }

    private static Shown check(Shown one, List<Bytes32> siblings, Map<Long, Shown> entries, String origin, SignatureCheck check) {
        Entry entry = one.entry;
        if (entry.form() == 1) {
            try {
                entry.checkSignatures(origin, check);
            } catch (ArborlogException wrong) {
                throw wrong.recoded("entry_wrong");
            }
            return one;
        }
        need(entry.form() == 2, "state_file_unfit", "a state entry is shown");
        Shown seal = entries.get(one.index + entry.ahead());
        need(seal != null, "state_file_unfit", "its seal is not shown");
        Receipt.checkUnderSeal(entry, seal.entry, siblings);
        return new Shown(one.index, entry, seal);
    }
}
