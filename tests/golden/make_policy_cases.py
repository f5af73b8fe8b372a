#!/usr/bin/env python3
"""Makes tests/golden/policy/ and tests/golden/mldsa/: keys from fixed seeds, lines signed without chance, policies, and what
each must come to. What is expected was written by hand, from docs/format.md, with the reason beside it: no verifier is asked.

    python3 tests/golden/make_policy_cases.py            compares the files with what it makes
    python3 tests/golden/make_policy_cases.py --write    writes them

Needs `cryptography` and `dilithium-py` 1.5.1, which can sign with ML-DSA-44 without chance. Another writing of the formats than
the verifiers' own.
"""
import base64, hashlib, json, pathlib, struct, sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dilithium_py.ml_dsa import ML_DSA_44

HERE = pathlib.Path(__file__).resolve().parent
ORIGIN = "example.org/ledger"
# The first three lines of the golden log's checkpoint at 55 entries, so that its receipts can be judged too.
TEXTS = {"golden": "\n".join((HERE / "log/55/checkpoint").read_text().split("\n")[:3]) + "\n"}
SIZE, ROOT = 55, base64.b64decode(TEXTS["golden"].split("\n")[2])
TEXTS["other log"] = TEXTS["golden"].replace(ORIGIN, "example.com/other")
OTHER_TREE = f"{ORIGIN}\n56\n" + TEXTS["golden"].split("\n")[2] + "\n"
NOON = 1_794_000_000


class Key:
    def __init__(self, name, kind, byte):
        self.name, self.kind, self.seed = name, kind, bytes([byte]) * 32
        if kind == 6:
            public, self.private = ML_DSA_44.key_derive(self.seed)
        else:
            self.private = Ed25519PrivateKey.from_private_bytes(self.seed)
            public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = public
        typed = bytes([kind]) + public
        self.id = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(typed).decode()}"

    def sign(self, message, context=b""):
        return ML_DSA_44.sign(self.private, message, context, True) if self.kind == 6 else self.private.sign(message)

    def line(self, signature, name=None):
        return f"\u2014 {name or self.name} {base64.b64encode(self.id + signature).decode()}\n"


KEYS = {
    "log": Key(ORIGIN, 1, 0x05), "next log": Key(ORIGIN, 1, 0x06), "log pq": Key(ORIGIN, 6, 0x40),
    "other log": Key("example.com/other", 1, 0x33),
    "w1": Key("witness.example.net/w1", 4, 0x0c), "w2": Key("witness.example.org/w2", 4, 0x30),
    "w3": Key("witness.example.com/w3", 4, 0x31), "m1": Key("witness.example.net/m1", 6, 0x41),
    "m2": Key("witness.example.org/m2", 6, 0x42), "a1": Key("auditor.example.net/a1", 4, 0x32),
    "a2": Key("auditor.example.org/a2", 6, 0x43), "stranger": Key("witness.example.net/stranger", 6, 0x44),
    # The same key as w1's, by another name: so another id, and still one key.
    "w1 again": Key("witness.example.net/again", 4, 0x0c),
    # The Ed25519 key of w1 as a log's, and the ML-DSA key of the log as a witness's.
    "w1 as log": Key(ORIGIN, 1, 0x0c), "log pq as witness": Key("witness.example.net/pq", 6, 0x40),
}


def short(text):
    return bytes([len(text.encode())]) + text.encode()


def mldsa_message(key, seconds, origin=ORIGIN, start=0, end=SIZE, root=ROOT, label=b"subtree/v1\n\0", name=None):
    return (label + short(name or key.name) + struct.pack(">Q", seconds) + short(origin)
            + struct.pack(">QQ", start, end) + root)


def cosigned(who, seconds, said=None, **more):
    """A line of a witness's, an auditor's, or the log's by ML-DSA-44; `said` is the time that the line has, if another."""
    key = KEYS[who]
    if key.kind == 6:
        context = more.pop("context", b"")
        signature = key.sign(mldsa_message(key, seconds, **more), context)
    else:
        signature = key.sign(b"cosignature/v1\ntime %d\n" % seconds + more.get("text", TEXTS["golden"]).encode())
    return key.line(struct.pack(">Q", seconds if said is None else said) + signature)


