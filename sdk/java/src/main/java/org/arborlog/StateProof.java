package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A proof of a leaf, or of neighbours, against a state root (docs/format.md, 16.3 and 16.4). */
final class StateProof {
    static final int NEIGHBOURS = 16;
    private static final Bytes32 ZEROS = Bytes32.of(new byte[32]);
    private static final String WRONG = "state_item_wrong";

    /** An item's value in its domain, with the two numbers that the domain sums (unsigned). */
    record Leaf(byte[] value, long a, long b) {}

    private record Node(Bytes32 hash, long a, long b, long n) {
        static final Node EMPTY = new Node(ZEROS, 0, 0, 0);

        static Node read(Reader in) {
            return new Node(in.bytes32(), in.uint(8), in.uint(8), in.uint(8));
        }

        Writer write(Writer out) {
            return out.put(hash).uint(a, 8).uint(b, 8).uint(n, 8);
        }
    }

    private record Trie(List<Node> siblings, int end, Bytes32 other, Leaf leaf) {
        static Trie read(Reader in) {
            int depth = (int) in.uint(2);
            need(depth <= 256, "", "a proof is deeper than a path is long");
            byte[] empty = in.take((depth + 7) / 8);
            for (int place = depth; place < 8 * empty.length; place++) {
                need(!bit(empty, place), "", "a bit is set behind the last sibling's");
            }
            List<Node> siblings = new ArrayList<>();
            for (int place = 0; place < depth; place++) {
                Node sibling = bit(empty, place) ? Node.EMPTY : Node.read(in);
                need(bit(empty, place) || sibling.n != 0, "", "a sibling without leaves is not said to be empty");
                siblings.add(sibling);
            }
            int end = (int) in.uint(1);
            need(end < 3, "", "a proof ends in nothing, its leaf or another leaf");
            Bytes32 other = end == 2 ? in.bytes32() : null;
            Leaf leaf = null;
            if (end != 0) {
                long a = in.uint(8);
                long b = in.uint(8);
                int length = (int) in.uint(1);
                need(length <= 128, "", "a leaf's value is longer than 128 bytes");
                leaf = new Leaf(in.take(length), a, b);
            }
            return new Trie(siblings, end, other, leaf);
        }

        /** The root of the trie to which the proof of a path leads. */
        Node root(int domain, Bytes32 path) {
            int depth = siblings.size();
            if (end == 2) {
                for (int place = 0; place < depth; place++) {
                    need(bit(path.raw(), place) == bit(other.raw(), place), WRONG, "the other leaf is not in the place of this one");
                }
                need(!path.equals(other), WRONG, "the other leaf is at this path");
            }
            Node node = Node.EMPTY;
            if (leaf != null) {
                Bytes32 stands = end == 2 ? other : path;
                node = new Node(Hashes.sha256(new byte[] {0, (byte) domain}, stands.raw(), leaf.value), leaf.a, leaf.b, 1);
            }
            if (depth > 0) {
                long beside = siblings.get(0).n;
                need(beside != 0 && !(beside == 1 && node.n == 0), WRONG, "what stands at the end would stand higher");
            }
            for (int i = 0; i < depth; i++) {
                boolean isRight = bit(path.raw(), depth - 1 - i);
                node = isRight ? above(siblings.get(i), node) : above(node, siblings.get(i));
            }
            return node;
        }
    }

    static boolean bit(byte[] path, int place) {
        return (path[place / 8] >> 7 - place % 8 & 1) == 1;
    }

    private static long sum(long one, long other) {
        need(Long.compareUnsigned(one + other, one) >= 0, WRONG, "a sum does not fit 64 bits");
        return one + other;
    }

    private static Node above(Node left, Node right) {
        Writer both = right.write(left.write(new Writer().uint(1, 1)));
        return new Node(Hashes.sha256(both.bytes()), sum(left.a, right.a), sum(left.b, right.b), sum(left.n, right.n));
    }

    final int domain;
    private final long a;
    private final long b;
    private final long n;
    private final List<Bytes32> siblings = new ArrayList<>();
    private final Trie low;
    private final Trie high;

    private StateProof(Reader in, boolean ofNeighbours) {
        domain = (int) in.uint(1);
        need(domain < 16, "", "no domain has the number " + domain);
        a = in.uint(8);
        b = in.uint(8);
        n = in.uint(8);
        for (int i = 0; i < 4; i++) {
            siblings.add(in.bytes32());
        }
        low = Trie.read(in);
        high = ofNeighbours ? Trie.read(in) : null;
        in.end();
    }

    static StateProof read(byte[] data) {
        Reader in = new Reader(data);
        boolean ofNeighbours = data.length > 0 && data[0] == NEIGHBOURS;
        in.at = ofNeighbours ? 1 : 0;
        return new StateProof(in, ofNeighbours);
    }

    boolean isOfNeighbours() {
        return high != null;
    }

    /** The leaf at a path, or null; of neighbours that at the low path, and that none is behind it up to the high one. */
    Leaf verify(List<Bytes32> paths, Bytes32 stateRoot) {
        Node root = low.root(domain, paths.get(0));
        need(high == null || high.root(domain, paths.get(1)).equals(root), WRONG, "the two proofs lead to different roots");
        need(root.a == a && root.b == b && root.n == n, WRONG, "the sums are not those of the proof");
        Bytes32 found = Hashes.sha256(root.write(new Writer().uint(2, 1).uint(domain, 1)).bytes());
        for (int step = 0; step < 4; step++) {
            boolean isRight = (domain >> step & 1) == 1;
            byte[] left = (isRight ? siblings.get(step) : found).raw();
            byte[] right = (isRight ? found : siblings.get(step)).raw();
            found = Hashes.sha256(new byte[] {3}, left, right);
        }
        need(found.equals(stateRoot), WRONG, "it leads to another state root");
        if (high != null) {
            checkNothingBetween(paths.get(0), paths.get(1));
            need(high.end != 1, WRONG, "a leaf is at the high path");
        }
        return low.end == 1 ? low.leaf : null;
    }

    /** 16.3, neighbours: by two proofs that hold against one root, no leaf is between the paths. */
    private void checkNothingBetween(Bytes32 from, Bytes32 to) {
        need(from.compareTo(to) < 0, WRONG, "the paths of neighbours do not ascend");
        int shared = 0;
        while (bit(from.raw(), shared) == bit(to.raw(), shared)) {
            shared++;
        }
        for (Trie trie : Arrays.asList(low, high)) {
            byte[] path = (trie == low ? from : to).raw();
            for (int i = 0; i < trie.siblings.size(); i++) {
                int depth = trie.siblings.size() - 1 - i;
                need(depth <= shared || bit(path, depth) != (trie == high) || trie.siblings.get(i).n == 0, WRONG, "leaves are between the paths");
            }
            need(trie.end != 2 || !(from.compareTo(trie.other) < 0 && trie.other.compareTo(to) < 0), WRONG, "a leaf is between the paths");
        }
    }
}
