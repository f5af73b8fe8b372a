package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.refuse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.arborlog.Wire.Form;
import org.arborlog.Wire.Items;
import org.arborlog.Wire.Maybe;
import org.arborlog.Wire.Signed;
import org.arborlog.Wire.Text;
import org.arborlog.Wire.Uint;

/**
 * What a state entry says of one key of a domain, proven (docs/format.md, 13.4 and 16.5).
 *
 * @param key the key's bytes, and keyText as people write it
 * @param upTo of a proof of neighbours the key up to which nothing else is; null else
 * @param value the leaf's value, and a and b its numbers; null and 0 where nothing is at the key
 * @param fields what the item says, a record of this class by the domain; null where nothing is at the key
 */
public record Item(String domain, byte[] key, String keyText, byte[] upTo, byte[] value, long a, long b, Object fields, byte[] fieldBytes) {
    private static final long MANY = 1L << 32;

    /** Once, 0. */
    public record Programme(@Text(value = 200, form = Form.ORIGIN) String origin, Bytes32 genesis, @Text(500) String programme) {}

    /** Once, 1. */
    public record Governors(@Items(min = 1, max = 16) List<Bytes32> governors, @Uint(1) int quorum, long statedAt) {}

    /** A key of the log. */
    public record NamedLogKey(Bytes32 key, long namedAt) {}

    /** Once, 2. */
    public record LogKeys(@Items(min = 1, max = MANY) List<NamedLogKey> logKeys) {}

    /** Once, 3. */
    public record PolicyStated() {}

    /** The task of a key. */
    public sealed interface Task permits Task.Governor, Task.Log, Task.Granted {
        /** It governs. */
        record Governor() implements Task {}

        /** It signs checkpoints. */
        record Log() implements Task {}

        /** It has a role. */
        record Granted(Statement.Role role, @Text(value = 64, form = Form.SLUG) String holder, @Uint(4) long number, @Text(100) String displayName)
            implements Task {}
    }

    /** A key's newest record. */
    public record NewestRecord(long seq, Bytes32 id, long entry, Day issuedOn) {}

    /** Of keys. */
    public record Key(Bytes32 key, Task task, long givenAt, Bytes32 givenBy, @Maybe Day expiresOn, @Maybe Long revokedAt,
                      @Maybe Day compromisedSince, long last, @Maybe NewestRecord newest) {}

    /** Of holders. */
    public record Holder(@Uint(value = 1, most = 0) int tag, @Uint(4) long number, @Uint(value = 1, least = 1, most = 7) int duties) {}

    /** Of holders: a name. */
    public record Name(@Uint(value = 1, least = 1, most = 1) int tag, @Uint(4) long number) {}

    /** Of methods. */
    public record MethodStated(Statement.Method method, long statedAt) {}

    /** Of species. */
    public record SpeciesStated(@Text(100) String name) {}

    /** Of accounts. */
    public record Account(@Signed long balance, long last, @Uint(4) long holder) {}

    /** Of plots. */
    public record PlotStands(Statement.Plot plot, @Text(value = 64, form = Form.SLUG) String holder, long statedAt, long last, long planted,
                             long lost, long assigned, @Maybe @Uint(4) Long nextSerial) {}

    /** Serials that a loss names. */
    public record LostRange(@Uint(4) long first, @Uint(4) long last, long loss) {}

    /** Of plantings. */
    public record PlantingStands(long entry, @Uint(2) int species, @Uint(4) long first, @Uint(4) long last, Day plantedFrom, Day plantedUntil,
                                 boolean voided, @Uint(4) long lost, @Items(max = Long.MAX_VALUE) List<LostRange> lostRanges,
                                 @Uint(4) long assigned) {}

    /** Of trees. */
    public record Tree(long claim, long assignment) {}

    /** Of surveys. */
    public record SurveyStands(long entry, Statement.Survey survey, @Text(value = 64, form = Form.SLUG) String holder) {}

