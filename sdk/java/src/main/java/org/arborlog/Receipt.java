package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Verifies receipts, and files about the state, offline (docs/format.md, 13). */
public final class Receipt {
    private Receipt() {}

    /** What each role may say. */
    static final Map<Statement.Role, Set<String>> MAY_SAY = Map.of(
        Statement.Role.PLATFORM, Set.of("award", "transfer", "claim", "assignment", "correction", "seal"),
        Statement.Role.PLANTER, Set.of("plot", "planting", "correction", "seal"),
        Statement.Role.SURVEYOR, Set.of("survey", "correction", "seal"),
        Statement.Role.AUDITOR, Set.of("correction", "attestation", "seal"));

    /** What a file comes to, without an exception: what is proven, or the fault. */
    public record Verdict(Outcome outcome, Proven proven, ArborlogException fault) {}

    /** Verifies a file: the outcome, and what is proven or what is wrong. */
    public static Verdict check(byte[] file, Trust trust) {
        try {
            return new Verdict(Outcome.HOLDS, verify(file, trust), null);
        } catch (ArborlogException fault) {
            return new Verdict(fault.outcome(), null, fault);
        }
    }

    /** Verifies a file, and gives what is proven; else an ArborlogException, whose outcome says whether it is false. */
    public static Proven verify(byte[] data, Trust trust) {
        ReceiptFile file = ReceiptFile.read(data);
        Witnessed seen = witnessed(file.checkpoints(), trust);
        if (Entry.formOf(file.chain.get(0).entry()) == 3) {
            return StateReceipt.verify(file, trust, seen);
        }
        return verifyChain(file, trust, seen);
    }

    // ---- steps 2 and 3

    /** Who saw a checkpoint: the witnesses of Trust, and those of its policy, or null. */
    record Witnessed(List<Proven.Seen> seen, ByPolicy byPolicy) {}

    private static Witnessed witnessed(List<Checkpoint> checkpoints, Trust trust) {
        Policy policy = trust.policy();
        boolean hasLogs = policy != null && !policy.logs().isEmpty();
        need(trust.log() != null || hasLogs, "wrong_use", "neither a log's key nor a policy with a log line was given");
        for (Checkpoint checkpoint : checkpoints) {
            if (trust.log() != null) {
                checkpoint.verify(trust.log(), trust.check(), trust.mldsa());
            }
            if (hasLogs) {
                Quorum.checkLog(policy, checkpoint, trust);
            }
        }
        List<Proven.Seen> seen = new ArrayList<>();
        for (VerifierKey key : trust.witnesses()) {
            // Of two checkpoints, the newer one that it saw is what counts.
            List<Long> times = List.of();
            for (Checkpoint checkpoint : checkpoints) {
                List<Long> found = Quorum.timesThatCount(key, checkpoint.linesOf(key, trust.check(), trust.mldsa()), false);
                times = found.isEmpty() ? times : found;
            }
            if (times.isEmpty()) {
                throw new ArborlogException("witness_missing", "checkpoint", "no cosignature by " + key.name());
            }
            seen.add(new Proven.Seen(key.name(), Collections.max(times)));
        }
        return new Witnessed(List.copyOf(seen), policy == null ? null : new Quorum(policy).judge(checkpoints, trust));
    }

    // ---- steps 4 to 11

    private static String place(int n) {
        return n == 0 ? "entry" : "link " + (n - 1);
    }

    /** An entry of the chain as it was opened: its place in the log, and its record's id. */
    private record Opened(Entry entry, long index, Bytes32 id) {}

    private static Proven verifyChain(ReceiptFile file, Trust trust, Witnessed seen) {
        Checkpoint checkpoint = file.checkpoint;
        int last = file.chain.size() - 1;
        List<ReceiptFile.Link> links = new ArrayList<>(file.chain);
        if (file.seal != null) {
            links.add(file.seal);
        }
        links.forEach(link -> link.checkComplete(checkpoint));
        file.checkSecond();
        checkFormat(file.chain.get(last), checkpoint);
        List<Opened> opened = new ArrayList<>();
        Entry sealed = null;
        for (int i = 0; i <= last; i++) {
            try {
                ReceiptFile.Link link = file.chain.get(i);
                Entry entry = link.open(checkpoint);
                if (i == 0 && file.seal != null) {
                    sealed = entry;
                    entry = openSeal(file, sealed);
                    link = file.seal;
                }
                opened.add(new Opened(entry, link.index(), checkLink(entry, checkpoint.origin(), trust.check())));
            } catch (ArborlogException wrong) {
                throw wrong.at(place(i));
            }
        }
        for (int i = 0; i < last; i++) {
            try {
                checkBehind(opened.get(i), opened.get(i + 1), i, sealed);
            } catch (ArborlogException wrong) {
                throw wrong.at(place(i));
            }
        }
        Opened genesis = opened.get(last);
        checkGenesis(genesis, checkpoint.origin(), trust.genesis());
        for (Opened one : opened) {
            need(!SignedRecord.namesMldsa(one.entry.statement()), "mldsa_unsupported", "an ML-DSA key is named, whose signature is not verified here");
        }
        Opened first = opened.get(0);
        return new Proven(file.chain.get(0).index(), checkpoint.size(), checkpoint.root(), sealed == null ? first.entry : sealed,
            first.entry.record().issuer(), first.id, sealed == null ? null : file.seal.index(), genesis.id, seen.seen, seen.byPolicy, List.of(), List.of(), null);
    }

