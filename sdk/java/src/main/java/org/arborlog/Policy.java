package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.notCanonical;

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
    static final int BYTES_MAX = 24_576;

    private record Group(String name, long threshold, List<String> members) {}

    private final List<VerifierKey> logs = new ArrayList<>();
    private final Map<String, VerifierKey> witnesses = new LinkedHashMap<>();
    private final List<Group> groups = new ArrayList<>();
    private final Set<String> names = new HashSet<>();
    private final Set<String> keys = new HashSet<>();
    private final Set<String> members = new HashSet<>();
    private String quorum;

    private Policy() {}

    /** Reads a policy's text. */
    public static Policy parse(String text) {
        Text.encode(text, Wire.Form.POLICY, BYTES_MAX);
        return read(text);
    }

    static Policy read(String text) {
        need(text.endsWith("\n"), "not_canonical", "the policy's last line has no newline");
        Policy policy = new Policy();
        String[] lines = text.substring(0, text.length() - 1).split("\n", -1);
        for (int n = 0; n < lines.length; n++) {
            List<String> words = Arrays.stream(lines[n].split("[ \t]+")).filter(word -> !word.isEmpty()).toList();
            if (words.isEmpty() || words.get(0).startsWith("#")) {
                continue;
            }
            try {
                policy.line(words.get(0), words.subList(1, words.size()));
            } catch (ArborlogException wrong) {
                throw notCanonical("line " + (n + 1) + ": " + wrong.getMessage());
            }
        }
        need(policy.quorum != null, "not_canonical", "the policy has no quorum line");
        return policy;
    }

    private void line(String what, List<String> rest) {
        if (what.equals("log") && (rest.size() == 1 || rest.size() == 2)) {
            VerifierKey key = VerifierKey.read(rest.get(0), List.of(VerifierKey.LOG, VerifierKey.MLDSA));
            once(keys, "log " + Arrays.toString(key.key()), "the log's key");
            logs.add(key);
        } else if (what.equals("witness") && (rest.size() == 2 || rest.size() == 3)) {
            VerifierKey key = VerifierKey.read(rest.get(1), List.of(VerifierKey.WITNESS, VerifierKey.MLDSA));
            once(keys, "witness " + Arrays.toString(key.key()), "the witness's key");
            define(rest.get(0));
            witnesses.put(rest.get(0), key);
        } else if (what.equals("group") && rest.size() >= 3) {
            List<String> all = rest.subList(2, rest.size());
            for (String member : all) {
                need(names.contains(member), "not_canonical", "no line before defines " + member);
                once(members, member, "the member " + member);
            }
            Long number = Base64s.decimal(rest.get(1));
            boolean isPlain = number != null && number >= 1 && number <= all.size();
            need(isPlain || rest.get(1).equals("all") || rest.get(1).equals("any"), "not_canonical",
                "the threshold is not all, any, or a number up to that of the members");
            define(rest.get(0));
            groups.add(new Group(rest.get(0), rest.get(1).equals("all") ? all.size() : isPlain ? number : 1, all));
        } else if (what.equals("quorum") && rest.size() == 1) {
            need(quorum == null && (rest.get(0).equals("none") || names.contains(rest.get(0))), "not_canonical",
                "it is a second quorum line, or no line before defines " + rest.get(0));
            quorum = rest.get(0);
        } else {
            throw notCanonical("it is none of log, witness, group and quorum");
        }
    }

    private void define(String name) {
        need(!name.equals("none"), "not_canonical", "a witness or group is named none");
        once(names, name, "the name " + name);
    }

    private static void once(Set<String> in, String one, String what) {
        need(in.add(one), "not_canonical", what + " stands twice");
    }

    List<VerifierKey> logs() {
        return logs;
    }

    Map<String, VerifierKey> witnesses() {
        return witnesses;
    }

    String quorum() {
        return quorum;
    }

    /** Whether the witnesses that saw a checkpoint are enough. */
    boolean isMet(Set<String> seen) {
        Set<String> have = new HashSet<>(seen);
        have.add("none");
        for (Group group : groups) {
            if (group.members.stream().filter(have::contains).count() >= group.threshold) {
                have.add(group.name);
            }
        }
        return have.contains(quorum);
    }
}
