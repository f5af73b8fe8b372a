package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.refuse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.arborlog.StateReceipt.Shown;

/** What a file about the state is about (docs/format.md, 13.4): its first item tells; what else must be in it follows, and it has just that. */
final class Story {
    static final Map<String, String> ABOUT = Map.of("claims", "certificate", "accounts", "account_history", "plots", "plot_history", "reversed",
        "corrections", "voided", "corrections", "losses", "corrections");
    private static final Map<String, String> CORRECTED_BY = Map.of("award", "reversed", "transfer", "voided", "claim", "voided", "survey", "voided",
        "assignment", "voided", "attestation", "voided", "planting", "voided");

    final Map<Long, Shown> entries;
    private final List<Item> items;
    private final Entry.State state;
    private final Set<Long> named = new HashSet<>();
    private int at;

    Story(List<Item> items, Map<Long, Shown> entries, Entry.State state) {
        this.items = items;
        this.entries = entries;
        this.state = state;
    }

    static void unfitUnless(boolean condition, String what) {
        need(condition, "state_file_unfit", what);
    }

    static void wrongUnless(boolean condition, String what) {
        need(condition, "state_file_wrong", what);
    }

    private Item next() {
        return at < items.size() ? items.get(at++) : null;
    }

    /** The next item, which must be this one. */
    private Item item(String domain, byte[] key) {
        Item item = next();
        unfitUnless(item != null && item.upTo() == null && item.domain().equals(domain) && Arrays.equals(item.key(), key),
            "the item " + Item.textOf(domain, key) + " of the domain " + domain + " is missing in its place");
        return item;
    }

    /** The next item, which must be this one and there. */
    private Item leaf(String domain, byte[] key) {
        Item item = item(domain, key);
        wrongUnless(item.isThere(), "nothing is at " + item.keyText() + " of the domain " + domain + ", which another item or entry speaks of");
        return item;
    }

    Shown shown(long index) {
        Shown entry = entries.get(index);
        unfitUnless(entry != null, "entry " + Long.toUnsignedString(index) + " is not shown");
        named.add(index);
        return entry;
    }

    static byte[] key(long number, int width) {
        return new Writer().uint(number, width).bytes();
    }

    static byte[] key(long first, long second) {
        return new Writer().uint(first, 4).uint(second, 4).bytes();
    }

    StateFile read(String origin, Bytes32 pinned) {
        Item first = next();
        unfitUnless(first != null && first.upTo() == null, "it shows entries, and its first item tells nothing that they are about");
        String about = ABOUT.get(first.domain());
        unfitUnless(about != null, "no file is about an item of the domain " + first.domain());
        Item.Programme programme = (Item.Programme) leaf("once", new byte[] {0}).fields();
        need(programme.origin().equals(origin), "genesis_other", "the programme is of another log");
        need(pinned == null || pinned.equals(programme.genesis()), "genesis_other", "the genesis is not the one that was pinned");
        need(!first.domain().equals("accounts") || Arrays.equals(first.key(), 0, 32, programme.genesis().raw(), 0, 32), "genesis_other",
            "the account is of a ledger with another genesis");
        unfitUnless(about.equals("corrections") || first.isThere(), "there is no " + first.keyText() + " in the domain " + first.domain());
        History history = new History(this);
        switch (about) {
            case "certificate" -> certificate(first);
            case "account_history" -> history.account(first);
            case "plot_history" -> history.plot(first);
            default -> corrected(first);
        }
        checkJustNamed();
        List<Item.Key> issuers = issuers();
        return new StateFile(about, first.keyText(), programme.genesis(), history.isComplete(), history.begin, history.next, history.missing,
            List.copyOf(history.entries), issuers);
    }

    private void checkJustNamed() {
        Set<Long> expected = new HashSet<>(named);
        for (long index : named) {
            Shown seal = entries.get(index).seal();
            if (seal != null) {
                expected.add(seal.index());
            }
        }
        unfitUnless(expected.size() == entries.size(), "entries are shown that nothing in it names");
    }

    /** An item for each key that issued one of the entries, and none is left over. */
    private List<Item.Key> issuers() {
        Map<Bytes32, List<Shown>> issued = new TreeMap<>();
        entries.values().forEach(entry -> issued.computeIfAbsent(entry.issuer(), key -> new ArrayList<>()).add(entry));
        List<Item> keys = new ArrayList<>();
        issued.keySet().forEach(key -> keys.add(item("keys", key.bytes())));
        unfitUnless(next() == null, "an item is left over");
        List<Item.Key> issuers = new ArrayList<>();
        for (Item item : keys) {
            wrongUnless(item.isThere(), "the key " + item.keyText() + " has no task in the ledger");
            Item.Key key = (Item.Key) item.fields();
            for (Shown entry : issued.get(key.key())) {
                String kind = entry.entry().kind();
                boolean may = key.task() instanceof Item.Task.Governor && kind.equals("correction")
                    || key.task() instanceof Item.Task.Granted granted && Receipt.MAY_SAY.get(granted.role()).contains(kind);
                wrongUnless(may, "the key " + item.keyText() + " may not say the " + kind + " of entry " + entry.index());
            }
            issuers.add(key);
        }
        return List.copyOf(issuers);
    }

