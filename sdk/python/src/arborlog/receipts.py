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

    Give `log`, the log's verifier key, or `policy`, a text that c2sp.org/tlog-policy reads: it names logs, witnesses,
    and which of them must have seen the checkpoint. `genesis` is the id of the genesis (hexadecimal), `witnesses`
    are verifier keys whose cosignature must be there, and `about` is what the file must be about, such as
    `certificate/33258`, `account/…` or `receipt/12`.
    """
    if (log is None) == (policy is None):
        raise ArborlogError("key_missing", "give either the log's verifier key, or a policy")
    pinned = read_vkey(log) if log is not None else None
    rule = Policy(policy) if policy is not None else None
    seen_by = [read_vkey(witness, verifier.WITNESS) for witness in witnesses]
    genesis_id = _genesis_id(genesis)
    question = _question(about)
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    try:
        verifier.need(
            verifier.library_is_cofactorless(), "library_unfit", "this `cryptography` checks signatures with the cofactor"
        )
        answer_by_policy = {}
        if rule is not None:
            pinned, answer_by_policy = rule.judge(verifier.read_receipt(data)[2])
        answer = verifier.verify_receipt(data, pinned, genesis_id, seen_by) | answer_by_policy
        if question is not None:
            verifier.check_about(answer, question)
    except verifier.Refused as refused:
        return Verdict(verifier.OUTCOMES[refused.exit_code], None, refused.code, refused.where or "receipt", refused.what)
    return Verdict("holds", answer)


def read_vkey(written, kind=verifier.LOG):
    """A verifier key, `<name>+<id>+<base64>`."""
    try:
        return verifier.parse_vkey(written, kind)
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
    """A policy of c2sp.org/tlog-policy: which logs and witnesses count, and which must have seen a checkpoint."""

    def __init__(self, text):
        try:
            verifier.read_whole(verifier.policy_text, len(text.encode()).to_bytes(8, "big") + text.encode())
        except verifier.Refused as refused:
            raise ArborlogError("policy_malformed", refused.what) from None
        self.logs, self.witnesses, self.groups, self.quorum = [], {}, {}, "none"
        for line in text[:-1].split("\n"):
            words = [word for word in line.replace("\t", " ").split(" ") if word]
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "log":
                self.logs.append(verifier.read_vkey(words[1], (verifier.LOG, verifier.MLDSA)))
            elif words[0] == "witness":
                self.witnesses[words[1]] = verifier.read_vkey(words[2], (verifier.WITNESS, verifier.MLDSA))
            elif words[0] == "group":
                self.groups[words[1]] = (words[2], words[3:])
            else:
                self.quorum = words[1]

    def judge(self, checkpoint):
        """The log's key that signed a checkpoint, and who saw it; refuses one that the policy does not take."""
        with verifier.at("checkpoint"):
            own = [vkey for vkey in self.logs if vkey.name == checkpoint.origin]
            verifier.need(own, "other_log", f"the policy names no log {checkpoint.origin}")
            signed = [vkey for vkey in own if vkey.kind == verifier.LOG and verifier.check_lines(checkpoint, vkey)]
            verifier.need(signed, "unsigned", "no line of the checkpoint is by a log key of the policy")
            seen, unread = {}, []
            for name, vkey in self.witnesses.items():
                if vkey.kind == verifier.MLDSA:
                    # No release verifies ML-DSA yet: such a line counts for nothing, and against nobody.
                    unread += [name] if any(line[:2] == (vkey.name, vkey.id) for line in checkpoint.lines) else []
                else:
                    times = verifier.check_lines(checkpoint, vkey)
                    seen |= {name: max(times)} if times else {}
            also = f"; lines by ML-DSA keys could not be checked: {', '.join(unread)}" if unread else ""
            verifier.need(
                self._holds(self.quorum, seen), "witness_missing",
                f"too few witnesses of the policy saw the checkpoint: {', '.join(seen) or 'none'}{also}",
            )
        return signed[0], {"seen_by": [{"name": name, "seen_at_s": at} for name, at in seen.items()]}

    def _holds(self, name, seen):
        if name == "none" or name in seen:
            return True
        if name not in self.groups:
            return False
        threshold, members = self.groups[name]
        asked = {"all": len(members), "any": 1}.get(threshold) or int(threshold)
        return sum(self._holds(member, seen) for member in members) >= asked


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
