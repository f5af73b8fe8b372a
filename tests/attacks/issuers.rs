//! Issuers who lie, and an operator who admits it: each breaks one rule with keys of its own.

use arborlog::ledger::Code;
use arborlog::record::*;

use crate::attack::{Attack, GOVERNORS, PLANTER, PLATFORM, SURVEYOR, Yes};
use crate::forge::{DAY_MS, Forge};
use crate::statements::*;

pub fn attacks() -> Vec<Attack> {
    [
        points(),
        trees(),
        corrections(),
        attestations(),
        keys(),
        chains(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn attestations() -> Vec<Attack> {
    let auditor = "operator: the log's; auditor: its own";
    vec![
        Attack::rule(
            "An attestation of entries that are not there",
            auditor,
            Code::SizeBeyond,
            |it| it.force("auditor", attestation(it.size() + 1)),
        ),
        Attack::rule(
            "An attestation of a period that is to come",
            auditor,
            Code::DayRefused,
            |it| {
                let early = Attestation {
                    period_until: Day(TODAY.0 + 1),
                    ..attestation(20)
                };
                it.force("auditor", early)
            },
        ),
        Attack::rule(
            "An attestation by who is audited",
            PLATFORM,
            Code::RoleRefused,
            |it| it.force("platform", attestation(20)),
        )
        .receipt(Yes("may not say")),
        Attack::rule(
            "An attestation taken back by who is audited",
            PLATFORM,
            Code::HolderRefused,
            |it| it.force("platform", void(it.at("attestation"))),
        ),
        Attack::next(
            "An attestation of roots that the log never had",
            auditor,
            |it| it.admit("auditor", attestation(20)),
        )
        .would("an audit, by the finding `attestation_differs`"),
    ]
}

/// Ann's balance in the honest ledger.
const ANN_HAS: u64 = 720;

fn points() -> Vec<Attack> {
    let rule = |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, PLATFORM, code, lie);
    vec![
        rule("A tree claimed with no points", Code::BalanceShort, |it| {
            it.force("platform", claim(NOBODY))
        }),
        rule(
            "A tree claimed below its price",
            Code::PriceMismatch,
            |it| {
                let cheap = Claim {
                    points: Grams(OAK_PRICE - 1),
                    ..claim(ANN)
                };
                it.force("platform", cheap)
            },
        ),
        rule(
            "Points moved that were spent before",
            Code::BalanceShort,
            |it| {
                it.admit("platform", gift(ANN, EVE, ANN_HAS));
                it.force("platform", gift(ANN, BEN, ANN_HAS))
            },
        ),
        rule("A transfer above the balance", Code::BalanceShort, |it| {
            it.force("platform", gift(ANN, BEN, ANN_HAS + 1))
        }),
        rule(
            "A transfer from an account to itself",
            Code::AccountSame,
            |it| it.force("platform", gift(ANN, ANN, 1)),
        ),
        rule(
            "More points than the method gives",
            Code::PointsMismatch,
            |it| {
                let generous = Award {
                    quantity: Quantity(99),
                    ..award(ANN, 100)
                };
                it.force("platform", generous)
            },
        ),
        rule("An award above the cap", Code::CapExceeded, |it| {
            it.force("platform", award(ANN, CAP + 1))
        }),
        rule(
            "An award by a version that is not in effect on its day",
            Code::MethodVersion,
            |it| {
                it.admit("g1+g2", method(2));
                let early = Award {
                    version: MethodVersion(2),
                    ..award(ANN, 100)
                };
                it.force("platform", early)
            },
        ),
        rule(
            "An award by a method that nobody stated",
            Code::MethodUnknown,
            |it| {
                let invented = Award {
                    method: MethodId(9),
                    ..award(ANN, 100)
                };
                it.force("platform", invented)
            },
        ),
        rule(
            "An award for an activity that the method lacks",
            Code::ActivityUnknown,
            |it| {
                let invented = Award {
                    activity: ActivityCode(9),
                    ..award(ANN, 100)
                };
                it.force("platform", invented)
            },
        ),
        rule(
            "An award for what happens tomorrow",
            Code::DayRefused,
            |it| {
                let early = Award {
                    occurred_on: Day(TODAY.0 + 1),
                    ..award(ANN, 100)
                };
                it.force("platform", early)
            },
        ),
        Attack::rule(
            "More points owed in all than a sum holds",
            HUGE,
            Code::BalanceLimit,
            |it| {
                it.admit("g1+g2", huge());
                let award = it.admit("platform", huge_award(NOBODY));
                let sent = it.admit("platform", gift(NOBODY, BEN, HUGE_POINTS));
                it.admit("platform", gift(BEN, EVE, HUGE_POINTS));
                it.admit("platform", void(sent));
                it.admit("platform", gift(NOBODY, ANN, HUGE_POINTS));
                it.force("platform", reverse(award, HUGE_POINTS))
            },
        ),
        Attack::rule(
            "More points awarded in all than a sum holds",
            HUGE,
            Code::BalanceLimit,
            |it| {
                it.admit("g1+g2", huge());
                it.admit("platform", huge_award(NOBODY));
                it.force("platform", award(BEN, 1000))
            },
        ),
        rule(
            "Points awarded to another platform's user",
            Code::HolderRefused,
            |it| it.force("platform2", award(ANN, 5)),
        ),
        rule(
            "Points of another platform's user given away",
            Code::HolderRefused,
            |it| it.force("platform2", gift(ANN, PAT, 5)),
        ),
        rule(
            "Points of another platform's user said to have expired",
            Code::HolderRefused,
            |it| {
                let expired = Transfer {
                    to: None,
                    reason: TransferReason::Expired,
                    ..gift(ANN, PAT, 5)
                };
                it.force("platform2", expired)
            },
        ),
        rule(
            "A tree claimed with the points of another platform's user",
            Code::HolderRefused,
            |it| it.force("platform2", claim(ANN)),
        ),
        rule(
            "A claim at a price that ended, under an old day of issue",
            Code::MethodVersion,
            |it| {
                let mut dearer = method(2).species.to_vec();
                for species in &mut dearer {
                    species.price = Grams(species.price.0 + 1);
                }
                let change = Day::of(it.now);
                let dearer = Method {
                    effective_from: change,
                    species: dearer.try_into().unwrap(),
                    ..method(2)
                };
                it.admit("g1+g2", dearer);
                it.now.0 += 2 * DAY_MS;
                let mut record = it.record("platform", claim(ANN));
                record.issued_on = change;
                it.force_record("platform", &record)
            },
        ),
        rule("An award of nothing", Code::PointsZero, |it| {
            it.force("platform", award(ANN, 0))
        }),
    ]
}

const HUGE: &str = "operator: the log's; platform and k governors: their own";
/// With what was awarded before nearly all that a ledger can award.
const HUGE_POINTS: u64 = (1 << 63) - 2000;

/// A method whose awards have no cap.
fn huge() -> Method {
    let mut activities = method(1).activities.to_vec();
    activities[0].cap = Grams(u64::MAX);
    Method {
        id: MethodId(2),
        activities: activities.try_into().unwrap(),
        ..method(1)
    }
}

fn huge_award(who: u8) -> Award {
    Award {
        method: MethodId(2),
        ..award(who, HUGE_POINTS)
    }
}

fn trees() -> Vec<Attack> {
    let platform =
        |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, PLATFORM, code, lie);
    let planter = |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, PLANTER, code, lie);
    let surveyor =
        |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, SURVEYOR, code, lie);
    vec![
        platform("A tree assigned twice", Code::TreeTaken, |it| {
            let claim = it.at("waiting");
            it.force("platform", assign(1, &[claim]))
        }),
        platform("A claim assigned twice", Code::ClaimTaken, |it| {
            let claim = it.at("tied");
            it.force("platform", assign(2, &[claim]))
        }),
        platform("A claim twice in one assignment", Code::ClaimTaken, |it| {
            let claim = it.at("waiting");
            it.force("platform", assign(2, &[claim, claim]))
        }),
        platform(
            "A tree assigned that was never planted",
            Code::TreeUnknown,
            |it| {
                let claim = it.at("waiting");
                it.force("platform", assign(50, &[claim]))
            },
        ),
        platform(
            "A tree assigned whose planting was voided",
            Code::TreeUnknown,
            |it| {
                let claim = it.at("waiting");
                it.force("platform", assign(31, &[claim]))
            },
        ),
        platform("A lost tree assigned", Code::TreeLost, |it| {
            let claim = it.at("waiting");
            it.force("platform", assign(10, &[claim]))
        }),
        platform(
            "A tree promised that its planter keeps for another platform",
            Code::PlatformNotNamed,
            |it| {
                let kept = Plot {
                    platforms: platforms(&["otherride"]),
                    ..plot(3)
                };
                it.admit("planter", kept);
                it.admit("planter", planting(3, 1, 5, 78));
                let elsewhere = Assignment {
                    plot: PlotNumber(3),
                    ..assign(1, &[it.at("waiting")])
                };
                it.force("platform", elsewhere)
            },
        ),
        platform(
            "A tree of another species assigned",
            Code::SpeciesMismatch,
            |it| {
                let claim = it.at("waiting elm");
                it.force("platform", assign(2, &[claim]))
            },
        ),
        platform(
            "A tree assigned to what is no claim",
            Code::ClaimUnknown,
            |it| {
                let award = it.at("award");
                it.force("platform", assign(2, &[award]))
            },
        ),
        platform(
            "A tree assigned to a voided claim",
            Code::ClaimUnknown,
            |it| {
                let claim = it.at("waiting");
                it.admit("platform", void(claim));
                it.force("platform", assign(2, &[claim]))
            },
        ),
        platform("More trees assigned than stand", Code::TreesShort, |it| {
            let (oaks, elms, claim) = (it.at("oaks"), it.at("elms"), it.at("waiting"));
            it.admit("surveyor2", lost(oaks, 18, None));
            it.admit("surveyor2", lost(elms, 10, None));
            it.force("platform", assign(2, &[claim]))
        }),
        platform(
            "Dead trees promised behind live ones of another planting",
            Code::TreesShort,
            |it| {
                let (oaks, claim) = (it.at("oaks"), it.at("waiting"));
                it.admit("surveyor2", lost(oaks, 17, None));
                it.force("platform", assign(2, &[claim]))
            },
        ),
        platform(
            "A tree assigned to the claim of another platform's user",
            Code::HolderRefused,
            |it| {
                let claim = it.at("waiting");
                it.force("platform2", assign(2, &[claim]))
            },
        ),
        planter("Serials planted twice", Code::SerialNotNext, |it| {
            it.force("planter", planting(1, 20, 5, 77))
        }),
        planter(
            "Serials of a voided planting used again",
            Code::SerialNotNext,
            |it| it.force("planter", planting(1, 33, 1, 77)),
        ),
        planter("Serials left out", Code::SerialNotNext, |it| {
            it.force("planter", planting(1, 37, 1, 77))
        }),
        planter("Serials beyond the last", Code::SerialNotNext, |it| {
            it.force("planter", planting(1, 36, u32::MAX, 77))
        }),
        Attack::rule(
            "A new plot that governors endorse, which nobody asks for",
            "operator: the log's; planter and k governors: their own",
            Code::EndorserRefused,
            |it| it.force("planter+g1+g2", plot(3)),
        ),
        planter("A plot denser than it may be", Code::PlotFull, |it| {
            it.force("planter", planting(1, 36, 73, 77))
        }),
        planter(
            "A plot made larger without the governors",
            Code::QuorumShort,
            |it| {
                let larger = Plot {
                    area_m2: 20_000,
                    ..plot(1)
                };
                it.force("planter", larger)
            },
        ),
        planter(
            "Another's plot taken without the governors",
            Code::QuorumShort,
            |it| it.force("planter2", plot(1)),
        ),
        Attack::rule(
            "A plot made too small for its trees, with the governors",
            "operator: the log's; planter and k governors: their own",
            Code::PlotFull,
            |it| {
                let smaller = Plot {
                    area_m2: 2_000,
                    ..plot(1)
                };
                it.force("planter+g1+g2", smaller)
            },
        ),
        planter("A planting on another's plot", Code::HolderRefused, |it| {
            it.force("planter2", planting(1, 36, 1, 77))
        }),
        planter(
            "A planting on a plot that nobody stated",
            Code::PlotUnknown,
            |it| it.force("planter", planting(9, 1, 1, 77)),
        ),
        planter(
            "A planting of a species that no method names",
            Code::SpeciesUnknown,
            |it| {
                let exotic = Planting {
                    species: SpeciesCode(9),
                    ..planting(1, 36, 1, 77)
                };
                it.force("planter", exotic)
            },
        ),
        planter(
            "A photograph used for two plantings",
            Code::EvidenceReused,
            |it| it.force("planter", planting(1, 36, 1, 1)),
        ),
        planter(
            "A photograph of a voided planting used again",
            Code::EvidenceReused,
            |it| it.force("planter", planting(1, 36, 1, 3)),
        ),
        surveyor(
            "A survey with the planting's photograph",
            Code::EvidenceReused,
            |it| it.force("surveyor", survey(1, 1)),
        ),
        surveyor(
            "A survey by books that are yet to come",
            Code::AsOfUnknown,
            |it| {
                let ahead = Survey {
                    as_of: Index(it.size()),
                    ..survey(1, 77)
                };
                it.force("surveyor", ahead)
            },
        ),
        surveyor(
            "A survey of a planting on another plot",
            Code::PlantingUnknown,
            |it| {
                let elsewhere = Survey {
                    planting: Some(it.at("oaks")),
                    ..survey(2, 77)
                };
                it.force("surveyor", elsewhere)
            },
        ),
    ]
}