    private void certificate(Item first) {
        long number = new Reader(first.key()).uint(8);
        Item.ClaimStands claim = (Item.ClaimStands) first.fields();
        leaf("species", key(claim.species(), 2));
        wrongUnless(shown(number).said() instanceof Statement.Claim said && said.account().equals(claim.account())
            && said.species() == claim.species() && said.points() == claim.points(),
            "the certificate's entry is no claim, or says otherwise than the state");
        if (claim.standing() instanceof Item.Standing.Voided) {
            Item.VoidedBy voided = (Item.VoidedBy) leaf("voided", key(number, 8)).fields();
            wrongUnless(shown(voided.by()).said() instanceof Statement.Correction said && said.remedy() instanceof Statement.Remedy.Void
                && said.target() == number, "the entry that is to void the claim does not");
        } else if (claim.standing() instanceof Item.Standing.Tied tied) {
            tree(number, claim, tied);
        }
    }

    private void tree(long number, Item.ClaimStands claim, Item.Standing.Tied at) {
        byte[] plotKey = key(at.plot(), 4);
        Item.Tree tree = (Item.Tree) leaf("trees", key(at.plot(), at.serial())).fields();
        wrongUnless(tree.claim() == number, "the tree is another certificate's");
        Item plantingItem = next();
        if (plantingItem == null || plantingItem.upTo() != null || !(plantingItem.fields() instanceof Item.PlantingStands planting)
            || !Arrays.equals(plantingItem.key(), 0, 4, plotKey, 0, 4) || at.serial() < planting.first() || at.serial() > planting.last()) {
            throw refuse("state_file_unfit", "the tree's planting is missing in its place");
        }
        wrongUnless(!planting.voided() && planting.species() == claim.species(), "the planting was voided, or is of another species");
        Item plot = leaf("plots", plotKey);
        Item survey = next();
        byte[] end = new Writer().put(plotKey).uint(-1, 4).uint(-1, 8).bytes();
        unfitUnless(survey != null && survey.domain().equals("surveys") && Arrays.equals(survey.upTo(), end)
            && Arrays.equals(survey.key(), 0, 4, plotKey, 0, 4) && (survey.isThere() || Arrays.equals(survey.key(), 4, 16, new byte[12], 0, 12)),
            "the plot's latest survey is missing in its place");

        wrongUnless(shown(tree.assignment()).said() instanceof Statement.Assignment said && said.plot() == at.plot()
            && at.serial() >= said.firstSerial() && at.serial() - said.firstSerial() < said.claims().size()
            && said.claims().get((int) (at.serial() - said.firstSerial())) == number, "the assignment does not tie certificate and tree");
        wrongUnless(shown(planting.entry()).said() instanceof Statement.Planting said && said.plot() == at.plot()
            && said.species() == planting.species() && said.firstSerial() == planting.first()
            && said.count() == planting.last() - planting.first() + 1 && said.plantedFrom().equals(planting.plantedFrom())
            && said.plantedUntil().equals(planting.plantedUntil()), "the planting's entry says otherwise than the state");
        Shown entry = shown(((Item.PlotStands) plot.fields()).statedAt());
        wrongUnless(entry.said() instanceof Statement.Plot && startsWith(plot.fieldBytes(), 0, entry.entry().fieldBytes()),
            "the plot's entry says otherwise than the state");
        if (survey.isThere()) {
            Shown surveyed = shown(new Reader(Arrays.copyOfRange(survey.key(), 8, 16)).uint(8));
            wrongUnless(surveyed.said() instanceof Statement.Survey && startsWith(survey.fieldBytes(), 8, surveyed.entry().fieldBytes()),
                "the survey's entry says otherwise than the state");
        }
    }

    private static boolean startsWith(byte[] data, int from, byte[] beginning) {
        return data.length - from >= beginning.length && Arrays.equals(data, from, from + beginning.length, beginning, 0, beginning.length);
    }

    private void corrected(Item first) {
        long index = new Reader(first.key()).uint(8);
        Shown entry = shown(index);
        unfitUnless(Long.compareUnsigned(index, state.size()) < 0, "the state is older than the entry");
        boolean isLoss = entry.said() instanceof Statement.Correction c && c.remedy() instanceof Statement.Remedy.Lost;
        String domain = isLoss ? "losses" : CORRECTED_BY.get(entry.entry().kind());
        unfitUnless(first.domain().equals(domain), "another item tells what corrected the entry, or none does");
        if (entry.said() instanceof Statement.Planting said) {
            Item.PlantingStands planting = (Item.PlantingStands) leaf("plantings", key(said.plot(), said.firstSerial())).fields();
            wrongUnless(planting.entry() == index && planting.voided() == first.isThere(),
                "the planting is another entry's, or voided in one item and not in the other");
        }
        if (isLoss) {
            Item voided = item("voided", first.key());
            wrongUnless(!(first.isThere() && voided.isThere()), "the loss counts in one item and was voided in the other");
        }
    }
}