    /** How a claim stands. */
    public sealed interface Standing permits Standing.Waits, Standing.Tied, Standing.Voided {
        /** It waits for a tree. */
        record Waits() implements Standing {}

        /** It has one. */
        record Tied(@Uint(4) long plot, @Uint(4) long serial) implements Standing {}

        /** It was voided. */
        record Voided() implements Standing {}
    }

    /** Of claims. */
    public record ClaimStands(Bytes32 account, @Uint(2) int species, long points, Standing standing) {}

    /** Of reversed. */
    public record Reversed(long points) {}

    /** A tree that a loss took from a claim. */
    public record TakenTree(@Uint(4) long serial, long claim, long assignment) {}

    /** Of losses. */
    public record Loss(long entry, @Uint(4) long plot, @Uint(4) long planting, @Uint(4) long count, boolean bySerial,
                       @Items(max = Long.MAX_VALUE) List<TakenTree> taken) {}

    /** Of voided. */
    public record VoidedBy(long by) {}

    /** Of months. */
    public record Month(long awarded, long planted) {}

    /** Of evidence. */
    public record Evidence(long entry) {}

    /** The domains' names, in the order of their numbers. */
    static final List<String> DOMAINS = List.of("once", "keys", "holders", "methods", "species", "accounts", "plots", "plantings", "trees",
        "surveys", "claims", "reversed", "losses", "voided", "months", "evidence");
    private static final List<Class<?>> TYPES = List.of(Programme.class, Key.class, Holder.class, MethodStated.class, SpeciesStated.class,
        Account.class, PlotStands.class, PlantingStands.class, Tree.class, SurveyStands.class, ClaimStands.class, Reversed.class, Loss.class,
        VoidedBy.class, Month.class, Evidence.class);
    private static final List<Class<?>> ONCE = List.of(Programme.class, Governors.class, LogKeys.class, PolicyStated.class);
    private static final Set<String> DIGESTED = Set.of("once", "keys", "methods", "plots", "plantings", "surveys", "losses");
    private static final int FIELDS_MAX = 1 << 20;
    /** The bytes of a key, where its path is no hash. */
    static final Map<String, Integer> KEY_WIDTHS = Map.ofEntries(Map.entry("once", 1), Map.entry("methods", 8), Map.entry("species", 2),
        Map.entry("plots", 4), Map.entry("plantings", 8), Map.entry("trees", 8), Map.entry("surveys", 16), Map.entry("claims", 8),
        Map.entry("reversed", 8), Map.entry("losses", 8), Map.entry("voided", 8), Map.entry("months", 4), Map.entry("evidence", 32));

    /** Whether something is at the key. */
    public boolean isThere() {
        return value != null;
    }

    /** Verifies an item against the state root: what is at its key, or that nothing is. */
    static Item open(ReceiptFile.RawItem raw, Bytes32 stateRoot, Bytes32 genesis) {
        StateProof proof;
        List<byte[]> keys;
        List<Bytes32> paths = new ArrayList<>();
        String domain;
        try {
            proof = StateProof.read(raw.proof());
            domain = DOMAINS.get(proof.domain);
            keys = keysOf(raw.key(), domain, proof.isOfNeighbours());
            for (byte[] key : keys) {
                paths.add(pathOf(domain, key));
            }
        } catch (ArborlogException wrong) {
            throw wrong.recoded("state_item_malformed");
        }
        StateProof.Leaf leaf = proof.verify(paths, stateRoot);
        need(leaf != null || raw.fields() == null, "state_item_wrong", "it has fields, and nothing is there");
        byte[] key = keys.get(0);
        Object fields = leaf == null ? null : readFields(domain, key, leaf, raw.fields());
        need(!domain.equals("accounts") || genesis == null || Arrays.equals(key, 0, 32, genesis.raw(), 0, 32), "genesis_other",
            "the account is of a ledger with another genesis than the one that was pinned");
        return new Item(domain, key, textOf(domain, key), keys.size() == 2 ? keys.get(1) : null, leaf == null ? null : leaf.value(),
            leaf == null ? 0 : leaf.a(), leaf == null ? 0 : leaf.b(), fields, raw.fields());
    }

