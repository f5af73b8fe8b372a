"""Receipts and proofs of the state, verified offline by the log's key or by a policy (docs/format.md, section 13).

The work is done by the project's own Python verifier (`arborlog.verifier`, which is docs/verifier/arborlog_verify.py).
"""

from dataclasses import dataclass

from . import verifier
from .errors import ArborlogError, LogFault, NotVerified

EXIT_CODES = {"holds": 0, "false": 1, "unchecked": 3, "not_that_kind": 4}


@dataclass(frozen=True)
class Verdict:
    """One of four outcomes: `holds`, `false`, `unchecked` (nothing was found wrong, and nothing is proven), or
    `not_that_kind`. If it holds, `answer` says what is proven; else `code`, `where` and `what` say why not."""

    outcome: str
    answer: dict | None = None
    code: str | None = None
    where: str | None = None
    what: str | None = None

    @property
    def exit_code(self):
        return EXIT_CODES[self.outcome]

    def __bool__(self):
        return self.outcome == "holds"


def verify_receipt(data, log=None, policy=None, *, genesis=None, witnesses=(), about=None):
    """Verifies a `.tlog-proof` file: its bytes as they are.

    Give `log`, the log's verifier key, or `policy`, a text that c2sp.org/tlog-policy reads: it names logs, witnesses and
    auditors, and which of them must have seen the checkpoint; the answer's `policy` says who did. Given both, both must
    hold. `genesis` is the id of the genesis (hexadecimal), `witnesses` are verifier keys whose cosignature must be there,
    and `about` is what the file must be about, such as `certificate/33258`, `account/…` or `receipt/12`.
    """
    rule = Policy(policy).rule if policy is not None else None
    if log is None and not (rule and rule.logs):
        raise ArborlogError("key_missing", "give the log's verifier key, or a policy that names logs")
    pinned = read_vkey(log, verifier.LOG, verifier.MLDSA) if log is not None else None
    seen_by = [read_vkey(witness, verifier.WITNESS, verifier.MLDSA) for witness in witnesses]
    genesis_id = _genesis_id(genesis)
    question = _question(about)
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    try:
        verifier.need(
            verifier.library_is_cofactorless(), "library_unfit", "this `cryptography` checks signatures with the cofactor"
        )
        answer = verifier.verify_receipt(data, pinned, genesis_id, seen_by, rule)
        if question is not None:
            verifier.check_about(answer, question)
    except verifier.Refused as refused:
        outcome = verifier.OUTCOMES[refused.exit_code]
        return Verdict(outcome, None, refused.code, refused.where or "receipt", refused.what)
    return Verdict("holds", answer)


def read_vkey(written, *kinds):
    """A verifier key, `<name>+<id>+<base64>`: of these types, a log's Ed25519 key if none is given."""
    try:
        return verifier.parse_vkey(written, *(kinds or (verifier.LOG,)))
    except verifier.Refused as refused:
        raise ArborlogError("vkey_malformed", f"{written!r} is no verifier key: {refused.what}") from None


def checkpoint_checker(log):
    """A function that raises if a checkpoint is not signed by this log."""
    pinned = read_vkey(log)

    def check(note):
        try:
            verifier.open_checkpoint(note.encode("utf-8"), pinned)
        except verifier.Refused as refused:
            if refused.exit_code == 1:
                raise LogFault(refused.code, refused.what, shown=note) from None
            raise NotVerified(refused.code, refused.what, "is the key that of this log, and in force?") from None

    return check


class Policy:
    """A policy of c2sp.org/tlog-policy: which logs and witnesses count, and which must have seen a checkpoint. `rule` is
    what the verifier reads in it."""

    def __init__(self, text):
        try:
            self.rule = verifier.read_policy(text.encode("utf-8", "surrogatepass"))
        except verifier.Refused as refused:
            raise ArborlogError("policy_malformed", refused.what) from None


def _question(about):
    """What the file must be about, read; None if that was not asked."""
    if about is None:
        return None
    try:
        return verifier.read_question(about)
    except verifier.Refused as refused:
        raise ArborlogError("question_malformed", refused.what) from None


def _genesis_id(genesis):
    if genesis is None:
        return None
    try:
        decoded = bytes.fromhex(genesis) if isinstance(genesis, str) else bytes(genesis)
    except ValueError:
        decoded = b""
    if len(decoded) != 32:
        raise ArborlogError("genesis_malformed", "the id of the genesis is 64 hexadecimal digits")
    return decoded
