package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a policy makes of a checkpoint (docs/format.md, 12.3). */
final class Quorum {
    private static final List<String> LEVELS = List.of("cosigned", "witnessed", "audited");

    private final Policy policy;

    Quorum(Policy policy) {
        this.policy = policy;
    }

    static boolean isAuditor(String name) {
        return name.startsWith("audit-");
    }

    /** The log's own keys in a policy: all their lines hold, and there is one at least. */
    static void checkLog(Policy policy, Checkpoint checkpoint, Trust trust) {
        boolean isNamed = false;
        boolean isSigned = false;
        boolean isUnread = false;
        for (VerifierKey key : policy.logs()) {
            if (key.name().equals(checkpoint.origin())) {
                Checkpoint.Lines lines = checkpoint.readLines(key, trust.check(), trust.mldsa());
                isNamed = true;
                isSigned |= !lines.times().isEmpty() && !lines.isUnread();
                isUnread |= lines.isUnread();
            }
        }
        at(isNamed, "other_log", "it is of " + checkpoint.origin() + ", and the policy names no key of that log");
        at(isSigned || !isUnread, "mldsa_unsupported", "the log's line is of ML-DSA-44, which nothing here checks");
        at(isSigned, "unsigned", "no line is by a log's key of the policy");
    }

    private static void at(boolean condition, String code, String what) {
        try {
            need(condition, code, what);
        } catch (ArborlogException wrong) {
            throw wrong.at("checkpoint");
        }
    }

    /** Without a time a witness's line of ML-DSA-44 says nothing of a newest tree (12.2). */
    static List<Long> timesThatCount(VerifierKey key, List<Long> times, boolean isAuditor) {
        return isAuditor || key.type() != VerifierKey.MLDSA ? times : times.stream().filter(seconds -> seconds != 0).toList();
    }

    /** Who of the policy cosigned a file's checkpoints. Without the quorum it throws QuorumMissing, or mldsa_unsupported. */
    ByPolicy judge(List<Checkpoint> checkpoints, Trust trust) {
        List<ByPolicy.Cosigner> cosignedBy = new ArrayList<>();
        List<Set<String>> present = new ArrayList<>();
        List<Set<String>> withUnread = new ArrayList<>();
        Set<String> unread = new HashSet<>();
        Map<String, Long> reached = new HashMap<>();
        for (Checkpoint checkpoint : checkpoints) {
            Set<String> seen = new HashSet<>();
            Set<String> unreadHere = new HashSet<>();
            for (Map.Entry<String, VerifierKey> witness : policy.witnesses().entrySet()) {
                String name = witness.getKey();
                VerifierKey key = witness.getValue();
                Checkpoint.Lines lines = checkpoint.readLines(key, trust.check(), trust.mldsa());
                List<Long> times = timesThatCount(key, lines.times(), isAuditor(name));
                if (!times.isEmpty() && lines.isUnread()) {
                    unreadHere.add(name);
                } else if (!times.isEmpty()) {
                    long newest = Collections.max(times);
                    seen.add(name);
                    cosignedBy.add(new ByPolicy.Cosigner(name, key.name(), isAuditor(name) ? "auditor" : "witness", checkpoint.size(),
                        newest == 0 && key.type() == VerifierKey.MLDSA ? null : newest));
                }
            }
            present.add(seen);
            withUnread.add(both(seen, unreadHere));
            unread.addAll(unreadHere);
            levels(seen).forEach(level -> reached.put(level, checkpoint.size()));
        }
        boolean isMet = isMet(present);
        List<String> levels = LEVELS.stream().filter(level -> reached.containsKey(level) || isMet && level.equals("cosigned")).toList();
        List<String> notChecked = policy.witnesses().keySet().stream().filter(unread::contains).toList();
        if (!isMet) {
            at(!isMet(withUnread), "mldsa_unsupported",
                "the policy's quorum depends on lines of ML-DSA-44, which nothing here checks: " + String.join(", ", notChecked));
            throw quorumMissing(waysToQuorum(present), levels);
        }
        return new ByPolicy(levels, List.copyOf(cosignedBy), reached.get("witnessed"), reached.get("audited"), notChecked);
    }