fn corrections() -> Vec<Attack> {
    let platform =
        |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, PLATFORM, code, lie);
    let planter = |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, PLANTER, code, lie);
    vec![
        platform("A void voided", Code::TargetRefused, |it| {
            let target = it.at("void");
            it.force("platform", void(target))
        }),
        platform("A transfer voided twice", Code::TargetVoided, |it| {
            let target = it.at("gift");
            it.force("platform", void(target))
        }),
        platform("An award voided", Code::TargetRefused, |it| {
            let target = it.at("award");
            it.force("platform", void(target))
        }),
        platform(
            "More reversed than is left of the award",
            Code::ReversalExcess,
            |it| {
                let target = it.at("award");
                it.force("platform", reverse(target, 971))
            },
        ),
        platform(
            "Another platform's award reversed",
            Code::HolderRefused,
            |it| {
                let target = it.at("award");
                it.force("platform2", reverse(target, 1))
            },
        ),
        platform(
            "A gift taken back from another platform's user, who was not asked",
            Code::ConsentMissing,
            |it| {
                let given = it.admit("platform", gift(ANN, PAT, 5));
                it.force("platform", void(given))
            },
        ),
        platform(
            "The same, with an endorsement by the giver's own house",
            Code::EndorserRefused,
            |it| {
                let given = it.admit("platform", gift(ANN, PAT, 5));
                it.force("platform+old", void(given))
            },
        ),
        platform(
            "An entry corrected that is not there yet",
            Code::TargetUnknown,
            |it| {
                let target = Index(it.size() + 1);
                it.force("platform", reverse(target, 1))
            },
        ),
        planter("More trees lost than stand", Code::LossExcess, |it| {
            let target = it.at("oaks");
            it.force("planter", lost(target, 19, None))
        }),
        planter(
            "Trees lost before they were planted",
            Code::DayRefused,
            |it| {
                let early = Correction {
                    remedy: Remedy::Lost {
                        count: std::num::NonZeroU32::MIN,
                        first_serial: None,
                        lost_on: Day(TODAY.0 - 40),
                        evidence: None,
                    },
                    ..lost(it.at("oaks"), 1, None)
                };
                it.force("planter", early)
            },
        ),
        planter("A tree lost twice", Code::TreeLost, |it| {
            let target = it.at("oaks");
            it.force("planter", lost(target, 1, Some(11)))
        }),
        planter("Another planting's trees lost", Code::LossExcess, |it| {
            let target = it.at("oaks");
            it.force("planter", lost(target, 1, Some(21)))
        }),
        planter(
            "A planting voided though its trees are promised",
            Code::VoidBlocked,
            |it| {
                let target = it.at("oaks");
                it.force("planter", void(target))
            },
        ),
        planter("A loss in a voided planting", Code::TargetVoided, |it| {
            let target = it.at("voided planting");
            it.force("planter", lost(target, 1, None))
        }),
        Attack::rule(
            "An award reversed with the log's key",
            "operator: the log's",
            Code::RoleRefused,
            |it| {
                let target = it.at("award");
                it.force("log", reverse(target, 1))
            },
        )
        .receipt(Yes("its issuer is no governor")),
        Attack::rule(
            "An award reversed by a former governor",
            "operator: the log's; one former governor, one governor: their own",
            Code::RoleRefused,
            |it| {
                let target = it.at("award");
                it.force("g3+g1", reverse(target, 1))
            },
        )
        .receipt(Yes("its issuer is no governor")),
        Attack::rule(
            "A loss voided whose trees fit no more",
            "operator: the log's; planter and surveyor: their own",
            Code::PlotFull,
            |it| {
                let target = it.at("loss");
                it.admit("planter", planting(1, 36, 72, 77));
                it.force("surveyor2", void(target))
            },
        ),
    ]
}

