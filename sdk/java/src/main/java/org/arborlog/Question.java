package org.arborlog;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** What a file must be about, as docs/format.md, 13.6, writes it. */
final class Question {
    private Question() {}

    private static final Map<String, String> ONE_OF = Map.ofEntries(Map.entry("account", "accounts"), Map.entry("key", "keys"),
        Map.entry("holder", "holders"), Map.entry("method", "methods"), Map.entry("plot", "plots"), Map.entry("planting", "plantings"),
        Map.entry("tree", "trees"), Map.entry("survey", "surveys"), Map.entry("claim", "claims"), Map.entry("loss", "losses"),
        Map.entry("month", "months"));
    private static final Map<String, String> FILES = Map.of("receipt", "claims", "certificate", "claims", "entry", "claims", "account-history",
        "accounts", "plot-history", "plots");
    private static final Map<String, String> ABOUT = Map.of("certificate", "certificate", "entry", "corrections", "account-history",
        "account_history", "plot-history", "plot_history");
    /** The widths of the numbers of a key. */
    private static final Map<String, List<Integer>> WIDTHS = Map.ofEntries(Map.entry("once", List.of(1)), Map.entry("methods", List.of(4, 4)),
        Map.entry("species", List.of(2)), Map.entry("plots", List.of(4)), Map.entry("plantings", List.of(4, 4)), Map.entry("trees", List.of(4, 4)),
        Map.entry("surveys", List.of(4, 4, 8)), Map.entry("claims", List.of(8)), Map.entry("reversed", List.of(8)), Map.entry("losses", List.of(8)),
        Map.entry("voided", List.of(8)), Map.entry("months", List.of(4)));

    private static byte[] readKey(String domain, String written, ArborlogException noQuestion) {
        if (List.of("keys", "accounts", "evidence").contains(domain) && written.matches("[0-9a-f]{64}")) {
            return Bytes32.hex(written).bytes();
        }
        if (domain.equals("holders") && Text.isSlug(written)) {
            return new Writer().uint(0, 1).put(Text.encode(written, Wire.Form.SLUG, 64)).bytes();
        }
        List<Integer> widths = WIDTHS.getOrDefault(domain, List.of());
        String[] parts = written.split("/", -1);
        if (widths.isEmpty() || parts.length != widths.size()) {
            throw noQuestion;
        }
        Writer key = new Writer();
        for (int i = 0; i < parts.length; i++) {
            Long number = Base64s.decimal(parts[i]);
            if (number == null || widths.get(i) < 8 && number >>> 8 * widths.get(i) != 0) {
                throw noQuestion;
            }
            key.uint(number, widths.get(i));
        }
        return key.bytes();
    }

    static void check(Proven proven, String question) {
        ArborlogException noQuestion = new ArborlogException("wrong_use", "question", question + " is no question of docs/format.md, 13.6");
        ArborlogException other = new ArborlogException("about_other", "file", "the file is true, and does not answer what was asked: " + question);
        boolean isState = proven.entry().form() == 3;
        if (question.equals("totals")) {
            unless(isState, other);
            return;
        }
        int slash = question.indexOf('/');
        if (slash < 0) {
            throw noQuestion;
        }
        String name = question.substring(0, slash);
        String written = question.substring(slash + 1);
        boolean isHistory = name.endsWith("-history") && FILES.containsKey(name);
        Long begin = null;
        int from = written.indexOf("/from/");
        if (isHistory && from >= 0) {
            begin = Base64s.decimal(written.substring(from + 6));
            written = written.substring(0, from);
            unless(begin != null, noQuestion);
        }
        String domain = FILES.getOrDefault(name, ONE_OF.getOrDefault(name, name));
        boolean isLatest = domain.equals("surveys") && written.endsWith("/latest");
        byte[] key = readKey(isLatest ? "plots" : domain, isLatest ? written.substring(0, written.length() - 7) : written, noQuestion);
        if (name.equals("receipt")) {
            unless(new Reader(key).uint(8) == proven.index(), other);
        } else if (FILES.containsKey(name)) {
            StateFile file = proven.file();
            unless(file != null && file.about().equals(ABOUT.get(name)) && file.of().equals(written) && (begin == null || begin == file.begin()), other);
            unless(!isHistory || begin != null || file.complete(), new ArborlogException("about_part", "file",
                "the file is true, and a part of the history: missing are " + file.missing()));
        } else {
            unless(isState && proven.items().stream().anyMatch(item -> isAbout(item, domain, key, isLatest)), other);
        }
    }

    private static void unless(boolean condition, ArborlogException wrong) {
        if (!condition) {
            throw wrong;
        }
    }

    private static boolean isAbout(Item item, String domain, byte[] key, boolean isLatest) {
        if (!item.domain().equals(domain)) {
            return false;
        }
        byte[] have = item.key();
        if (isLatest) {
            byte[] end = new Writer().put(key).uint(-1, 4).uint(-1, 8).bytes();
            return Arrays.equals(have, 0, 4, key, 0, 4) && Arrays.equals(item.upTo(), end)
                && (item.isThere() || Arrays.equals(have, 4, 16, new byte[12], 0, 12));
        }
        return item.upTo() == null && Arrays.equals(domain.equals("accounts") ? Arrays.copyOfRange(have, 32, 64) : have, key);
    }
}
