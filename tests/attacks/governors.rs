//! Governors who lie, fewer than k or all of them, and an operator who admits it.

use arborlog::ledger::Code;
use arborlog::record::*;

use crate::attack::{Apart, Attack, GOVERNOR, GOVERNORS, Yes};
use crate::detectors::Shown;
use crate::forge::{Forge, ORIGIN, OTHER_ORIGIN};
use crate::statements::*;

pub fn attacks() -> Vec<Attack> {
    [quorum(), sets(), grants(), methods(), genesis_lies()]
        .into_iter()
        .flatten()
        .collect()
}

fn quorum() -> Vec<Attack> {
    let rule = |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, GOVERNOR, code, lie);
    let new = || grant("new", Role::Platform, "newride");
    vec![
        Attack::rule(
            "A key granted by one governor too few",
            GOVERNOR,
            Code::QuorumShort,
            move |it| it.force("g1+new", new()),
        )
        .receipt(Yes("1 governors signed, 2 are needed")),
        Attack::rule(
            "An award with a key that too few granted",
            "operator: the log's; one governor, its platform: their own",
            Code::QuorumShort,
            move |it| {
                it.force("g1+new", new());
                it.admit("new", award(NOBODY, 100))
            },
        )
        .receipt(Yes("1 governors signed, 2 are needed")),
        Attack::rule(
            "A key granted by a governor and a former one",
            "operator: the log's; one governor, one former: their own",
            Code::EndorserRefused,
            move |it| it.force("g1+g3+new", new()),
        )
        .receipt(Yes("1 governors signed, 2 are needed")),
        Attack::rule(
            "A key granted by a former governor, whose lineage names the old set",
            "operator: the log's; one governor, one former: their own",
            Code::RoleRefused,
            move |it| {
                let old = KeyGrant {
                    set: Index(0),
                    ..new()
                };
                let signed = it.sign("g3+g2+new", &it.record("g3", old));
                it.take(signed, Lineage::new(vec![None, Some(Index(0)), None]))
            },
        ),
        Attack::rule(
            "A key granted by no governor",
            "operator: the log's; platform: its own",
            Code::RoleRefused,
            move |it| it.force("platform+new", new()),
        )
        .receipt(Yes("may not say")),
        Attack::rule(
            "A key granted by two while three had to sign, admitted when two do",
            "operator: the log's; two governors, a new platform: their own",
            Code::SetSuperseded,
            move |it| {
                it.admit("g2+g1+g4", governors(&["g1", "g2", "g4"], 3));
                let kept = it.sign("g1+g2+new", &it.record("g1", new()));
                assert_eq!(it.judge(&kept).unwrap_err().code, Code::QuorumShort);
                it.admit("g2+g1+g4", governors(&["g1", "g2", "g4"], 2));
                it.force_signed(kept)
            },
        )
        .receipt(Yes("does not name the governors")),
        Attack::rule(
            "An award reversed by two while three had to, admitted when two do",
            "operator: the log's; two governors: their own",
            Code::SetSuperseded,
            move |it| {
                it.admit("g2+g1+g4", governors(&["g1", "g2", "g4"], 3));
                let target = it.at("award");
                let kept = it.sign("g1+g2", &it.record("g1", reverse(target, 1)));
                it.admit("g2+g1+g4", governors(&["g1", "g2", "g4"], 2));
                it.force_signed(kept)
            },
        )
        .receipt(Yes("does not name the governors")),
        Attack::rule(
            "A plot handed over by the governors of a set that was replaced",
            "operator: the log's; two governors, a planter: their own",
            Code::SetSuperseded,
            |it| {
                let kept = it.sign("planter2+g1+g2", &it.record("planter2+g1", plot(1)));
                it.admit("g2+g1+g4", governors(&["g1", "g2", "g4"], 2));
                it.force_signed(kept)
            },
        ),
        rule(
            "An award reversed by governors who name no set",
            Code::SetMisplaced,
            |it| {
                let mut record = it.record("g1+g2", reverse(it.at("award"), 1));
                if let Statement::Correction(said) = &mut record.statement {
                    said.set = None;
                }
                it.force_record("g1+g2", &record)
            },
        )
        .receipt(Yes("does not name the governors")),
        Attack::rule(
            "A platform's own correction in the name of a set of governors",
            "operator: the log's; platform: its own",
            Code::SetMisplaced,
            |it| {
                let set = it.state.globals().council.stated_at;
                let said = Correction {
                    set: Some(set),
                    ..reverse(it.at("award"), 1)
                };
                it.force("platform", said)
            },
        ),
        rule("A method stated by one governor", Code::QuorumShort, |it| {
            it.force("g1", method(2))
        })
        .receipt(Yes("1 governors signed, 2 are needed")),
        rule("A log key named by one governor", Code::QuorumShort, |it| {
            it.force("g1+log2", log_key("log2"))
        })
        .receipt(Yes("1 governors signed, 2 are needed")),
        rule("A key revoked by one governor", Code::QuorumShort, |it| {
            it.force("g1", revoke("platform2"))
        })
        .receipt(Yes("1 governors signed, 2 are needed")),
        rule("Other governors named by one", Code::QuorumShort, |it| {
            it.force("g1+g5", governors(&["g1", "g5"], 1))
        })
        .receipt(Yes("1 governors signed, 2 are needed")),
        rule(
            "An award reversed by one governor",
            Code::QuorumShort,
            |it| {
                let target = it.at("award");
                it.force("g1", reverse(target, 1))
            },
        )
        .receipt(Yes("1 governors signed, 2 are needed")),
    ]
}