    private static List<byte[]> keysOf(byte[] key, String domain, boolean ofNeighbours) {
        if (!ofNeighbours) {
            return List.of(key);
        }
        Integer width = KEY_WIDTHS.get(domain);
        need(width != null && key.length == 2 * width, "", "its key is not two keys of a domain that has an order");
        byte[] low = Arrays.copyOf(key, width);
        byte[] high = Arrays.copyOfRange(key, width, key.length);
        need(Arrays.compareUnsigned(low, high) < 0, "", "its keys do not ascend");
        return List.of(low, high);
    }

    /** The path of the item with a key. */
    private static Bytes32 pathOf(String domain, byte[] key) {
        boolean isKey;
        Bytes32 path;
        switch (domain) {
            case "accounts" -> {
                isKey = key.length == 64;
                path = Hashes.sha256(ReceiptBytes.ACCOUNT, key);
            }
            case "keys" -> {
                isKey = key.length == 32;
                path = Hashes.sha256(key);
            }
            case "holders" -> {
                String name = key.length == 0 ? null : org.arborlog.Text.decode(Arrays.copyOfRange(key, 1, key.length));
                isKey = name != null && (key[0] == 0 || key[0] == 1);
                if (isKey) {
                    org.arborlog.Text.check(name, key.length - 1, key[0] == 0 ? Form.SLUG : Form.ANY, key[0] == 0 ? 64 : 100);
                }
                path = Hashes.sha256(key);
            }
            default -> {
                isKey = key.length == KEY_WIDTHS.get(domain);
                path = Bytes32.of(Arrays.copyOf(key, 32));
            }
        }
        need(isKey, "", "its key is none of its domain");
        return path;
    }

    private static Object readFields(String domain, byte[] key, StateProof.Leaf leaf, byte[] beside) {
        ArborlogException wrong = refuse("state_item_wrong", "its fields are not those of the leaf, or of another item");
        byte[] data = beside == null ? leaf.value() : beside;
        if (DIGESTED.contains(domain) != (beside != null) || data.length > FIELDS_MAX || domain.equals("once") && key[0] > 3 || key[0] < 0 && domain.equals("once")) {
            throw wrong;
        }
        Class<?> type = TYPES.get(DOMAINS.indexOf(domain));
        if (domain.equals("once")) {
            type = ONCE.get(key[0]);
        } else if (domain.equals("holders") && key[0] == 1) {
            type = Name.class;
        }
        Object fields;
        try {
            Reader in = new Reader(data);
            fields = Codec.read(in, type);
            in.end();
        } catch (ArborlogException malformed) {
            throw malformed.recoded("state_item_wrong");
        }
        if (beside != null) {
            long said = leaf.value().length == 40 ? new Reader(leaf.value()).uint(8) : 0;
            byte[] digested = new Writer().uint(beganAt(fields, said), 8).put(Hashes.sha256(data)).bytes();
            if (!Arrays.equals(digested, leaf.value())) {
                throw wrong;
            }
        }
        long[] sums = sumsOf(fields);
        if (sums == null || sums[0] != leaf.a() || sums[1] != leaf.b() || !isOfKey(fields, key)) {
            throw wrong;
        }
        return fields;
    }

    /** The entry that a digested item began with; that of a policy is only in the leaf. */
    private static long beganAt(Object fields, long said) {
        if (fields instanceof Programme) {
            return 0;
        } else if (fields instanceof Governors f) {
            return f.statedAt;
        } else if (fields instanceof LogKeys f) {
            return f.logKeys.get(f.logKeys.size() - 1).namedAt;
        } else if (fields instanceof Key f) {
            return f.givenAt;
        } else if (fields instanceof MethodStated f) {
            return f.statedAt;
        } else if (fields instanceof PlotStands f) {
            return f.statedAt;
        } else if (fields instanceof PlantingStands f) {
            return f.entry;
        } else if (fields instanceof SurveyStands f) {
            return f.entry;
        } else if (fields instanceof Loss f) {
            return f.entry;
        }
        return said;
    }