    /**
     * Those who count together: of one checkpoint those who saw it; of two those of either, or the witnesses of one with the auditors of the
     * other.
     */
    private static List<Set<String>> waysToQuorum(List<Set<String>> present) {
        if (present.size() == 1) {
            return present;
        }
        Set<String> first = present.get(0);
        Set<String> second = present.get(1);
        return List.of(first, second, mixed(second, first), mixed(first, second));
    }

    private static Set<String> mixed(Set<String> witnesses, Set<String> auditors) {
        return Stream.concat(witnesses.stream().filter(name -> !isAuditor(name)), auditors.stream().filter(Quorum::isAuditor)).collect(Collectors.toSet());
    }

    private boolean isMet(List<Set<String>> present) {
        return waysToQuorum(present).stream().anyMatch(way -> holding(way).contains(policy.quorum()));
    }

    /** Names who is missing in that way to the quorum which lacks the fewest. */
    private QuorumMissing quorumMissing(List<Set<String>> ways, List<String> levels) {
        Set<String> present = ways.get(0);
        for (Set<String> way : ways) {
            present = missing(way).size() < missing(present).size() ? way : present;
        }
        List<QuorumMissing.Witness> missing = missing(present);
        String there = policy.witnesses().keySet().stream().filter(present::contains).collect(Collectors.joining(", "));
        return new QuorumMissing("the policy's quorum, " + policy.quorum() + ", is not there: no cosignature by "
            + missing.stream().map(one -> one.as() + " (" + one.name() + ")").collect(Collectors.joining(", ")) + "; there are those by "
            + (there.isEmpty() ? "nobody" : there), missing, levels);
    }

    private static Set<String> both(Set<String> one, Iterable<String> other) {
        Set<String> all = new HashSet<>(one);
        other.forEach(all::add);
        return all;
    }

    /** The witnesses that are present, and the groups that have enough of them: a group's members are defined before it. */
    private Set<String> holding(Set<String> present) {
        Set<String> holding = both(present, List.of("none"));
        for (Policy.Group group : policy.groups()) {
            if (group.members().stream().filter(holding::contains).count() >= group.threshold()) {
                holding.add(group.name());
            }
        }
        return holding;
    }

    private List<String> levels(Set<String> present) {
        Map<Boolean, List<String>> roles = policy.witnesses().keySet().stream().collect(Collectors.partitioningBy(Quorum::isAuditor));
        List<String> levels = new ArrayList<>();
        if (holding(present).contains(policy.quorum())) {
            levels.add("cosigned");
        }
        if (roles.get(false).stream().anyMatch(present::contains) && holding(both(present, roles.get(true))).contains(policy.quorum())) {
            levels.add("witnessed");
        }
        if (roles.get(true).stream().anyMatch(present::contains) && holding(both(present, roles.get(false))).contains(policy.quorum())) {
            levels.add("audited");
        }
        return List.copyOf(levels);
    }

    /** The witnesses that are not present, and that the quorum or a group that it lacks asks for. */
    private List<QuorumMissing.Witness> missing(Set<String> present) {
        Set<String> holding = holding(present);
        Set<String> wanted = new HashSet<>(Set.of(policy.quorum()));
        for (int n = policy.groups().size() - 1; n >= 0; n--) {
            Policy.Group group = policy.groups().get(n);
            if (wanted.contains(group.name()) && !holding.contains(group.name())) {
                wanted.addAll(group.members());
            }
        }
        return policy.witnesses().entrySet().stream().filter(one -> wanted.contains(one.getKey()) && !holding.contains(one.getKey()))
            .map(one -> new QuorumMissing.Witness(one.getKey(), one.getValue().name())).toList();
    }
}