fn sets() -> Vec<Attack> {
    let rule = |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, GOVERNORS, code, lie);
    vec![
        rule(
            "One governor counted twice in a set",
            Code::QuorumImpossible,
            |it| it.force("g1+g2", governors(&["g1", "g1"], 2)),
        ),
        rule(
            "A set of governors of whom none must sign",
            Code::QuorumImpossible,
            |it| it.force("g1+g2", governors(&["g1", "g2"], 0)),
        ),
        rule(
            "A governor who did not agree to be one",
            Code::PossessionUnproven,
            |it| it.force("g1+g2", governors(&["g1", "g2", "g5"], 2)),
        ),
        rule(
            "A former governor brought back with the old key",
            Code::KeyReused,
            |it| it.force("g1+g2+g3", governors(&["g1", "g2", "g3"], 2)),
        ),
        rule("A governor's key revoked", Code::RoleRefused, |it| {
            it.force("g1+g2", revoke("g4"))
        }),
        rule(
            "A log key that did not sign",
            Code::PossessionUnproven,
            |it| it.force("g1+g2", log_key("log2")),
        )
        .receipt(Yes("did not sign")),
        rule("A governor's key made the log's", Code::KeyReused, |it| {
            it.force("g1+g2+g4", log_key("g4"))
        }),
    ]
}

fn grants() -> Vec<Attack> {
    let rule = |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, GOVERNORS, code, lie);
    vec![
        rule(
            "A holder whose name passes for another's",
            Code::NameTaken,
            |it| {
                let close = KeyGrant {
                    display_name: "C\u{456}ty R\u{456}de".parse().unwrap(),
                    ..grant("stranger", Role::Platform, "newcomer")
                };
                it.force("g1+g2+stranger", close)
            },
        ),
        rule(
            "A key granted to somebody who does not hold it",
            Code::PossessionUnproven,
            |it| it.force("g1+g2", grant("new", Role::Platform, "newride")),
        )
        .receipt(Yes("did not sign")),
        rule(
            "One holder who plants and surveys",
            Code::HolderConflict,
            |it| it.force("g1+g2+new", grant("new", Role::Surveyor, "greenhands")),
        ),
        rule(
            "One holder who awards and surveys",
            Code::HolderConflict,
            |it| it.force("g1+g2+new", grant("new", Role::Surveyor, "cityride")),
        ),
        rule(
            "One holder who surveys and audits",
            Code::HolderConflict,
            |it| it.force("g1+g2+new", grant("new", Role::Auditor, "eyes")),
        ),
        rule(
            "One holder who audits what it awards",
            Code::HolderConflict,
            |it| it.force("g1+g2+new", grant("new", Role::Auditor, "cityride")),
        ),
        rule(
            "One holder who plants what it audits",
            Code::HolderConflict,
            |it| it.force("g1+g2+new", grant("new", Role::Planter, "books")),
        ),
        rule("A revoked key granted again", Code::KeyReused, |it| {
            it.force("g1+g2+stolen", grant("stolen", Role::Platform, "cityride"))
        }),
        rule("A governor's key granted a role", Code::KeyReused, |it| {
            it.force("g1+g2", grant("g2", Role::Platform, "newride"))
        }),
        rule("A key revoked twice", Code::KeyRevoked, |it| {
            it.force("g1+g2", revoke("stolen"))
        }),
        rule("A key revoked that has no task", Code::KeyUnknown, |it| {
            it.force("g1+g2", revoke("stranger"))
        }),
    ]
}

