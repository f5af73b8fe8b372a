//! What the places of a lineage mean (`docs/format.md`, 5.1). The first two are the same for every
//! kind and have names in [`Lineage`]; those behind them have names here, for the kind that writes
//! them and for readers who follow them back.

use crate::record::{Index, LINEAGE_MAX, Lineage, Stated};

/// The most places behind the first two.
const PLACES_MAX: usize = LINEAGE_MAX - 2;

/// A lineage behind its first two places. Only the named places below make one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Places {
    indexes: [Option<Index>; PLACES_MAX],
    count: usize,
}

impl Places {
    fn of<const N: usize>(named: [Option<Index>; N]) -> Self {
        const {
            assert!(N <= PLACES_MAX, "a lineage has no room for so many places");
        }
        let mut indexes = [None; PLACES_MAX];
        let (used, _) = indexes.split_at_mut(N);
        used.copy_from_slice(&named);
        Self { indexes, count: N }
    }

    /// The indexes, as a sealed entry has them.
    pub fn indexes(&self) -> &[Option<Index>] {
        self.indexes.get(..self.count).unwrap_or_default()
    }

    /// The whole lineage of an entry: its issuer's entry before, its authority's, and these.
    pub(super) fn behind(self, issuer_before: Option<Index>, authority: Option<Index>) -> Lineage {
        let mut indexes = Vec::with_capacity(2 + self.count);
        indexes.extend([issuer_before, authority]);
        indexes.extend(self.indexes());
        Lineage::new(indexes)
    }
}

/// Named places, in their order: written by `From`, read again by `of`.
macro_rules! places {
    ($($(#[$doc:meta])* $name:ident { $($(#[$place_doc:meta])* $place:ident),* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, Debug)]
            pub struct $name {
                $($(#[$place_doc])* pub $place: Option<Index>,)*
            }

            impl From<$name> for Places {
                fn from(places: $name) -> Self {
                    let $name { $($place),* } = places;
                    Self::of([$($place),*])
                }
            }

            impl $name {
                /// Reads these places of an entry; `None` if the lineage has more or fewer.
                pub fn of(stated: &Stated<'_>) -> Option<Self> {
                    const NAMES: &[&str] = &[$(stringify!($place)),*];
                    const COUNT: usize = NAMES.len();
                    let (named, unused) = stated.places.split_first_chunk::<COUNT>()?;
                    let [$($place),*] = *named;
                    // A sealed correction has as many as any correction can have.
                    let padded = stated.seal.is_some() && unused.iter().all(Option::is_none);
                    (padded || unused.is_empty()).then_some(Self { $($place),* })
                }
            }
        )*
    };
}

places! {
    /// Of a genesis: it stands on nothing.
    GenesisPlaces {}

    /// Of a `governors` statement.
    GovernorsPlaces {
        /// The entry of the set of governors in force until then.
        in_force
    }

    /// Of a key grant.
    KeyGrantPlaces {
        /// Always none: a key is granted once.
        granted_before
    }

    /// Of a key revocation.
    KeyRevokePlaces {
        /// The last entry about the key: its grant.
        key
    }

    /// Of a log key.
    LogKeyPlaces {
        /// The entry that named the log key before.
        log_key_before
    }

    /// Of a method.
    MethodPlaces {
        /// The entry of the method's version before; none for its first.
        version_before
    }

    /// Of a policy.
    PolicyPlaces {
        /// The entry that stated the policy before; none for the first.
        policy_before
    }

    /// Of an attestation: it stands on its issuer's authority alone.
    AttestationPlaces {}

    /// Of a seal: what its batch stands on, its entries name.
    SealPlaces {}

    /// Of the void of an attestation.
    AttestationVoidPlaces {
        /// The attestation that is voided.
        target
    }

    /// Of an award or a claim.
    AccountPlaces {
        /// The last entry about the account; none for its first.
        account
    }

    /// Of a transfer.
    TransferPlaces {
        /// The last entry about the account that the points leave.
        from,
        /// The last entry about the account that the points go to; none for its first, or if they
        /// go to no account.
        to
    }

    /// Of a plot, planting, survey or assignment.
    PlotPlaces {
        /// The last entry about the plot; none for the plot's first.
        plot
    }

    /// Of the reversal of an award, or the void of a claim.
    AccountCorrectionPlaces {
        /// The entry that is corrected.
        target,
        /// The last entry about the account.
        account
    }

    /// Of a loss, or the void of a planting, survey, assignment or loss.
    PlotCorrectionPlaces {
        /// The entry that is corrected.
        target,
        /// The last entry about the plot.
        plot
    }

    /// Of the void of a transfer.
    TransferVoidPlaces {
        /// The transfer that is voided.
        target,
        /// The last entry about the account that gets its points back.
        from,
        /// The last entry about the account that had them; none if they went to no account.
        to
    }
}
