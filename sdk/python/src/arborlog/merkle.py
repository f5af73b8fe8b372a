"""RFC 6962 trees: the root of a batch, inclusion, and that one tree extends another."""

import hashlib


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def root_of(items):
    """The tree hash over these byte strings, of which there is one at least."""
    level = [leaf_hash(item) for item in items]
    while len(level) > 1:
        # A last one without a neighbour moves up as it is: the RFC's split at the largest power of two.
        pairs = [_node(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def root_by_path(leaf, index, size, path):
    """The root that an inclusion proof leads to, or None if it has another number of hashes than it needs."""
    if not 0 <= index < size:
        return None
    node, last, rest = leaf, size - 1, list(path)
    while last:
        if index & 1 or index == last:
            if not rest:
                return None
            # Without a right neighbour at this height the node moves up as it is.
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
            node = _node(rest.pop(0), node) if index & 1 else _node(node, rest.pop(0))
        else:
            if not rest:
                return None
            node = _node(node, rest.pop(0))
        index, last = index >> 1, last >> 1
    return None if rest else node


def extends(size, root, larger_size, larger_root, path):
    """Whether a consistency proof shows that the tree of `larger_size` begins with the tree of `size`."""
    if not 0 < size <= larger_size:
        return False
    if size == larger_size:
        return not path and root == larger_root
    rest = list(path)
    index, last = size - 1, larger_size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    if index:
        if not rest:
            return False
        old = new = rest.pop(0)
    else:
        old = new = root
    for sibling in rest:
        if not last:
            return False
        if index & 1 or index == last:
            old, new = _node(sibling, old), _node(sibling, new)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            new = _node(new, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and old == root and new == larger_root


def _node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()
