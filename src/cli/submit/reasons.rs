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
    let count = summary.unsure();
    let (sent_by, or_else) = match summary.unsure_here {
        0 => (
            "another input of this key sent",
            ", or send this input with --journal of the other one",
        ),
        _ if summary.unsure_here == count => (
            "an earlier run of this input sent, of which other lines are gone: its name may be used anew",
            "",
        ),
        _ => (
            "another input of this key sent, or an earlier run of this one, of which other lines are gone",
            "",
        ),
    };
    format!(
        "{count} lines are transfers, claims or corrections that name no event of their own, and say what {sent_by}. They were taken for the same ones and not sent. If they are further ones, put them into an input of their own and send that with --sign-anew; if not, take them out{or_else}"
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