    private static long[] pair(long a, long b) {
        return new long[] {a, b};
    }

    /** A leaf's a and b, by its fields; null where one would be below 0. */
    private static long[] sumsOf(Object fields) {
        if (fields instanceof Key f) {
            return pair(f.revokedAt == null ? 1 : 0, f.revokedAt == null ? 0 : 1);
        } else if (fields instanceof Holder) {
            return pair(1, 0);
        } else if (fields instanceof Name) {
            return pair(0, 1);
        } else if (fields instanceof Account f) {
            return f.balance < 0 ? pair(0, -f.balance) : pair(f.balance, 0);
        } else if (fields instanceof PlotStands f) {
            return Long.compareUnsigned(f.planted, f.lost) < 0 ? null : pair(f.planted - f.lost, f.assigned);
        } else if (fields instanceof PlantingStands f) {
            long standing = f.last - f.first + 1 - f.lost;
            return f.voided ? pair(0, 0) : standing < 0 ? null : pair(standing, f.lost);
        } else if (fields instanceof ClaimStands f) {
            return f.standing instanceof Standing.Voided ? pair(0, 0) : pair(f.points, f.standing instanceof Standing.Waits ? 1 : 0);
        } else if (fields instanceof Reversed f) {
            return pair(f.points, 0);
        } else if (fields instanceof Loss f) {
            return pair(f.count, 0);
        } else if (fields instanceof Month f) {
            return pair(f.awarded, f.planted);
        }
        return pair(0, 0);
    }

    /** Whether fields can be of the item with a key. */
    private static boolean isOfKey(Object fields, byte[] key) {
        if (fields instanceof Key f) {
            return Arrays.equals(key, f.key.raw());
        } else if (fields instanceof MethodStated f) {
            return Arrays.equals(key, new Writer().uint(f.method.id(), 4).uint(f.method.version(), 4).bytes());
        } else if (fields instanceof PlotStands f) {
            return Arrays.equals(key, new Writer().uint(f.plot.number(), 4).bytes());
        } else if (fields instanceof PlantingStands f) {
            return Arrays.equals(key, 4, 8, new Writer().uint(f.first, 4).bytes(), 0, 4) && f.first <= f.last
                && !(f.voided && (f.lost > 0 || !f.lostRanges.isEmpty()));
        } else if (fields instanceof SurveyStands f) {
            return Arrays.equals(key, new Writer().uint(f.survey.plot(), 4).uint(f.survey.surveyedOn().days(), 4).uint(f.entry, 8).bytes());
        } else if (fields instanceof Loss f) {
            return Arrays.equals(key, new Writer().uint(f.entry, 8).bytes());
        } else if (fields instanceof VoidedBy f) {
            return Arrays.compareUnsigned(key, new Writer().uint(f.by, 8).bytes()) < 0;
        }
        return true;
    }

    private static String number(byte[] key, int from, int to) {
        return Long.toUnsignedString(new Reader(Arrays.copyOfRange(key, from, to)).uint(to - from));
    }

    /** A key as people write it. */
    static String textOf(String domain, byte[] key) {
        return switch (domain) {
            case "holders" -> org.arborlog.Text.decode(Arrays.copyOfRange(key, 1, key.length));
            case "accounts", "keys", "evidence" -> HexFormat.of().formatHex(key, key.length - 32, key.length);
            case "methods", "plantings", "trees" -> number(key, 0, 4) + "/" + number(key, 4, 8);
            case "surveys" -> number(key, 0, 4) + "/" + number(key, 4, 8) + "/" + number(key, 8, 16);
            default -> number(key, 0, key.length);
        };
    }
}
