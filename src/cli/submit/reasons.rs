//! Why not all lines are in, and what to do about each reason.

use arborlog::client::Summary;

/// Each reason why not all lines are in, with what to do about it.
pub(super) fn why_not_all_in(summary: &Summary) -> String {
    let mut reasons = Vec::new();
    if let Some(stopped) = &summary.stopped {
        reasons.push(format!(
            "stopped at line {}: {} ({}); {}. What follows it was not sent{}",
            stopped.line,
            stopped.problem.detail,
            stopped.problem.code,
            stopped.problem.advice,
            hint(&stopped.problem.code)
        ));
    }
    let refused = summary.refused - u64::from(summary.stopped.is_some() && summary.refused > 0);
    if refused > 0 {
        reasons.push(format!(
            "refused: {}. Correct them and run the same command again; one that is right now is sent with --retry-refused",
            count_of(refused, "line", "lines")
        ));
    }
    let no_statement = summary.set_aside - summary.repeated - summary.evidence_repeated;
    if no_statement > 0 {
        reasons.push(format!(
            "no statement: {}. Correct them and run the same command again",
            count_of(no_statement, "line", "lines")
        ));
    }
    if summary.repeated > 0 {
        reasons.push(format!(
            "{} what a line before it in the input says of the same event (line_repeated), and the event is taken once. Take it out; or, if it is meant again, put it into an input of its own and send that with --sign-anew",
            count_of(summary.repeated, "line says", "lines say")
        ));
    }
    if summary.evidence_repeated > 0 {
        reasons.push(format!(
            "{} something else of an event than was said before (evidence_repeated), and an event counts once. Take out the wrong one of the two; if that is in, take it back with a correction, then put the right one into an input of its own and send that with --sign-anew",
            count_of(summary.evidence_repeated, "line says", "lines say")
        ));
    }
    if summary.unsure() > 0 {
        reasons.push(unsure(summary));
    }
    if summary.in_twice.count > 0 {
        let first = summary.in_twice.first.first();
        reasons.push(format!(
            "{} in twice: another key of the holder signed an award of the same event at the same time{}. Take one of the two back with a correction; --json names them all, and an audit finds them",
            count_of(summary.in_twice.count, "event is", "events are"),
            first.map_or(String::new(), |(ours, theirs)| format!(
                ", entries {ours} and {theirs} the first"
            ))
        ));
    }
    if summary.may_come_in > 0 {
        reasons.push(format!(
            "{} signed and sent by an earlier run that got no answer, and not sent again, since the input has {} no more: that request may still be on its way, and nothing is in its place in the key's chain, so it can come in at any time. To have {1} in, put {1} back as before and run the same command again. To keep {1} out for ever, send any other line with the same key, in this input or another: it takes that place. Until then each run tells this, or that it came in",
            count_of(summary.may_come_in, "line was", "lines were"),
            if summary.may_come_in == 1 { "it" } else { "them" },
        ));
    }
    match reasons.is_empty() {
        true => "not all lines are in".to_owned(),
        false => reasons.join(".\n"),
    }
}

fn count_of(count: u64, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    }
}

/// What to do about lines that may be further ones.
fn unsure(summary: &Summary) -> String {
    let by_other_keys: u64 = summary
        .other_inputs
        .iter()
        .filter(|other| other.by_other_keys)
        .map(|other| other.unsure)
        .sum();
    let by_others = summary.unsure() - summary.unsure_here - by_other_keys;
    let sent_by: Vec<&str> = [
        (by_others, "another input of this key sent"),
        (by_other_keys, "another key of the holder signed"),
        (
            summary.unsure_here,
            "an earlier run of this input sent, of which other lines are gone, or that a run between did not find: its name may be used anew",
        ),
    ]
    .into_iter()
    .filter_map(|(count, sent_by)| (count > 0).then_some(sent_by))
    .collect();
    let mut advice =
        "If they are further ones, put them into an input of their own and send that with --sign-anew; if not, take them out".to_owned();
    if by_others > 0 {
        advice.push_str(", or send this input with --journal of the other one");
    }
    if by_other_keys > 0 {
        advice.push_str(
            ", or, if this input was sent with the other key, run the same command with --recover and that one as --old-key",
        );
    }
    if summary.unsure_here > 0 {
        advice.push_str(
            ". If this is the input of before, and they are its lines, the same command with --same-input notes that in the journal",
        );
    }
    format!(
        "{} by a transfer, a claim or a correction that names no event of its own, what {}. {} taken for the same and not sent. {advice}",
        count_of(summary.unsure(), "line says", "lines say"),
        sent_by.join(", or what "),
        if summary.unsure() == 1 {
            "It was"
        } else {
            "They were"
        },
    )
}

/// What to do after a refusal, besides its own advice.
fn hint(code: &str) -> &'static str {
    match code {
        "day_refused" => ". If no day in the line is to come, look at this machine's clock",
        "key_revoked" | "key_expired" | "issuer_unknown" => {
            ". With another granted key, the same command continues where this one ended"
        }
        _ => {
            ": correct the line and run the same command again, or leave it out with --skip-refused"
        }
    }
}
