//! Whether a quorum holds: k of n of groups, of which each is of what stands before it.

/// The cosigners and groups of a policy, in the order of its lines, and which of them must hold.
///
/// A group's members stand before it, so one pass from the first to the last is enough, and no recursion is
/// needed that a stranger's policy could drive deep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::policy) struct Quorum {
    /// The name of the node that must hold, or `none`.
    pub name: String,
    pub nodes: Vec<Node>,
    /// Where the node of that name is; `None` if none must hold.
    pub top: Option<usize>,
}

/// What a policy's line defines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::policy) enum Node {
    /// One of the policy's cosigners, by its place among them.
    Cosigner(usize),
    /// So many of its members, or more, must hold. Members are places before its own.
    Group {
        name: String,
        needed: usize,
        members: Vec<usize>,
    },
}

impl Quorum {
    /// Whether it holds with the cosigners that are present, by their places.
    pub(super) fn holds(&self, present: &dyn Fn(usize) -> bool) -> bool {
        let holds = self.nodes_that_hold(present);
        self.top.is_none_or(|top| is_true(&holds, top))
    }

    /// What stands between the present cosigners and the quorum: groups that lack members, with how many they
    /// have, and the cosigners that could make up for it, in the order of the policy. Nothing if it holds.
    pub(super) fn lacks(&self, present: &dyn Fn(usize) -> bool) -> Lacks {
        let holds = self.nodes_that_hold(present);
        let mut wanted = vec![false; self.nodes.len()];
        if let Some(top) = self.top.and_then(|top| wanted.get_mut(top)) {
            *top = true;
        }
        let mut lacks = Lacks::default();
        // From the last to the first: whether a group wants a member is known before the member is reached.
        for (place, node) in self.nodes.iter().enumerate().rev() {
            if !is_true(&wanted, place) || is_true(&holds, place) {
                continue;
            }
            match node {
                Node::Cosigner(cosigner) => lacks.cosigners.push(*cosigner),
                Node::Group {
                    name,
                    needed,
                    members,
                } => {
                    let has = members.iter().filter(|at| is_true(&holds, **at)).count();
                    lacks.groups.push((name.clone(), has, *needed));
                    for member in members {
                        if let Some(wanted) = wanted.get_mut(*member) {
                            *wanted = true;
                        }
                    }
                }
            }
        }
        lacks.cosigners.reverse();
        lacks
    }

    fn nodes_that_hold(&self, present: &dyn Fn(usize) -> bool) -> Vec<bool> {
        let mut holds = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            holds.push(match node {
                Node::Cosigner(cosigner) => present(*cosigner),
                Node::Group {
                    needed, members, ..
                } => members.iter().filter(|at| is_true(&holds, **at)).count() >= *needed,
            });
        }
        holds
    }
}

/// What a quorum lacks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::policy) struct Lacks {
    /// Groups: the name, how many members hold, and how many must. The quorum's own first.
    pub groups: Vec<(String, usize, usize)>,
    /// Cosigners that did not sign and that a group which lacks members waits for, by their places.
    pub cosigners: Vec<usize>,
}

fn is_true(of: &[bool], place: usize) -> bool {
    of.get(place).copied().unwrap_or(false)
}