def flipped(line):
    """One bit of the signature changed: the last of its first half."""
    name, encoded = line[2:-1].rsplit(" ", 1)
    data = bytearray(base64.b64decode(encoded))
    data[len(data) // 2] ^= 1
    return f"\u2014 {name} {base64.b64encode(data).decode()}\n"


def shorter(line):
    name, encoded = line[2:-1].rsplit(" ", 1)
    return f"\u2014 {name} {base64.b64encode(base64.b64decode(encoded)[:-1]).decode()}\n"


def plain(who, text=TEXTS["golden"]):
    return KEYS[who].line(KEYS[who].sign(text.encode()))


def lines():
    made = {"log": plain("log"), "next log": plain("next log"), "other log": plain("other log", TEXTS["other log"])}
    made["log false"] = flipped(made["log"])
    made["next log false"] = flipped(made["next log"])
    for place, who in enumerate(("w1", "w2", "w3", "m1", "m2", "a1", "a2", "log pq", "stranger")):
        made[who] = cosigned(who, NOON + place)
    for who in ("w1", "w3", "m1", "a2", "log pq"):
        made[f"{who} false"] = flipped(made[who])
        made[f"{who} short"] = shorter(made[who])
    for who in ("w1", "m1"):
        made[f"{who} later"] = cosigned(who, NOON + 100)
        made[f"{who} other time"] = cosigned(who, NOON, said=NOON + 1)
        made[f"{who} 2^63"] = cosigned(who, 2**63)
        made[f"{who} 2^63-1"] = cosigned(who, 2**63 - 1)
    made["w1 other tree"] = cosigned("w1", NOON, text=OTHER_TREE)
    made["w1 without time"] = KEYS["w1"].line(KEYS["w1"].sign(TEXTS["golden"].encode()))
    made["w1 time 0"] = cosigned("w1", 0)
    for who in ("m1", "a2", "log pq"):
        made[f"{who} time 0"] = cosigned(who, 0)
    made["m1 time 0 false"] = flipped(made["m1 time 0"])
    made["m1 other tree"] = cosigned("m1", NOON, end=56)
    made["m1 from 1"] = cosigned("m1", 0, start=1)
    made["m1 other origin"] = cosigned("m1", NOON, origin="example.com/other")
    made["m1 other name"] = cosigned("m1", NOON, name="witness.example.org/m2")
    made["m1 context"] = cosigned("m1", NOON, context=b"x")
    made["m1 other label"] = cosigned("m1", NOON, label=b"subtree/v2\n\0")
    message = b"cosignature/v1\ntime %d\n" % NOON + TEXTS["golden"].encode()
    made["m1 as 0x04 signs"] = KEYS["m1"].line(struct.pack(">Q", NOON) + KEYS["m1"].sign(message))
    made["m2 under w1's name"] = KEYS["m2"].line(b"\0" * 72, name=KEYS["w1"].name)
    return made


# ---- what a checkpoint comes to, by a policy -------------------------------------------------------------

LOGS = "log {log}\n"
W3 = "witness w1 {w1}\nwitness w2 {w2}\nwitness w3 {w3}\n"
X_Y = W3 + "witness m1 {m1}\nwitness m2 {m2}\ngroup x 2 w1 w2 w3\ngroup y any m1 m2\ngroup both all x y\nquorum both\n"
AUDITED = "witness w1 {w1}\nwitness w2 {w2}\nwitness audit-1 {a1}\nwitness audit-2 {a2}\ngroup w any w1 w2\ngroup a any audit-1 audit-2\ngroup q all w a\nquorum q\n"
CASES = []


def case(name, why, policy, have, outcome="holds", code=None, **more):
    """`have` are the lines on the checkpoint. `by` are those whose cosignatures count, with the last digits of their time."""
    for signers in (more.get("by"), more.get("seen"), more.get("without_mldsa", {}).get("by")):
        for signer in signers or []:
            signer[1] = None if signer[1] is None else str(signer[1])   # a number of JSON may be cut
    CASES.append({"name": name, "why": why, "policy": policy, "lines": have.split(", "), "outcome": outcome, "code": code, **more})


def quorum_missing(name, why, policy, have, missing, **more):
    case(name, why, policy, have, "unchecked", "quorum_missing", missing=missing, **more)


def false(name, why, policy, have, **more):
    case(name, why, policy, have, "false", "signature_invalid", **more)


def cases():
    CASES.clear()
    at = lambda place: NOON + place
    # -- quorums of Ed25519 --
    case("none", "A quorum of none asks for nobody; and nobody is there.", LOGS + "quorum none\n", "log", levels=["cosigned"], by=[])
    case("none, and a witness", "The quorum is met without w1, whose line holds; with auditors there too it is met, and a witness signed.",
         LOGS + "witness w1 {w1}\nquorum none\n", "log, w1", levels=["cosigned", "witnessed"], by=[["w1", at(0)]])
    case("one witness", "The quorum names w1, and its line holds.", LOGS + "witness w1 {w1}\nquorum w1\n", "log, w1",
         levels=["cosigned", "witnessed"], by=[["w1", at(0)]])
    quorum_missing("one witness away", "The quorum names w1, and there is no line of it.", LOGS + "witness w1 {w1}\nquorum w1\n", "log",
                   ["w1"], levels=[])
    quorum_missing("another one is there", "w2 is in the policy and its line holds, but the quorum is w1.",
                   LOGS + "witness w1 {w1}\nwitness w2 {w2}\nquorum w1\n", "log, w2", ["w1"], levels=[])
    case("2 of 3", "w1 and w3 are two of the group's three.", LOGS + W3 + "group g 2 w1 w2 w3\nquorum g\n", "log, w1, w3",
         levels=["cosigned", "witnessed"], by=[["w1", at(0)], ["w3", at(2)]])
    quorum_missing("1 of 3 where 2 are needed", "w2 alone is not two. w1 and w3 are those that could make it two.",
                   LOGS + W3 + "group g 2 w1 w2 w3\nquorum g\n", "log, w2", ["w1", "w3"], levels=[])
    case("any", "any is one of them.", LOGS + W3 + "group g any w1 w2 w3\nquorum g\n", "log, w2", levels=["cosigned", "witnessed"],
         by=[["w2", at(1)]])
    quorum_missing("any, and nobody", "any is one of them, and none is there.", LOGS + W3 + "group g any w1 w2 w3\nquorum g\n", "log",
                   ["w1", "w2", "w3"], levels=[])
    case("all", "all three are there.", LOGS + W3 + "group g all w1 w2 w3\nquorum g\n", "log, w3, w2, w1", levels=["cosigned", "witnessed"],
         by=[["w1", at(0)], ["w2", at(1)], ["w3", at(2)]])
    quorum_missing("all but one", "all are three, and w3 is not there.", LOGS + W3 + "group g all w1 w2 w3\nquorum g\n", "log, w1, w2",
                   ["w3"], levels=[])
    case("one member as a group", "A group of one that needs one is that one.", LOGS + "witness w1 {w1}\ngroup g 1 w1\nquorum g\n", "log, w1",
         levels=["cosigned", "witnessed"], by=[["w1", at(0)]])
    case("the quorum is a witness beside groups", "The quorum is w3: the group, which fails, is not asked for.",
         LOGS + W3 + "group g all w1 w2\nquorum w3\n", "log, w3", levels=["cosigned", "witnessed"], by=[["w3", at(2)]])
    case("groups of groups", "x has w1 and w2 of three, y has m2, and both is both.", LOGS + X_Y, "log, w1, w2, m2",
         levels=["cosigned", "witnessed"], by=[["w1", at(0)], ["w2", at(1)], ["m2", at(4)]],
         without_mldsa={"outcome": "unchecked", "code": "mldsa_unsupported"})
    quorum_missing("one of two groups fails", "x has two of three; y has none of m1 and m2. Of x nobody is asked for: it is there.",
                   LOGS + X_Y, "log, w1, w2", ["m1", "m2"], levels=[])
    quorum_missing("the other group fails", "y has m1, x has w3 alone: w1 and w2 are missing, and w3 and m1 are there.",
                   LOGS + X_Y, "log, w3, m1", ["w1", "w2"], levels=[],
                   without_mldsa={"outcome": "unchecked", "code": "quorum_missing", "missing": ["w1", "w2", "m1", "m2"]})
    quorum_missing("both groups fail", "Nobody is there.", LOGS + X_Y, "log", ["w1", "w2", "w3", "m1", "m2"], levels=[])
    quorum_missing("the quorum comes before a group", "A line behind the quorum changes nothing: w1 alone is asked for.",
                   LOGS + W3 + "quorum w1\ngroup g any w1 w2 w3\n", "log, w2, w3", ["w1"], levels=[])
    # -- what does not hold --
    false("a false line", "A line by a key of the policy does not hold: that is false, whatever the quorum says.",
          LOGS + "witness w1 {w1}\nquorum w1\n", "log, w1 false")
    false("a false line that the quorum does not need", "The quorum is none; the line of w1 is false all the same.",
          LOGS + "witness w1 {w1}\nquorum none\n", "log, w1 false")
    false("a false line beside enough", "w1 and w2 are two of three, and the line of w3 is false.",
          LOGS + W3 + "group g 2 w1 w2 w3\nquorum g\n", "log, w1, w2, w3 false")
    false("a false line beside a right one", "Of several lines by one key all must hold.", LOGS + "witness w1 {w1}\nquorum w1\n",
          "log, w1, w1 false")
    case("two right lines", "Both hold, and the newest time counts.", LOGS + "witness w1 {w1}\nquorum w1\n", "log, w1 later, w1",
         levels=["cosigned", "witnessed"], by=[["w1", at(100)]])
    false("a line of another tree", "It is signed by w1, but over 56 entries.", LOGS + "witness w1 {w1}\nquorum w1\n", "log, w1 other tree")
    false("a line with another time", "The time is signed.", LOGS + "witness w1 {w1}\nquorum w1\n", "log, w1 other time")
    false("a time of 2^63", "No time is that late, whatever the signature.", LOGS + "witness w1 {w1}\nquorum w1\n", "log, w1 2^63")
    case("a time of 2^63 - 1", "The last time that there is.", LOGS + "witness w1 {w1}\nquorum w1\n", "log, w1 2^63-1",
         levels=["cosigned", "witnessed"], by=[["w1", 2**63 - 1]])
    false("a line that is too short", "A cosignature has 72 bytes.", LOGS + "witness w1 {w1}\nquorum w1\n", "log, w1 short")
    false("a line without a time", "A cosignature has 72 bytes: one as a log signs has 64.", LOGS + "witness w1 {w1}\nquorum w1\n",
          "log, w1 without time")
    case("time 0 of an Ed25519 witness", "Time 0 means that there is none in lines of ML-DSA-44 alone: this one is of 1970.",
         LOGS + "witness w1 {w1}\nquorum w1\n", "log, w1 time 0", levels=["cosigned", "witnessed"], by=[["w1", 0]])
    quorum_missing("a stranger's id under the name", "Name and id must both be the key's: this line names no key of the policy, so it is passed over.",
                   LOGS + "witness w1 {w1}\nquorum w1\n", "log, m2 under w1's name", ["w1"], levels=[])
    # -- the log --
    case("any of two log keys", "The policy names two keys of the log, and one signed.", "log {log}\nlog {next log}\nquorum none\n", "next log",
         levels=["cosigned"], by=[])
    case("the log signs with ML-DSA-44", "A line of type 0x06 by the log's key is the log's signature. What time it has means nothing.",
         "log {log pq}\nquorum none\n", "log pq", levels=["cosigned"], by=[],
         without_mldsa={"outcome": "unchecked", "code": "mldsa_unsupported"})
    case("the log signs with ML-DSA-44, time 0", "The same without a time.", "log {log pq}\nquorum none\n", "log pq time 0",
         levels=["cosigned"], by=[], without_mldsa={"outcome": "unchecked", "code": "mldsa_unsupported"})
    case("the log signs with both", "Both hold; a verifier that can't check one has the other.", "log {log pq}\nlog {log}\nquorum none\n",
         "log, log pq", levels=["cosigned"], by=[])
    case("a key of the log that did not sign", "One of the log's keys is enough.", "log {log pq}\nlog {log}\nquorum none\n", "log",
         levels=["cosigned"], by=[])
    false("one of two lines of the log is false", "All lines by the log's keys in the policy must hold.", "log {log}\nlog {next log}\nquorum none\n",
          "log, next log false")
    false("the log's ML-DSA line is false", "The same, beside a right Ed25519 line.", "log {log}\nlog {log pq}\nquorum none\n", "log, log pq false",
          without_mldsa={"outcome": "holds", "code": None})
    false("the log's ML-DSA line is too short", "Its length is known without ML-DSA.", "log {log}\nlog {log pq}\nquorum none\n",
          "log, log pq short")
    case("no key of the log signed", "The policy names the log's next key, and only the first signed.", "log {next log}\nquorum none\n", "log",
         "unchecked", "unsigned")
    case("an unknown log", "The policy names another log than the checkpoint's.", "log {other log}\nquorum none\n", "log", "unchecked", "other_log")
    case("a checkpoint of an unknown log", "The checkpoint is of a log that the policy does not name.", LOGS + "quorum none\n", "other log",
         "unchecked", "other_log", text="other log")
    false("a false line of the log comes first", "Step 2 comes before step 3: the quorum is missing too.",
          LOGS + "witness w1 {w1}\nquorum w1\n", "log false")
    case("unsigned comes before the quorum", "The same of a log that did not sign.", "log {next log}\nwitness w1 {w1}\nquorum w1\n", "log",
         "unchecked", "unsigned")
    case("a log whose key is a witness's too", "Log and witness keys are apart: one key may stand once as each.",
         "log {log}\nlog {w1 as log}\nwitness w1 {w1}\nquorum w1\n", "log, w1", levels=["cosigned", "witnessed"], by=[["w1", at(0)]])
    # -- ML-DSA-44 --
    without = {"without_mldsa": {"outcome": "unchecked", "code": "mldsa_unsupported"}}
    m1 = LOGS + "witness m1 {m1}\nquorum m1\n"
    case("an ML-DSA witness", "The line of m1 holds.", m1, "log, m1", levels=["cosigned", "witnessed"], by=[["m1", at(3)]], **without)
    quorum_missing("an ML-DSA witness away", "No line of m1 is there: nothing is left to check.", m1, "log", ["m1"], levels=[])
    quorum_missing("only a stranger's ML-DSA line", "A line by a key that the policy does not name is passed over.", m1, "log, stranger", ["m1"], levels=[])
    case("a stranger's ML-DSA line beside", "It is passed over.", LOGS + "witness w1 {w1}\nquorum w1\n", "log, stranger, w1, m1 false",
         levels=["cosigned", "witnessed"], by=[["w1", at(0)]])
    false("a false ML-DSA line", "One bit of the signature is another.", m1, "log, m1 false", **without)
    false("an ML-DSA line of another tree", "It is signed over 56 entries.", m1, "log, m1 other tree", **without)
    false("an ML-DSA line from entry 1 on", "A checkpoint's line starts at 0.", m1, "log, m1 from 1",
          without_mldsa={"outcome": "unchecked", "code": "quorum_missing", "missing": ["m1"]})
    false("an ML-DSA line of another log", "The origin is signed.", m1, "log, m1 other origin", **without)
    false("an ML-DSA line by another name", "The cosigner's name is signed.", m1, "log, m1 other name", **without)
    false("an ML-DSA line with a context", "The context of FIPS 204 is empty.", m1, "log, m1 context", **without)
    false("an ML-DSA line of another label", "The label is `subtree/v1`, a newline and a zero byte.", m1, "log, m1 other label", **without)
    false("an ML-DSA line over what 0x04 signs", "Each type has a message of its own.", m1, "log, m1 as 0x04 signs", **without)
    false("an ML-DSA line with another time", "The time is signed.", m1, "log, m1 other time", **without)
    false("an ML-DSA time of 2^63", "No time is that late; that is known without ML-DSA.", m1, "log, m1 2^63")
    case("an ML-DSA time of 2^63 - 1", "The last time that there is.", m1, "log, m1 2^63-1", levels=["cosigned", "witnessed"],
         by=[["m1", 2**63 - 1]], **without)
    false("an ML-DSA line that is too short", "It has 2,428 bytes behind the key's id; that is known without ML-DSA.", m1, "log, m1 short")
    quorum_missing("an ML-DSA witness without a time", "The line holds, and says of no time that nothing newer was seen: it counts for nothing.",
                   m1, "log, m1 time 0", ["m1"], levels=[])
    case("a line without a time beside one with", "The one with a time counts.", m1, "log, m1 time 0, m1", levels=["cosigned", "witnessed"],
         by=[["m1", at(3)]], **without)
    false("a false line without a time", "It counts for nothing, and is false all the same.", m1, "log, m1 time 0 false",
          without_mldsa={"outcome": "unchecked", "code": "quorum_missing", "missing": ["m1"]})
    case("an ML-DSA line that does not decide", "w1 is enough. Who has no ML-DSA says the same, and does not count m1.",
         LOGS + "witness w1 {w1}\nwitness m1 {m1}\ngroup g any w1 m1\nquorum g\n", "log, w1, m1", levels=["cosigned", "witnessed"],
         by=[["w1", at(0)], ["m1", at(3)]],
         without_mldsa={"outcome": "holds", "code": None, "levels": ["cosigned", "witnessed"], "by": [["w1", at(0)]], "not_checked": ["m1"]})
    quorum_missing("an ML-DSA line that can't help", "m1 holds, and w1 is missing: with or without m1 the quorum is not there.",
                   LOGS + "witness w1 {w1}\nwitness m1 {m1}\ngroup g all w1 m1\nquorum g\n", "log, m1", ["w1"], levels=[],
                   without_mldsa={"outcome": "unchecked", "code": "quorum_missing", "missing": ["w1", "m1"]})
    false("false without ML-DSA too", "w1 is false, and m1 could not be checked: false comes first.",
          LOGS + "witness m1 {m1}\nwitness w1 {w1}\ngroup g all w1 m1\nquorum g\n", "log, m1, w1 false")
    # -- auditors --
    case("a witness and an auditor", "One of the witnesses, one of the auditors.", LOGS + AUDITED, "log, w1, a1",
         levels=["cosigned", "witnessed", "audited"], by=[["w1", at(0)], ["audit-1", at(5)]])
    quorum_missing("witnesses alone", "With all auditors taken as present the quorum holds, and a witness signed: witnessed, no more.",
                   LOGS + AUDITED, "log, w1, w2", ["audit-1", "audit-2"], levels=["witnessed"])
    quorum_missing("an auditor alone", "The same the other way round: audited, no more.", LOGS + AUDITED, "log, a1", ["w1", "w2"],
                   levels=["audited"])
    quorum_missing("neither", "With all others taken as present both would hold, but nobody of either signed.", LOGS + AUDITED, "log",
                   ["w1", "w2", "audit-1", "audit-2"], levels=[])
    case("an ML-DSA auditor without a time", "Of an auditor time 0 means that no time is given: the line counts.", LOGS + AUDITED,
         "log, w2, a2 time 0", levels=["cosigned", "witnessed", "audited"], by=[["w2", at(1)], ["audit-2", None]], **without)
    false("a false auditor", "An auditor's line must hold as any does.", LOGS + AUDITED, "log, w1, a1, a2 false",
          without_mldsa={"outcome": "holds", "code": None})
    false("an auditor's line that is too short", "Its length is known without ML-DSA.", LOGS + AUDITED, "log, w1, a1, a2 short")
    quorum_missing("the name makes the auditor", "m1 is no auditor, for its name does not begin with audit-: without a time it counts for nothing.",
                   LOGS + "witness audit {m1}\nquorum audit\n", "log, m1 time 0", ["audit"], levels=[])
    case("the name in the policy, not the key's", "m1 is called audit-m here: so it is an auditor, and its line needs no time.",
         LOGS + "witness audit-m {m1}\nquorum audit-m\n", "log, m1 time 0", levels=["cosigned", "audited"], by=[["audit-m", None]], **without)
    case("audited by any", "The quorum is any of all: with the auditor alone it holds. No witness signed, so it is not witnessed.",
         LOGS + "witness w1 {w1}\nwitness audit-1 {a1}\ngroup g any w1 audit-1\nquorum g\n", "log, a1", levels=["cosigned", "audited"],
         by=[["audit-1", at(5)]])
    # -- keys beside the policy --
    case("a key beside a policy without logs", "The policy names no log: the key that was given is the log's.",
         "witness w1 {w1}\nquorum w1\n", "log, w1", log="log", levels=["cosigned", "witnessed"], by=[["w1", at(0)]])
    case("a key beside a policy with logs", "Both must have signed, and did.", "log {next log}\nquorum none\n", "log, next log", log="log",
         levels=["cosigned"], by=[])
    case("a key beside a policy that did not sign", "The policy's key signed, and the one that was given did not.",
         "log {log}\nquorum none\n", "log", "unchecked", "unsigned", log="next log")
    case("a policy's key beside one that signed", "The other way round.", "log {next log}\nquorum none\n", "log", "unchecked", "unsigned", log="log")
    case("a witness beside a policy", "The witness that was asked for is not there; the policy asks for nobody.", LOGS + "quorum none\n", "log",
         "unchecked", "witness_missing", witnesses=["w1"])
    case("an ML-DSA witness beside a policy", "Its line holds.", LOGS + "quorum none\n", "log, m1", witnesses=["m1"], levels=["cosigned"], by=[],
         seen=[["m1", at(3)]], **without)
    case("an ML-DSA witness without a time beside a policy", "It counts for nothing, so it is not there.", LOGS + "quorum none\n",
         "log, m1 time 0", "unchecked", "witness_missing", witnesses=["m1"], **without)
    case("the log's ML-DSA key, and no log in the policy", "A log may be known by its ML-DSA key.", "quorum none\n", "log, log pq", log="log pq",
         levels=["cosigned"], by=[], **without)
    case("witnesses come before the quorum", "A witness that was asked for by itself is missing, and the quorum too: the first of these is said.",
         LOGS + "witness w2 {w2}\nquorum w2\n", "log", "unchecked", "witness_missing", witnesses=["w1"])
    return CASES


# ---- the form of a policy ------------------------------------------------------------------------------

def forms():
    many = lambda form, count: "".join(form % {"n": n} for n in range(count))
    w1 = "witness w1 {w1}\n"
    right = {
        "the least": "quorum none\n", "a comment": "# a comment \u2013 of any words: quorum x\n\t # another\nquorum none\n",
        "empty lines": "\n \t\nquorum none\n\n", "tabs and spaces": "\tquorum \t none \n", "addresses": LOGS.strip() + " https://example.org/\nwitness w1 {w1} any-word\nquorum w1\n",
        "a word of Chinese": "witness \u898b\u8b49\u4eba {w1}\nquorum \u898b\u8b49\u4eba\n", "an ML-DSA witness": "witness m1 {m1}\nquorum m1\n",
        "an ML-DSA log": "log {log pq}\nquorum none\n", "a log's key as a witness's": "log {log pq}\nwitness m {log pq as witness}\nquorum m\n",
        "groups in groups": W3 + "group a any w1\ngroup b all a w2\ngroup c 2 b w3\nquorum c\n", "lines in any order": w1 + "quorum w1\nlog {log}\nwitness w2 {w2}\n",
        "a group that nobody needs": w1 + "group g any w1\nquorum none\n", "names that code knows": "witness constructor {w1}\nwitness __proto__ {w2}\ngroup toString all constructor __proto__\nquorum toString\n",
        "a hash in a word": "witness a#b {w1}\nquorum a#b\n", "a name of 200 bytes": f"witness {'n' * 200} {{w1}}\nquorum none\n",
        "64 groups": w1 + many("group g%(n)d any NAME\n", 1).replace("NAME", "w1") + "".join(f"group g{n} any g{n - 1}\n" for n in range(1, 64)) + "quorum g63\n",
        "none as a URL": "log {log} none\nquorum none\n",
    }
    wrong = {
        "nothing": ("", 1), "no newline at the end": ("quorum none", 1), "no newline behind the second line": ("quorum none\n#", 2),
        "no quorum": (w1, 1), "only a comment": ("# quorum none\n\n", 2), "two quorums": ("quorum none\n\nquorum none\n", 3), "an unknown quorum": ("quorum w1\n", 1),
        "a quorum that is defined later": ("quorum w1\n" + w1, 1), "a quorum of two": (w1 + "quorum w1 none\n", 2), "a quorum of nobody": ("quorum\n", 1),
        "an unknown word": ("allow none\nquorum none\n", 1), "a word in capitals": ("QUORUM none\n", 1), "a comment behind a line": ("quorum none # all\n", 1),
        "a carriage return": ("quorum none\r\n", 1), "a no-break space": ("quorum\u00a0none\n", 1), "a byte order mark": ("\ufeffquorum none\n", 1),
        "a form feed": ("# \f\nquorum none\n", 1), "a zero-width space in a comment": ("# a\u200bb\nquorum none\n", 1), "a line separator": ("#\u2028\nquorum none\n", 1),
        "DEL": ("# \x7f\nquorum none\n", 1), "a control of the second set": ("#\x85\nquorum none\n", 1),
        "a log without a key": ("log\nquorum none\n", 1), "a log with four words": ("log {log} a b\nquorum none\n", 1), "a witness without a name": ("witness {w1}\nquorum none\n", 1),
        "a witness with five words": ("witness w {w1} a b\nquorum none\n", 1), "a witness called none": ("witness none {w1}\nquorum none\n", 1),
        "a group called none": (w1 + "group none any w1\nquorum none\n", 2), "none in a group": (w1 + "group g any none\nquorum g\n", 2),
        "a name twice": (w1 + "witness w1 {w2}\nquorum w1\n", 2), "a group called as a witness": (w1 + "group w1 any w1\nquorum w1\n", 2),
        "a witness called as a group": (w1 + "group g any w1\nwitness g {w2}\nquorum g\n", 3), "a log's key twice": ("log {log}\nlog {log}\nquorum none\n", 2),
        "a witness's key twice": (w1 + "witness w2 {w1}\nquorum w1\n", 2), "a witness's key by another name": (w1 + "witness w2 {w1 again}\nquorum w1\n", 2),
        "a log's key as a witness's": ("witness w {log}\nquorum none\n", 1), "a witness's key as a log's": ("log {w1}\nquorum none\n", 1),
        "a group without members": (w1 + "group g any\nquorum none\n", 2), "a group without a threshold": (w1 + "group g w1 w1\nquorum none\n", 2),
        "0 of 1": (w1 + "group g 0 w1\nquorum g\n", 2), "2 of 1": (w1 + "group g 2 w1\nquorum g\n", 2), "01 of 1": (w1 + "group g 01 w1\nquorum g\n", 2),
        "+1 of 1": (w1 + "group g +1 w1\nquorum g\n", 2), "1.0 of 1": (w1 + "group g 1.0 w1\nquorum g\n", 2), "an Arabic digit": (w1 + "group g \u0661 w1\nquorum g\n", 2),
        "2^64 + 1 of 1": (w1 + "group g 18446744073709551617 w1\nquorum g\n", 2), "toString of 1": (w1 + "group g toString w1\nquorum g\n", 2),
        "ALL": (w1 + "group g ALL w1\nquorum g\n", 2), "a member twice in a group": (w1 + "group g 2 w1 w1\nquorum g\n", 2),
        "a member of two groups": (w1 + "group g any w1\ngroup h any w1\nquorum h\n", 3), "a member that is defined later": ("group g any w1\n" + w1 + "quorum g\n", 1),
        "a group in itself": (w1 + "group g any w1 g\nquorum g\n", 2), "a key with another id": ("witness w " + KEYS["w1"].vkey.replace("+6ea6d9c9+", "+6ea6d9ca+") + "\nquorum w\n", 1),
        "an id in capitals": ("witness w " + KEYS["w1"].vkey.replace("+6ea6d9c9+", "+6EA6D9C9+") + "\nquorum w\n", 1), "a key without padding": ("witness m {m1}\nquorum m\n".replace("{m1}", KEYS["m1"].vkey[:-1]), 1),
        "an ML-DSA key that is too short": ("witness m " + Key_of_length("m", 6, 1311) + "\nquorum m\n", 1), "an ML-DSA key that is too long": ("witness m " + Key_of_length("m", 6, 1313) + "\nquorum m\n", 1),
        "an Ed25519 key of 0x06": ("witness m " + Key_of_length("m", 6, 32) + "\nquorum m\n", 1), "a key of type 0x05": ("witness m " + Key_of_length("m", 5, 32) + "\nquorum m\n", 1),
        "a key of small order": ("witness m " + vkey_of("m", 4, bytes([1]) + bytes(31)) + "\nquorum m\n", 1), "a key whose name has a plus": ("witness m a+{w1}\nquorum m\n", 1),
        "a name of 201 bytes": (f"witness {'n' * 201} {{w1}}\nquorum none\n", 1), "a name of 67 letters of three bytes": ("witness " + "\u898b" * 67 + " {w1}\nquorum none\n", 1),
        "65 groups": (w1 + "group g0 any w1\n" + "".join(f"group g{n} any g{n - 1}\n" for n in range(1, 65)) + "quorum none\n", 66),
        "more than 131,072 bytes": ("# {fill}\nquorum none\n", None),
    }
    # `fill` is how many x stand in the place of {fill}.
    made = [{"name": "131,072 bytes", "policy": "# {fill}\nquorum none\n", "fill": 131_072 - 15, "valid": True}]
    made += [{"name": name, "policy": policy, "valid": True} for name, policy in right.items()]
    made += [{"name": name, "policy": policy, "valid": False, "line": line} for name, (policy, line) in wrong.items()]
    next(form for form in made if form["name"] == "more than 131,072 bytes")["fill"] = 131_072 - 14
    made += [{"name": "not UTF-8", "hex": (b"# \xff\nquorum none\n").hex(), "valid": False, "line": None},
             {"name": "a surrogate", "hex": (b"# \xed\xa0\x80\nquorum none\n").hex(), "valid": False, "line": None}]
    for name, count, valid in (("64 witnesses", 64, True), ("65 witnesses", 65, False)):
        made.append({"name": name, "policy": "".join(f"witness w{n} {Key(f'w.example/{n}', 4, 0x80 + n).vkey}\n" for n in range(count)) + "quorum none\n",
                     "valid": valid, **({} if valid else {"line": 65})})
    for name, count, valid in (("64 logs", 64, True), ("65 logs", 65, False)):
        made.append({"name": name, "policy": "".join(f"log {Key(f'l.example/{n}', 1, 0x80 + n).vkey}\n" for n in range(count)) + "quorum none\n",
                     "valid": valid, **({} if valid else {"line": 65})})
    return made


def vkey_of(name, kind, key):
    typed = bytes([kind]) + key
    return f"{name}+{hashlib.sha256(name.encode() + bytes([10]) + typed).hexdigest()[:8]}+{base64.b64encode(typed).decode()}"


def Key_of_length(name, kind, length):
    return vkey_of(name, kind, bytes(length))


# ---- files with two checkpoints (docs/format.md, 13.7) ----------------------------------------------------

# The leaves of the golden log's largest tree.
LEAVES = [(HERE / "log/257/tile/0" / tile).read_bytes() for tile in ("000", "001.p/1")]
LEAVES = [data[at:at + 32] for data in LEAVES for at in range(0, len(data), 32)]


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def half_of(leaves):
    """The largest power of two below their number."""
    return 1 << (len(leaves) - 1).bit_length() - 1


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = half_of(leaves)
    return node(root_of(leaves[:half]), root_of(leaves[half:]))


def inclusion(index, leaves):
    """PATH(m, D[n]) of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    half = half_of(leaves)
    if index < half:
        return inclusion(index, leaves[:half]) + [root_of(leaves[half:])]
    return inclusion(index - half, leaves[half:]) + [root_of(leaves[:half])]


def consistency(size, leaves, is_whole=True):
    """SUBPROOF(m, D[n], b) of RFC 6962, 2.1.2."""
    if size == len(leaves):
        return [] if is_whole else [root_of(leaves)]
    half = half_of(leaves)
    if size <= half:
        return consistency(size, leaves[:half], is_whole) + [root_of(leaves[half:])]
    return consistency(size - half, leaves[half:], False) + [root_of(leaves[:half])]


def text_at(size):
    return f"{ORIGIN}\n{size}\n{base64.b64encode(root_of(LEAVES[:size])).decode()}\n"


def note_at(size, who, text=None):
    """A checkpoint of the golden log with these lines: a name of a key, or with `false ` before it one that does not hold."""
    text, root, note_lines = text or text_at(size), root_of(LEAVES[:size]), ""
    for place, name in enumerate(who):
        is_false, name = name.startswith("false "), name.removeprefix("false ")
        # The later checkpoint was seen later.
        made = (plain(name, text) if KEYS[name].kind == 1 else
                cosigned(name, NOON + size + place, **({"end": size, "root": root} if KEYS[name].kind == 6 else {"text": text})))
        note_lines += flipped(made) if is_false else made
    return f"{text}\n{note_lines}"


def receipt_at(size, who, second, behind=b""):
    """The receipt of the golden genesis in the tree of so many entries, with a second checkpoint and its proof, if there is one."""
    golden = (HERE / "receipts/genesis.tlog-proof").read_text().split("\n")
    extra = base64.b64decode(golden[1].removeprefix("extra "))
    if second is not None:
        note, hashes = second
        extra += struct.pack(">Q", len(note)) + note + struct.pack(">Q", len(hashes)) + b"".join(hashes)
    path = "".join(base64.b64encode(one).decode() + "\n" for one in inclusion(0, LEAVES[:size]))
    return f"{golden[0]}\nextra {base64.b64encode(extra + behind).decode()}\n{golden[2]}\n{path}\n{note_at(size, who)}"


def two_checkpoints():
    made = []

    def case(name, policy, own, second, why, sizes=(55, 257), log=None, witnesses=(), proof=None, text=None, behind=b"", note=None, **wanted):
        smaller, larger = sizes
        hashes = consistency(smaller, LEAVES[:larger]) if proof is None else proof
        data = (note_at(larger, second, text) if note is None else note)
        file = receipt_at(smaller, own, (data.encode() if isinstance(data, str) else data, hashes), behind)
        given = {"outcome": "holds", "code": None} | wanted
        made.append({"name": name, "why": why, "policy": policy, **({"log": log} if log else {}),
                     **({"witnesses": list(witnesses)} if witnesses else {}), "receipt": file, **given})

    def named(*who):
        return "log {log}\n" + "".join(f"witness {'audit-' if name[0] == 'a' else ''}{name} {{{name}}}\n" for name in who)

    levels = ["cosigned", "witnessed", "audited"]
    one_each = named("w1", "a1") + "group both all w1 audit-a1\nquorum both\n"
    case("replayed, then seen", one_each, ["log", "a1"], ["log", "w1"], "each half of the quorum holds at its own checkpoint",
         levels=levels, by=[["audit-a1", str(NOON + 56), "55"], ["w1", str(NOON + 258), "257"]], seen_to="257", replayed_to="55")
    case("seen, then replayed", one_each, ["log", "w1"], ["log", "a1"], "the halves may stand the other way round",
         levels=levels, by=[["w1", str(NOON + 56), "55"], ["audit-a1", str(NOON + 258), "257"]], seen_to="55", replayed_to="257")
    case("the second has all", one_each, ["log"], ["log", "w1", "a1"], "the second extends the file's own, and has the entry",
         levels=levels, seen_to="257", replayed_to="257")
    case("the first has all", one_each, ["log", "w1", "a1"], ["log"], "the second adds nothing", levels=levels, seen_to="55", replayed_to="55")
    case("both have all", one_each, ["log", "w1", "a1"], ["log", "w1", "a1"], "the larger tells how far", levels=levels, seen_to="257", replayed_to="257")
    case("a power of two, then seen", one_each, ["log", "a1"], ["log", "w1"], "the smaller tree is a node of the larger", sizes=(256, 257),
         levels=levels, seen_to="257", replayed_to="256")
    case("of one entry, then seen", one_each, ["log", "a1"], ["log", "w1"], "as above", sizes=(1, 255), levels=levels, seen_to="255", replayed_to="1")
    case("up to a power of two", one_each, ["log", "a1"], ["log", "w1"], "the larger tree is whole", sizes=(55, 256), levels=levels, seen_to="256", replayed_to="55")
    case("nobody replayed", one_each, ["log"], ["log", "w1"], "the auditor is missing, the entry was seen", outcome="unchecked",
         code="quorum_missing", missing=["audit-a1"], levels=["witnessed"])
    case("witnesses of both", named("w1", "w2", "a1") + "group all all w1 w2 audit-a1\nquorum all\n", ["log", "w1", "a1"], ["log", "w2", "a1"],
         "witnesses of one checkpoint count together, not those of both; of ways that lack as few, the first is told", outcome="unchecked",
         code="quorum_missing", missing=["w2"], levels=["audited"])
    case("halves that are too small together", named("w1", "w2", "a1", "a2") + "group most 3 w1 w2 audit-a1 audit-a2\nquorum most\n",
         ["log", "a1"], ["log", "w1"], "each half would do with all of the other side there; both together are two of three", outcome="unchecked",
         code="quorum_missing", missing=["w2", "audit-a2"], levels=["witnessed", "audited"])
    case("halves that are enough together", named("w1", "w2", "a1", "a2") + "group most 2 w1 w2 audit-a1 audit-a2\nquorum most\n",
         ["log", "a1"], ["log", "w1"], "as above, and two are asked for", levels=levels, seen_to="257", replayed_to="55")
    case("no quorum is asked for", named("w1", "a1") + "quorum none\n", ["log"], ["log"], "any checkpoint is enough", levels=["cosigned"],
         seen_to=None, replayed_to=None)
    case("a false line on the second", one_each, ["log", "w1", "a1"], ["log", "false w1"], "every line by a key of the policy holds, on both",
         outcome="false", code="signature_invalid")
    case("a false line on the first", one_each, ["log", "false a1"], ["log", "w1", "a1"], "as above", outcome="false", code="signature_invalid")
    case("the log's line on the second is false", one_each, ["log", "a1"], ["false log", "w1"], "as above", outcome="false", code="signature_invalid")
    case("the second is not the log's", one_each, ["log", "a1"], ["w1"], "the log signs both", outcome="unchecked", code="unsigned")
    case("the second is of another log", one_each, ["log", "a1"], ["other log"], "as above", text=text_at(257).replace(ORIGIN, "example.com/other"),
         outcome="unchecked", code="other_log")
    case("by the log's key, and a policy without logs", one_each.split("\n", 1)[1], ["log", "a1"], ["log", "w1"], "the key signs both", log="log",
         levels=levels, seen_to="257", replayed_to="55")
    case("by a key that signed the first alone", one_each.split("\n", 1)[1], ["log", "next log", "a1"], ["log", "w1"], "as above", log="next log",
         outcome="unchecked", code="unsigned")
    case("a witness of the second alone", named() + "quorum none\n", ["log"], ["log", "w1"], "a witness that is asked for by itself saw one of them",
         witnesses=["w1"], seen=[["w1", str(NOON + 258)]])
    case("a witness of the first alone", named() + "quorum none\n", ["log", "w1"], ["log"], "as above", witnesses=["w1"], seen=[["w1", str(NOON + 56)]])
    case("a witness of both", named() + "quorum none\n", ["log", "w1"], ["log", "w1"], "the newer one counts", witnesses=["w1"], seen=[["w1", str(NOON + 258)]])
    case("a witness of neither", named() + "quorum none\n", ["log"], ["log", "w2"], "as above", witnesses=["w1"], outcome="unchecked", code="witness_missing")
    case("a witness whose other line is false", named() + "quorum none\n", ["log", "w1"], ["log", "false w1"], "all its lines hold", witnesses=["w1"],
         outcome="false", code="signature_invalid")
    case("by ML-DSA-44", named("m1", "a2") + "group both all m1 audit-a2\nquorum both\n", ["log", "a2"], ["log", "m1"], "the quorum depends on both lines",
         levels=levels, seen_to="257", replayed_to="55", without_mldsa={"outcome": "unchecked", "code": "mldsa_unsupported"})
    case("by ML-DSA-44, and others", named("m1", "w1", "a1") + "group one any m1 w1\ngroup both all one audit-a1\nquorum both\n", ["log", "m1", "a1"], ["log", "w1"],
         "without ML-DSA the quorum holds at both; with ML-DSA the first has it too", levels=levels, seen_to="257", replayed_to="55", not_checked=[],
         without_mldsa={"outcome": "holds", "code": None, "levels": levels, "not_checked": ["m1"], "seen_to": "257", "replayed_to": "55"})
    case("a proof that is short", one_each, ["log", "a1"], ["log", "w1"], "the number of hashes follows from the sizes", proof=consistency(55, LEAVES)[:-1],
         outcome="unchecked", code="proof_incomplete")
    case("a proof that is long", one_each, ["log", "a1"], ["log", "w1"], "as above", proof=consistency(55, LEAVES) + [bytes(32)], outcome="unchecked", code="proof_incomplete")
    case("another proof", one_each, ["log", "a1"], ["log", "w1"], "it leads to other roots", proof=[bytes(32)] + consistency(55, LEAVES)[1:], outcome="false", code="forked")
    case("another tree", one_each, ["log", "a1"], ["log", "w1"], "the log signed two trees of which one does not begin with the other",
         text=f"{ORIGIN}\n257\n{base64.b64encode(bytes(32)).decode()}\n", outcome="false", code="forked")
    case("of the same size", one_each, ["log", "a1"], ["log", "w1"], "lines of one checkpoint stand on one", sizes=(55, 55), outcome="unchecked", code="receipt_malformed")
    case("a smaller one", one_each, ["log", "a1"], ["log", "w1"], "the second is the larger", proof=[], text=text_at(1), outcome="unchecked", code="receipt_malformed")
    case("a second of no lines", one_each, ["log", "a1"], ["log", "w1"], "a note has a line", note=text_at(257) + "\n", outcome="unchecked", code="note_malformed")
    case("a second that is not UTF-8", one_each, ["log", "a1"], ["log", "w1"], "a note is", note=note_at(257, ["log", "w1"]).encode() + b"\xff\n", outcome="unchecked", code="note_malformed")
    case("a second with a line more", one_each, ["log", "a1"], ["log", "w1"], "lines behind the root are refused", text=text_at(257) + "more\n", outcome="unchecked", code="checkpoint_malformed")
    case("a byte behind the second", one_each, ["log", "a1"], ["log", "w1"], "nothing stands behind it", behind=b"\0", outcome="unchecked", code="receipt_malformed")
    made.append({"name": "one checkpoint", "why": "without a second one nothing stands behind the other fields", "policy": one_each, "receipt": receipt_at(55, ["log", "w1", "a1"], None),
                 "outcome": "holds", "code": None, "levels": levels})
    return made


# ---- ML-DSA-44 alone -------------------------------------------------------------------------------------

def mldsa():
    """The messages and signatures of some lines, part by part; and a line that another program wrote."""
    signed = []
    for who, seconds, origin, end, root in (
            ("m1", NOON + 3, ORIGIN, SIZE, ROOT), ("a2", 0, ORIGIN, SIZE, ROOT), ("log pq", NOON + 7, ORIGIN, SIZE, ROOT),
            ("m2", 2**63 - 1, "\u6a39." * 50, 2**64 - 1, bytes(range(32))), ("m1", 1, "o", 1, bytes(32))):
        key = KEYS[who]
        message = mldsa_message(key, seconds, origin, 0, end, root)
        signed.append({"key": who, "seconds": str(seconds), "origin": origin, "size": str(end), "root": root.hex(),
                       "message": message.hex(), "signature": base64.b64encode(key.sign(message)).decode()})
    foreign = json.loads((HERE / "mldsa/foreign.json").read_text())
    return {"keys": {name: {"seed": key.seed.hex(), "vkey": key.vkey} for name, key in KEYS.items() if key.kind == 6},
            "signed": signed, "foreign": foreign}


def main():
    keys = {name: {"seed": key.seed.hex(), "vkey": key.vkey} for name, key in KEYS.items()}
    made = {"policy/cases.json": {"keys": keys, "texts": TEXTS, "lines": lines(), "cases": cases()},
            "policy/two_checkpoints.json": {"cases": two_checkpoints()}, "policy/forms.json": {"forms": forms()}, "mldsa/cases.json": mldsa()}
    for name, content in made.items():
        text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
        if "--write" in sys.argv:
            (HERE / name).parent.mkdir(exist_ok=True)
            (HERE / name).write_text(text)
        elif (HERE / name).read_text() != text:
            sys.exit(f"tests/golden/{name} is not what this program makes")


if __name__ == "__main__":
    main()