fn keys() -> Vec<Attack> {
    vec![
        Attack::rule(
            "An award with a revoked key",
            "operator: the log's; thief: a revoked key",
            Code::KeyRevoked,
            |it| it.force("stolen", award(ANN, 100)),
        ),
        Attack::rule(
            "An award with an expired key",
            PLATFORM,
            Code::KeyExpired,
            |it| {
                it.now.0 += DAY_MS;
                it.force("old", award(ANN, 100))
            },
        ),
        Attack::rule(
            "An award with a key that nobody granted",
            "operator: the log's; stranger: its own",
            Code::IssuerUnknown,
            |it| it.force("stranger", award(ANN, 100)),
        )
        .receipt(Yes("does not end at the genesis")),
        Attack::rule("An award by a planter", PLANTER, Code::RoleRefused, |it| {
            it.force("planter", award(ANN, 100))
        })
        .receipt(Yes("may not say")),
        Attack::rule(
            "A planting by a surveyor",
            SURVEYOR,
            Code::RoleRefused,
            |it| it.force("surveyor", planting(1, 36, 1, 77)),
        )
        .receipt(Yes("may not say")),
        Attack::rule(
            "An award with a governor's key",
            "operator: the log's; governor: its own",
            Code::RoleRefused,
            |it| it.force("g1", award(ANN, 100)),
        )
        .receipt(Yes("governors do not say")),
        Attack::rule(
            "An award that k governors sign",
            GOVERNORS,
            Code::EndorserRefused,
            |it| it.force("g1+g2", award(ANN, 100)),
        )
        .receipt(Yes("governors do not say")),
        Attack::rule(
            "An award with the log's key",
            "operator: the log's",
            Code::RoleRefused,
            |it| it.force("log", award(ANN, 100)),
        )
        .receipt(Yes("governors do not say")),
        Attack::rule(
            "An award that a governor endorses, which nobody asks for",
            "operator: the log's; platform and one governor: their own",
            Code::EndorserRefused,
            |it| it.force("platform+g1", award(ANN, 100)),
        ),
    ]
}

