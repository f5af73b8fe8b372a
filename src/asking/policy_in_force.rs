//! Which policy is in force below a size: the one that the operator gives, or else the one that the log states.

use std::sync::Arc;

use crate::ledger::lineage::PolicyPlaces;
use crate::log::Log;
use crate::policy::Policy;
use crate::record::{Index, Statement};

/// The policies that are looked through at most for the one below a size.
const POLICIES_BACK_MAX: usize = 1000;

/// The policy in force.
pub(super) struct PolicyInForce {
    /// The operator's, which wins over the log's.
    given: Option<Arc<Policy>>,
    /// The one of the log that was read last, with its entry.
    stated: Option<(Index, Arc<Policy>)>,
}

impl PolicyInForce {
    pub(super) fn new(given: Option<Policy>) -> Self {
        Self {
            given: given.map(Arc::new),
            stated: None,
        }
    }

    /// The policy by which a checkpoint of `size` is judged; `None` if there was none.
    ///
    /// # Errors
    /// Why the log can't be read now.
    pub(super) async fn below(
        &mut self,
        log: &Log,
        size: u64,
    ) -> Result<Option<Arc<Policy>>, String> {
        if let Some(given) = &self.given {
            return Ok(Some(Arc::clone(given)));
        }
        let looked = log.look_up(|state| state.globals().policy_at).await;
        let (mut place, published) = looked.map_err(|error| error.to_string())?;
        let newest = published.head.tree.size;
        for _ in 0..POLICIES_BACK_MAX {
            let Some(index) = place else {
                return Ok(None);
            };
            if index.0 < size
                && let Some((read, policy)) = &self.stated
                && *read == index
            {
                return Ok(Some(Arc::clone(policy)));
            }
            let read = log.reader().full(index.0, newest).await;
            let (_, entry) = read.map_err(|error| error.to_string())?;
            let Some(stated) = entry.stated() else {
                return Err(format!("entry {index} states no policy"));
            };
            if index.0 >= size {
                place = PolicyPlaces::of(&stated).and_then(|places| places.policy_before);
                continue;
            }
            let Statement::Policy(said) = stated.statement else {
                return Err(format!("entry {index} states no policy"));
            };
            let policy = Arc::new(said.policy.policy().clone());
            self.stated = Some((index, Arc::clone(&policy)));
            return Ok(Some(policy));
        }
        Err(format!("more than {POLICIES_BACK_MAX} policies follow"))
    }
}
