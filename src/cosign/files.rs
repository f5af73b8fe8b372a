//! How cosigners read the lists that their holders write, and name the checkpoints that they keep.

use crate::note::TreeHead;

/// The lines of a list with their numbers, from 1: without what is around them, blank ones, and comments (`#`).
pub(super) fn listed(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Tells a checkpoint from others of the same log in the names of files: `SIZE-` and the beginning of the root.
pub(super) fn name_of(head: TreeHead) -> String {
    let root: String = hex::encode(head.root.as_bytes()).chars().take(16).collect();
    format!("{}-{root}", head.size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::Hash;

    #[test]
    fn blank_lines_and_comments_count_and_are_left_out() {
        let found: Vec<_> = listed("# logs\n\n  a b \n#c\nd").collect();
        assert_eq!(found, [(3, "a b"), (5, "d")]);
    }

    #[test]
    fn a_checkpoint_is_named_by_its_size_and_root() {
        let root = Hash::from_bytes([0xab; 32]);
        assert_eq!(name_of(TreeHead { size: 7, root }), "7-abababababababab");
    }
}