fn chains() -> Vec<Attack> {
    let rule = |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, PLATFORM, code, lie);
    vec![
        rule(
            "An issuer's record left out before the next",
            Code::SequenceGap,
            |it| {
                let mut record = it.record("platform", award(ANN, 100));
                record.seq.0 += 1;
                it.force_record("platform", &record)
            },
        ),
        rule(
            "A fork: two records of an issuer with one number",
            Code::SequenceUsed,
            |it| {
                let record = it.record("platform", award(BEN, 7));
                it.admit("platform", award(ANN, 7));
                it.force_record("platform", &record)
            },
        ),
        rule(
            "A record that continues another record of its issuer",
            Code::ChainBroken,
            |it| {
                let mut record = it.record("platform", award(ANN, 100));
                record.prev = it.context.id(it.entry(it.at("award")).signed.bytes());
                it.force_record("platform", &record)
            },
        ),
        rule(
            "A record signed 31 days before its admission",
            Code::DayRefused,
            |it| {
                let past = Award {
                    occurred_on: Day(TODAY.0 - 31),
                    ..award(ANN, 100)
                };
                let mut record = it.record("platform", past);
                record.issued_on = Day(TODAY.0 - 31);
                it.force_record("platform", &record)
            },
        ),
        rule(
            "A record signed for a day before its issuer's last",
            Code::IssuedOnDecreases,
            |it| {
                let past = Award {
                    occurred_on: Day(TODAY.0 - 1),
                    ..award(ANN, 100)
                };
                let mut record = it.record("platform", past);
                record.issued_on = Day(TODAY.0 - 1);
                it.force_record("platform", &record)
            },
        ),
        rule(
            "A record signed two days after its admission",
            Code::DayRefused,
            |it| {
                let mut record = it.record("platform", award(ANN, 100));
                record.issued_on = Day(TODAY.0 + 2);
                it.force_record("platform", &record)
            },
        ),
    ]
}
