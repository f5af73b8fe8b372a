package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.refuse;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What c2sp.org/tlog-policy reads, by the rules of docs/format.md, 6.14.1: which logs and witnesses count, and which of them must have
 * seen a checkpoint.
 */
public final class Policy {
    // docs/format.md, 13.5. One in a statement has a bound of its own.
    private static final int FILE_BYTES_MAX = 131_072;
    private static final int LOGS_MAX = 64;
    private static final int WITNESSES_MAX = 64;
    private static final int GROUPS_MAX = 64;
    private static final int NAME_BYTES_MAX = 200;

    record Group(String name, long threshold, List<String> members) {}

    private final List<VerifierKey> logs = new ArrayList<>();
    private final Map<String, VerifierKey> witnesses = new LinkedHashMap<>();
    private final List<Group> groups = new ArrayList<>();
    private final Set<String> names = new HashSet<>();
    private final Set<String> keys = new HashSet<>();
    private final Set<String> members = new HashSet<>();
    private String quorum;

    private Policy() {}

    /** Reads a policy's text. What is no policy is policy_malformed, and the exception's where is the line, such as "line 3". */
    public static Policy parse(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        checkBytes(bytes);
        mustBe(text.equals(Text.decode(bytes)), "a policy has a half of a surrogate pair");
        return read(text);
    }

    /** Reads a policy's bytes, as a file has them. */
    public static Policy parse(byte[] text) {
        checkBytes(text);
        String decoded = Text.decode(text);
        mustBe(decoded != null, "a policy is not well-formed UTF-8");
        return read(decoded);
    }

    private static void checkBytes(byte[] bytes) {
        mustBe(bytes.length <= FILE_BYTES_MAX, "a policy has " + bytes.length + " bytes, at most " + FILE_BYTES_MAX + " are allowed");
    }

    /** Checks the policy that a statement has. */
    static void checkText(String text) {
        try {
            read(text);
        } catch (ArborlogException wrong) {
            throw wrong.recoded("not_canonical");
        }
    }

    private static void mustBe(boolean condition, String what) {
        need(condition, "policy_malformed", what);
    }

    private static Policy read(String text) {
        Policy policy = new Policy();
        String[] lines = text.split("\n", -1);
        int last = lines.length - 1;
        atLine(last + 1, () -> mustBe(last > 0 && lines[last].isEmpty(), "each line ends in a newline, the last one too"));
        for (int n = 0; n < last; n++) {
            String line = lines[n];
            atLine(n + 1, () -> policy.take(line));
        }
        atLine(last, () -> mustBe(policy.quorum != null, "there is no quorum line"));
        return policy;
    }

    /** Says on which line of a policy, from 1, what is wrong. */
    private static void atLine(int number, Runnable read) {
        try {
            read.run();
        } catch (ArborlogException wrong) {
            throw new ArborlogException("policy_malformed", "line " + number, wrong.what());
        }
    }

    private void take(String line) {
        Text.checkCharacters(line, "\t");
        List<String> words = Arrays.stream(line.split("[ \t]+")).filter(word -> !word.isEmpty()).toList();
        if (words.isEmpty() || words.get(0).startsWith("#")) {
            return;
        }
        String what = words.get(0);
        List<String> rest = words.subList(1, words.size());
        if (what.equals("log") && (rest.size() == 1 || rest.size() == 2)) {
            takeLog(rest.get(0));
        } else if (what.equals("witness") && (rest.size() == 2 || rest.size() == 3)) {
            takeWitness(rest.get(0), rest.get(1));
        } else if (what.equals("group") && rest.size() >= 3) {
            takeGroup(rest.get(0), rest.get(1), rest.subList(2, rest.size()));
        } else if (what.equals("quorum") && rest.size() == 1) {
            mustBe(rest.get(0).equals("none") || names.contains(rest.get(0)), "no line before it defines " + rest.get(0));
            mustBe(quorum == null, "there is a quorum line already");
            quorum = rest.get(0);
        } else {
            throw refuse("policy_malformed", "it is none of: log VKEY [URL]; witness NAME VKEY [URL]; group NAME all|any|K NAME…; quorum NAME");
        }
    }

    private void takeLog(String written) {
        VerifierKey key = VerifierKey.read(written, List.of(VerifierKey.LOG, VerifierKey.MLDSA));
        mustBe(keys.add("log " + Arrays.toString(key.key())), "this log's key stands twice");
        mustBe(logs.size() < LOGS_MAX, "it names more than " + LOGS_MAX + " logs");
        logs.add(key);
    }

    private void takeWitness(String name, String written) {
        define(name);
        VerifierKey key = VerifierKey.read(written, List.of(VerifierKey.WITNESS, VerifierKey.MLDSA));
        mustBe(keys.add("witness " + Arrays.toString(key.key())), "this witness's key stands twice");
        mustBe(witnesses.size() < WITNESSES_MAX, "it names more than " + WITNESSES_MAX + " witnesses");
        witnesses.put(name, key);
    }

    private void takeGroup(String name, String threshold, List<String> all) {
        for (String member : all) {
            mustBe(names.contains(member), "no line before it defines " + member);
            mustBe(members.add(member), member + " is a member of a group already");
        }
        Long needed = threshold.equals("all") ? Long.valueOf(all.size()) : threshold.equals("any") ? Long.valueOf(1) : Base64s.decimal(threshold);
        mustBe(needed != null && needed >= 1 && needed <= all.size(), "a group of " + all.size() + " needs all, any, or a plain number up to that of them");
        define(name);
        mustBe(groups.size() < GROUPS_MAX, "it names more than " + GROUPS_MAX + " groups");
        groups.add(new Group(name, needed, all));
    }

    private void define(String name) {
        mustBe(name.getBytes(StandardCharsets.UTF_8).length <= NAME_BYTES_MAX, "a name is longer than " + NAME_BYTES_MAX + " bytes");
        mustBe(!name.equals("none") && names.add(name), name + " is defined already");
    }

    List<VerifierKey> logs() {
        return logs;
    }

    /** By the policy's names, in the order of the lines; auditors too. */
    Map<String, VerifierKey> witnesses() {
        return witnesses;
    }

    List<Group> groups() {
        return groups;
    }

    String quorum() {
        return quorum;
    }
}