fn methods() -> Vec<Attack> {
    let rule = |name, code, lie: fn(&mut Forge) -> Index| Attack::rule(name, GOVERNORS, code, lie);
    vec![
        rule(
            "A method changed after the fact",
            Code::MethodBackdated,
            |it| {
                let generous = Method {
                    effective_from: Day(TODAY.0 - 1),
                    ..method(2)
                };
                it.force("g1+g2", generous)
            },
        ),
        rule(
            "A version of a method left out",
            Code::MethodVersion,
            |it| it.force("g1+g2", method(3)),
        ),
        rule(
            "A version of a method stated twice",
            Code::MethodVersion,
            |it| it.force("g1+g2", method(1)),
        ),
        rule("A species renamed", Code::SpeciesChanged, |it| {
            let renamed = Method {
                species: vec![species(OAK, "sequoia", OAK_PRICE)].try_into().unwrap(),
                ..method(2)
            };
            it.force("g1+g2", renamed)
        }),
        rule("A species with two prices", Code::CodeRepeated, |it| {
            let oaks = vec![species(OAK, "oak", OAK_PRICE), species(OAK, "oak", 1)];
            let double = Method {
                species: oaks.try_into().unwrap(),
                ..method(2)
            };
            it.force("g1+g2", double)
        }),
    ]
}

/// A ledger that begins with a lie, and goes on as the honest one.
fn beginning(
    name: &'static str,
    liar: &'static str,
    code: Code,
    lie: fn(&mut Forge) -> Index,
) -> Attack {
    Attack::new(name, liar, move || {
        let mut forge = Forge::empty();
        let first = lie(&mut forge);
        let others = Forge::honest().signed().into_iter().skip(1);
        for signed in others {
            forge.force_signed(signed);
        }
        Shown::log(&forge, None, forge.files()).with(&forge.receipt(first))
    })
    .audit(Yes(code.name()))
    .incremental(Apart)
    .second(Yes(code.name()))
}

fn genesis_lies() -> Vec<Attack> {
    vec![
        Attack::rule(
            "A second genesis",
            GOVERNORS,
            Code::GenesisMisplaced,
            |it| {
                let again = Genesis {
                    log_key: public("log2"),
                    ..genesis(ORIGIN, &["g1", "g2"], 1)
                };
                it.force("g1+g2+log2", again)
            },
        )
        .receipt(Yes("does not end at the genesis")),
        beginning(
            "A genesis of another ledger",
            GOVERNORS,
            Code::OriginMismatch,
            |it| {
                let other = genesis(OTHER_ORIGIN, &["g1", "g2", "g3"], 2);
                it.force("g1+g2+g3+log", other)
            },
        )
        .receipt(Yes("the genesis is of another log")),
        beginning(
            "A genesis that a governor did not sign",
            GOVERNORS,
            Code::PossessionUnproven,
            |it| it.force("g1+g2+log", genesis(ORIGIN, &["g1", "g2", "g3"], 2)),
        )
        .receipt(Yes("did not sign")),
        beginning(
            "A genesis that the log's key did not sign",
            GOVERNORS,
            Code::PossessionUnproven,
            |it| it.force("g1+g2+g3", genesis(ORIGIN, &["g1", "g2", "g3"], 2)),
        )
        .receipt(Yes("did not sign")),
        beginning(
            "A genesis that a stranger endorses",
            GOVERNORS,
            Code::EndorserRefused,
            |it| it.force("g1+g2+g3+g4+log", genesis(ORIGIN, &["g1", "g2", "g3"], 2)),
        ),
        beginning(
            "A genesis whose log key governs too",
            GOVERNORS,
            Code::KeyReused,
            |it| {
                let both = genesis(ORIGIN, &["g1", "g2", "log"], 2);
                it.force("g1+g2+log", both)
            },
        ),
        beginning(
            "A genesis that asks for more governors than there are",
            GOVERNORS,
            Code::QuorumImpossible,
            |it| it.force("g1+g2+g3+log", genesis(ORIGIN, &["g1", "g2", "g3"], 4)),
        ),
        beginning(
            "A ledger that begins without a genesis",
            "operator: the log's; platform: its own",
            Code::GenesisMisplaced,
            |it| it.force("platform", award(ANN, 1)),
        )
        .receipt(Yes("does not end at the genesis")),
    ]
}