    /** Step 5: a genesis that is in the tree may be in another format. */
    private static void checkFormat(ReceiptFile.Link last, Checkpoint checkpoint) {
        try {
            Entry.decode(last.entry());
        } catch (ArborlogException wrong) {
            if (wrong.code().equals("other_format") && last.index() == 0 && last.isIncluded(checkpoint)) {
                throw wrong;
            }
        }
    }

    private static Entry openSeal(ReceiptFile file, Entry sealed) {
        need(file.seal.index() == file.chain.get(0).index() + sealed.ahead(), "seal_mismatch",
            "another entry than the sealed one names is to be its seal");
        Entry seal = file.seal.open(file.checkpoint);
        checkUnderSeal(sealed, seal, file.siblings);
        return seal;
    }

    /** That an entry is the seal of a sealed one, and the statement under its root, at the entry's place. */
    static void checkUnderSeal(Entry sealed, Entry seal, List<Bytes32> siblings) {
        if (!(seal.statement() instanceof Statement.Seal said) || seal.form() != 1) {
            throw ArborlogException.refuse("seal_mismatch", "the entry that is to be the seal is none");
        }
        need(sealed.ahead() <= said.count(), "seal_mismatch", "the entry is no part of the batch that was sealed");
        long place = said.count() - sealed.ahead();
        need(siblings.size() == Hashes.pathLength(place, said.count()), "proof_incomplete",
            "the proof of the statement has not the number of hashes that its place needs");
        need(Hashes.rootByPath(Hashes.leaf(sealed.statementBytes()), place, said.count(), siblings).equals(said.root()), "seal_mismatch",
            "the statement is not under the root of the seal");
    }

    /** The signatures of step 6, and step 9. */
    private static Bytes32 checkLink(Entry entry, String origin, SignatureCheck check) {
        need(entry.form() == 1, "authority_broken", "a sealed entry or a state entry gives nobody authority");
        Bytes32 id = entry.checkSignatures(origin, check);
        List<Bytes32> mustSign = new ArrayList<>();
        if (entry.statement() instanceof Statement.Genesis genesis) {
            mustSign.addAll(genesis.governors());
            mustSign.add(genesis.logKey());
        } else if (entry.statement() instanceof Statement.KeyGrant grant) {
            mustSign.add(grant.key());
        } else if (entry.statement() instanceof Statement.LogKey key) {
            mustSign.add(key.key());
        }
        for (Bytes32 key : mustSign) {
            need(entry.signedBy(key), "possession_unproven", key + " gets a task and did not sign");
        }
        return id;
    }

    /** The set of governors that a statement names, of a kind that governors say; null else. */
    private static Long setOf(Statement s) {
        if (s instanceof Statement.Governors one) {
            return one.set();
        } else if (s instanceof Statement.KeyGrant one) {
            return one.set();
        } else if (s instanceof Statement.KeyRevoke one) {
            return one.set();
        } else if (s instanceof Statement.LogKey one) {
            return one.set();
        } else if (s instanceof Statement.Method one) {
            return one.set();
        } else if (s instanceof Statement.Policy one) {
            return one.set();
        } else if (s instanceof Statement.Correction one) {
            return one.set();
        }
        return null;
    }

    /** Steps 7 and 8, of an entry and the link behind it. */
    private static void checkBehind(Opened one, Opened behind, int place, Entry sealed) {
        Entry entry = one.entry;
        need(entry.lineage().size() > 1 && entry.lineage().get(1) == behind.index && Long.compareUnsigned(behind.index, one.index) < 0,
            "authority_broken", "the next link is not the earlier entry that lineage[1] names");
        List<Bytes32> governors;
        int quorum;
        if (behind.entry.statement() instanceof Statement.KeyGrant grant) {
            Set<String> maySay = MAY_SAY.get(grant.role());
            need(grant.key().equals(entry.record().issuer()) && maySay.contains(entry.kind())
                && (place != 0 || sealed == null || maySay.contains(sealed.kind())), "role_refused",
                "the grant does not give the issuer a role that says this");
            need(place == 0, "authority_broken", "a grant behind a link");
            return;
        } else if (behind.entry.statement() instanceof Statement.Genesis genesis) {
            governors = genesis.governors();
            quorum = genesis.quorum();
        } else if (behind.entry.statement() instanceof Statement.Governors set) {
            governors = set.governors();
            quorum = set.quorum();
        } else {
            throw ArborlogException.refuse("authority_broken", "the next link proves nothing");
        }
        Long set = setOf(entry.statement());
        need((set != null || entry.statement() instanceof Statement.Correction) && governors.contains(entry.record().issuer()), "role_refused",
            "governors don't say this, or the issuer is none of them");
        need(set != null && set == behind.index, "authority_broken", "it names another set of governors");
        long signed = governors.stream().distinct().filter(entry::signedBy).count();
        need(signed >= quorum, "quorum_short", signed + " governors signed, " + quorum + " are needed");
    }

    private static void checkGenesis(Opened last, String origin, Bytes32 pinned) {
        if (!(last.entry.statement() instanceof Statement.Genesis genesis) || last.index != 0) {
            throw ArborlogException.refuse("authority_broken", "the last link is no genesis at index 0");
        }
        need(genesis.origin().equals(origin), "genesis_other", "the genesis is of another log");
        need(pinned == null || pinned.equals(last.id), "genesis_other", "the genesis is not the one that was pinned");
    }
}
