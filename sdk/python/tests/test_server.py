"""Against a real server: what an outbox promises, under crashes, refusals, other writers, cuts and restored copies."""

import json
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock

from ledger import ACCOUNT, CuttingProxy, Ledger, Platform, arborlog, award
from arborlog.transport import HttpTransport

HERE = pathlib.Path(__file__).resolve().parent


class WithServer(unittest.TestCase):
    def setUp(self):
        self.ledger = Ledger()
        self.addCleanup(self.ledger.close)

    def assert_once(self, count):
        evidence = self.ledger.evidence()
        self.assertEqual((len(evidence), len(set(evidence))), (count, count))


class TheOutbox(WithServer):
    def test_a_statement_is_there_exactly_if_the_platforms_transaction_is(self):
        platform = Platform(self.ledger)
        db = platform.connect()
        db.execute("CREATE TABLE ride (name TEXT)")
        with self.assertRaises(ZeroDivisionError), db:
            db.execute("INSERT INTO ride VALUES ('one')")
            platform.outbox.put(db, award("one"))
            raise ZeroDivisionError
        with db:
            db.execute("INSERT INTO ride VALUES ('two')")
            (kept,) = [platform.outbox.put(db, award("two"))]
        db.close()
        report = platform.sender.send()
        self.assertEqual((report.admitted, report.outcome), (1, "holds"))
        self.assert_once(1)
        self.assertEqual(platform.outbox.row(kept).state, "in")

    def test_many_are_sealed_and_one_alone_is_a_record(self):
        platform = Platform(self.ledger, seal_statements=40)
        platform.put(*(award(event) for event in range(81)))
        self.assertEqual(platform.sender.send().admitted, 81)
        self.assert_once(81)
        self.assertEqual(platform.outbox.head().next_seq, 3)
        one = self.ledger.get(f"/v1/entries/{platform.outbox.row(81).entry}")
        self.assertEqual((one["form"], one["statement"]["kind"]), ("signed", "award"))
        first = self.ledger.get(f"/v1/entries/{platform.outbox.row(1).entry}")
        self.assertEqual((first["form"], first["statement"]["evidence"]), ("sealed", award(0)["evidence"].hex()))

    def test_an_event_is_put_once(self):
        platform = Platform(self.ledger)
        one, again = platform.put(award("ride"), award("ride"))
        self.assertEqual(one, again)
        with self.assertRaises(arborlog.OutboxError):
            platform.put(award("ride", quantity=1000, points=52))

    def test_what_follows_a_refusal_is_signed_anew(self):
        platform = Platform(self.ledger)
        ids = platform.put(award(1), award(2, points=105), award(3), award(4, activity=9), award(5))
        report = platform.sender.send()
        self.assertEqual([(one, code) for one, code, _ in report.refused],
                         [(ids[1], "points_mismatch"), (ids[3], "activity_unknown")])
        self.assertEqual((report.admitted, report.outcome), (3, "not_all_in"))
        self.assert_once(3)
        # The same event, put right, goes in under the same name.
        platform.put(award(2))
        self.assertEqual(platform.sender.send().admitted, 1)
        self.assert_once(4)

    def test_a_refused_statement_can_be_sent_again(self):
        platform = Platform(self.ledger)
        claim = {"kind": "claim", "account": ACCOUNT, "method": 1, "version": 1, "species": 1, "points": 300}
        (first,) = platform.put(claim)
        self.assertEqual(platform.sender.send().refused[0][:2], (first, "balance_short"))
        platform.put(award(1), award(2), award(3))
        platform.sender.send()
        db = platform.connect()
        with db:
            platform.outbox.retry(db, first)
        db.close()
        self.assertEqual((platform.sender.send().admitted, platform.outbox.row(first).state), (1, "in"))

    def test_a_single_record_that_is_refused_does_not_use_its_place(self):
        platform = Platform(self.ledger, seal_statements=1)
        platform.put(award(1, points=105), award(2))
        report = platform.sender.send()
        self.assertEqual((report.admitted, len(report.refused), platform.outbox.head().next_seq), (1, 1, 1))

    def test_a_claim_of_points_awarded_before_it_goes_in_the_same_batch(self):
        platform = Platform(self.ledger)
        claim = {"kind": "claim", "account": ACCOUNT, "method": 1, "version": 1, "species": 1, "points": 300}
        ids = platform.put(award(1), award(2), award(3), claim)
        self.assertEqual(platform.sender.send().admitted, 4)
        certificate = self.ledger.get(f"/v1/certificates/{platform.outbox.row(ids[3]).entry}")
        self.assertEqual(certificate["account"], ACCOUNT)


class Crashes(WithServer):
    def test_a_sender_killed_at_any_moment_of_a_batch_resumes_and_sends_once(self):
        for moment in ("before", "within", "after"):
            with self.subTest(moment):
                name = f"{moment}.db"
                done = subprocess.run(
                    [sys.executable, HERE / "killed_sender.py", self.ledger.path / name, self.ledger.path / "app.pem",
                     self.ledger.url, self.ledger.log, moment], timeout=60, capture_output=True, text=True,
                )
                self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
                platform = Platform(self.ledger, name)
                message = platform.outbox.open_message()
                self.assertEqual(len(message.statements), 20)
                report = platform.sender.send()
                self.assertEqual(report.admitted + report.already_in, 20)
                self.assertEqual(report.already_in, 0 if moment == "before" else 20)
                self.assertEqual(platform.outbox.waiting(), 0)
            if moment != "after":
                # Each has a fresh database: the key's chain so far is taken as its own.
                Platform(self.ledger, {"before": "within.db", "within": "after.db"}[moment]).sender.recover()
        self.assert_once(60)

    def test_a_server_killed_in_the_middle_loses_and_doubles_nothing(self):
        platform = Platform(self.ledger, seal_statements=5, attempt_s=2, patience_s=40)
        platform.put(*(award(event) for event in range(150)))
        failed = []
        sending = threading.Thread(target=lambda: failed.append(platform.sender.send()))
        sending.start()
        for _ in range(2):
            time.sleep(0.3)
            self.ledger.stop(signal.SIGKILL)
            time.sleep(0.1)
            self.ledger.start()
        sending.join(60)
        self.assertEqual(failed[0].admitted + failed[0].already_in, 150)
        self.assert_once(150)

    def test_answers_that_are_cut_are_asked_for_again(self):
        proxy = CuttingProxy(self.ledger.port, cuts=2)
        self.addCleanup(proxy.close)
        platform = Platform(self.ledger, addresses=proxy.url)
        platform.put(*(award(event) for event in range(10)))
        report = platform.sender.send()
        self.assertEqual((report.admitted, report.already_in, proxy.posts), (0, 10, 3))
        self.assert_once(10)

    def test_the_same_bytes_go_to_another_address(self):
        platform = Platform(self.ledger, addresses=["http://127.0.0.1:9", self.ledger.url], attempt_s=2)
        platform.put(award(1), award(2))
        self.assertEqual(platform.sender.send().admitted, 2)

    def test_a_server_that_is_away_leaves_everything_as_it_was(self):
        platform = Platform(self.ledger, addresses="http://127.0.0.1:9", patience_s=0.5)
        platform.put(award(1))
        with self.assertRaises(arborlog.Unanswered) as caught:
            platform.sender.send()
        self.assertEqual((caught.exception.outcome, platform.outbox.waiting()), ("unchecked", 1))


class OtherWriters(WithServer):
    def test_another_writer_of_the_key_is_told_and_nothing_is_sent(self):
        one, other = Platform(self.ledger, "one.db"), Platform(self.ledger, "other.db")
        one.put(award(1))
        one.sender.send()
        other.put(award(2))
        with self.assertRaises(arborlog.AnotherWriter):
            other.sender.send()
        self.assertEqual(self.ledger.evidence(), [award(1)["evidence"].hex()])
        # Once it is known that the first one signs no more, the second takes its records as its own.
        self.assertEqual(other.sender.recover(), (0, 1))
        self.assertEqual(other.sender.send().admitted, 1)
        one.put(award(3))
        with self.assertRaises(arborlog.AnotherWriter):
            one.sender.send()

    def test_a_writer_that_comes_between_signing_and_sending_is_told(self):
        one, other = Platform(self.ledger, "one.db"), Platform(self.ledger, "other.db")
        other.put(award(2))

        def transport(method, *rest):
            if method == "POST":
                one.put(award(1))
                one.sender.send()
            return HttpTransport()(method, *rest)

        with self.assertRaises(arborlog.AnotherWriter):
            Platform(self.ledger, "other.db", transport=transport).sender.send()
        # What was signed can never come in: recover drops it, and it is signed anew.
        self.assertEqual(other.sender.recover(), (0, 1))
        self.assertEqual(other.sender.send().admitted, 1)
        self.assert_once(2)

    def test_a_late_copy_of_a_refused_batch_is_this_outboxs_own(self):
        platform = Platform(self.ledger)
        ids = platform.put(award(1), award(2), award(3))
        late = []

        def transport(method, url, content_type, body, timeout_s):
            answer = HttpTransport()(method, url, content_type, body, timeout_s)
            if method == "POST" and not late:
                # The server admitted it, and the client is told of a refusal that another address gave before.
                late.append(answer)
                problem = {"code": "batch_refused", "refused": [{"position": 1, "code": "balance_short", "detail": ""}]}
                return 422, json.dumps(problem).encode()
            return answer

        platform.sender = Platform(self.ledger, transport=transport).sender
        report = platform.sender.send()
        self.assertEqual(late[0][0], 200)
        self.assertEqual(report.already_in, 3)
        self.assertEqual([platform.outbox.row(one).state for one in ids], ["in"] * 3)
        self.assert_once(3)

    def test_two_senders_of_one_outbox_do_no_harm(self):
        platform = Platform(self.ledger, seal_statements=5)
        platform.put(*(award(event) for event in range(60)))
        failed = []

        def send():
            try:
                Platform(self.ledger, seal_statements=5).sender.send()
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=send) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(failed, [])
        self.assert_once(60)

    def test_a_database_that_was_put_back_is_told_and_recovers_without_doubling(self):
        platform = Platform(self.ledger)
        platform.put(award(1), award(2))
        platform.sender.send()
        backup = platform.path.read_bytes()
        platform.put(award(3), award(4))
        platform.sender.send()
        platform.path.write_bytes(backup)
        platform.put(award(4), award(5))
        with self.assertRaises(arborlog.AnotherWriter):
            platform.sender.send()
        self.assertEqual(platform.sender.recover(), (1, 1))
        self.assertEqual(platform.sender.send().admitted, 1)
        self.assert_once(5)


class Restored(WithServer):
    def test_a_server_put_back_from_an_older_copy_is_told(self):
        platform = Platform(self.ledger)
        platform.put(award(1), award(2))
        platform.sender.send()
        self.ledger.stop()
        self.ledger.copy("backup")
        self.ledger.start()
        platform.put(award(3), award(4))
        platform.sender.send()
        self.ledger.stop()
        self.ledger.put_back("backup")
        self.ledger.start()
        platform.put(award(5))
        with self.assertRaises(arborlog.LogFault) as caught:
            platform.sender.send()
        self.assertEqual((caught.exception.code, caught.exception.outcome), ("log_shrank", "false"))
        self.assertIn("example.org/ledger", caught.exception.kept)
        # Others' records make it as long as before: then it is another log, and that is told too.
        other = Platform(self.ledger, "other.db")
        other.sender.recover()
        for event in range(10, 14):
            other.put(award(event))
            other.sender.send()
        with self.assertRaises(arborlog.LogFault) as caught:
            platform.sender.send()
        self.assertEqual(caught.exception.code, "log_forked")

    def test_a_checkpoint_by_another_key_is_refused(self):
        golden = (HERE.parents[2] / "tests/golden/note/log.vkey").read_text()
        platform = Platform(self.ledger, log=golden)
        platform.put(award(1))
        with self.assertRaises(arborlog.NotVerified) as caught:
            platform.sender.send()
        self.assertEqual(caught.exception.code, "unsigned")


class FalseServers(WithServer):
    """A server, or what stands between, that says nonsense: nothing is noted for it, and the error is one of ours."""

    def test_any_field_of_any_answer_may_be_anything(self):
        platform = Platform(self.ledger)
        platform.put(award("first"))
        platform.sender.send()
        for sealed in (True, False):
            tried, request, dice = 0, 0, random.Random(7)
            while request is not None:
                for change in dice.sample(CHANGES, 10):
                    count, changed = 0, None

                    def transport(method, url, *rest):
                        nonlocal count, changed
                        status, body = HttpTransport()(method, url, *rest)
                        if count == request:
                            changed = url
                            status, body = change(status, body)
                        count += 1
                        return status, body

                    platform.put(*(award(f"{sealed} {tried} {event}") for event in range(2 if sealed else 1)))
                    tried += 1
                    try:
                        Platform(self.ledger, transport=transport, patience_s=3).sender.send()
                    except arborlog.ArborlogError:
                        pass
                    self.assertEqual(platform.outbox.refused(), [])
                platform.sender.send()
                self.assertEqual(platform.outbox.waiting(), 0)
                request = request + 1 if changed else None
        events = self.ledger.evidence()
        self.assertEqual(len(events), len(set(events)))


def _field(path, value):
    """Puts a value in the place of a field of a JSON answer; other answers stay."""
    def change(status, body):
        try:
            answer = json.loads(body)
        except ValueError:
            return status, body
        if path in answer:
            answer[path] = value
        return status, json.dumps(answer).encode()
    return change


CHANGES = [
    *(lambda status, body, given=text: (200, given) for text in (b"", b"null", b"[]", b"7", b"{}", b'{"code": 7}', b"\xff\xfe")),
    lambda status, body: (200, body[: len(body) // 2]), lambda status, body: (422, body),
    lambda status, body: (422, b'{"code": "batch_refused", "refused": [7, {"position": "x"}, {"position": -1}]}'),
    lambda status, body: (409, b'{"code": "sequence_gap"}'), lambda status, body: (404, b"{}"), lambda status, body: (302, b""),
    *(_field(path, value)
      for path in ("next_seq", "prev", "head", "entry", "hashes", "checkpoint", "indexes", "first_index", "seal_index")
      for value in (None, "x", [None], {"index": "x"}, -1)),
]


class Keys(WithServer):
    def test_a_key_without_a_role_waits(self):
        ledger, key = self.ledger, arborlog.Key.generate()
        outbox = arborlog.Outbox(lambda: sqlite3.connect(ledger.path / "new.db"), key.public)
        db = sqlite3.connect(ledger.path / "new.db")
        with db:
            outbox.put(db, award(1))
        db.close()
        with self.assertRaises(arborlog.KeyRefused) as caught:
            arborlog.Sender(outbox, key, ledger.url).send()
        self.assertEqual((caught.exception.code, caught.exception.outcome), ("issuer_unknown", "unchecked"))
        self.assertEqual(outbox.waiting(), 1)

    def test_what_was_signed_on_a_day_that_is_refused_is_signed_anew(self):
        platform = Platform(self.ledger)
        days = int(time.time()) // 86_400
        for away, events in ((-60, (1, 2)), (+9, (3, 4))):
            platform.put(*map(award, events))
            old = Platform(self.ledger, today=lambda day=days + away: day, transport=_no_posts, patience_s=1)
            with self.assertRaises(arborlog.Unanswered):
                old.sender.send()
            self.assertEqual(platform.sender.send().admitted, 2)
        self.assert_once(4)

    def test_a_key_that_is_replaced_hands_over_what_waits(self):
        posted = []

        def transport(method, *rest):
            answer = HttpTransport()(method, *rest)
            if method == "POST":
                posted.append(answer[0])
                raise OSError("the answer is lost")
            return answer

        old = Platform(self.ledger)
        old.put(award(1), award(2))
        with self.assertRaises(arborlog.Unanswered):
            Platform(self.ledger, transport=transport, patience_s=1).sender.send()
        self.assertIn(200, posted)
        ids = old.put(award(3), award(4))
        self.ledger.propose("revoke", "--revoked", self.ledger.key.public.hex(), "--reason", "lost")
        new = Platform(self.ledger, key=self.ledger.another_key("next.pem", "platform", "green-app", "Green App"))
        db = new.connect()
        with self.assertRaises(arborlog.OutboxError):
            new.outbox.take_over(db, old.outbox.issuer)
        # What the old key signed is in, which needs no private key to find out; what waits can't be.
        with self.assertRaises(arborlog.KeyRefused):
            old.sender.send()
        self.assertEqual([old.outbox.row(one).state for one in (1, 2)], ["in", "in"])
        with db:
            self.assertEqual(new.outbox.take_over(db, old.outbox.issuer), 2)
        db.close()
        self.assertEqual(new.sender.send().admitted, 2)
        # An event that the old key spoke of counts once.
        self.assertEqual(new.put(award(1), award(3)), [1, ids[0]])
        self.assert_once(4)

    def test_what_a_revoked_key_signed_and_is_not_in_waits_for_the_next_key(self):
        old = Platform(self.ledger)
        old.put(award(1), award(2))
        with self.assertRaises(arborlog.Unanswered):
            Platform(self.ledger, transport=_no_posts, patience_s=0.5).sender.send()
        self.ledger.propose("revoke", "--revoked", self.ledger.key.public.hex(), "--reason", "lost")
        with self.assertRaises(arborlog.KeyRefused):
            old.sender.send()
        new = Platform(self.ledger, key=self.ledger.another_key("next.pem", "platform", "green-app", "Green App"))
        db = new.connect()
        with db:
            new.outbox.take_over(db, old.outbox.issuer)
        db.close()
        self.assertEqual(new.sender.send().admitted, 2)

    def test_a_planters_plots_go_between_sealed_plantings(self):
        key = self.ledger.another_key("planter.pem", "planter", "grove", "Grove Trust")
        plot = {
            "kind": "plot", "name": "Hill", "country": "US", "area_m2": 62500, "trees_per_ha_max": 400, "funded_by": "Friends",
            "place": {"circle": {"latitude": 377599000, "longitude": -1224147999, "radius_m": 180}},
            "carbon_rights": "none_issued", "for": [],
        }
        planting = {
            "kind": "planting", "species": 1, "first_serial": 1, "count": 5, "planted_from": "2026-03-14",
            "planted_until": "2026-03-14", "evidence_at": "",
        }
        planter = Platform(self.ledger, "planter.db", key=key)
        planter.put(
            plot | {"number": 1}, planting | {"plot": 1, "evidence": "01" * 32},
            planting | {"plot": 1, "first_serial": 6, "evidence": "02" * 32}, plot | {"number": 2},
            planting | {"plot": 2, "evidence": "03" * 32},
        )
        self.assertEqual(planter.sender.send().admitted, 5)
        forms = [self.ledger.get(f"/v1/entries/{planter.outbox.row(one).entry}")["form"] for one in range(1, 6)]
        self.assertEqual(forms, ["signed", "sealed", "sealed", "signed", "signed"])

    def test_a_database_that_is_held_is_busy_and_nothing_is_lost(self):
        platform = Platform(self.ledger)
        platform.put(award(1))
        db = platform.connect()
        db.execute("BEGIN IMMEDIATE")
        with unittest.mock.patch("arborlog.outbox.BUSY_MS", 50), self.assertRaises(arborlog.Unanswered) as caught:
            platform.sender.send()
        self.assertEqual(caught.exception.code, "database_busy")
        db.rollback()
        db.close()
        self.assertEqual(platform.sender.send().admitted, 1)

    def test_a_long_chain_is_recovered_from_bundles(self):
        platform = Platform(self.ledger, seal_statements=100)
        platform.put(*(award(event) for event in range(350)))
        platform.sender.send()
        fresh = Platform(self.ledger, "fresh.db")
        fresh.put(*(award(event) for event in range(300, 360)))
        self.assertEqual(fresh.sender.recover(), (50, 300))
        self.assertEqual(fresh.sender.send().admitted, 10)
        self.assert_once(360)

    def test_a_receipt_of_an_award_holds(self):
        platform = Platform(self.ledger)
        ids = platform.put(award(1), award(2))
        platform.sender.send()
        index = platform.outbox.row(ids[1]).entry
        receipt = HttpTransport()("GET", f"{self.ledger.url}/v1/receipts/{index}", None, None, 10)[1]
        verdict = arborlog.verify_receipt(receipt, self.ledger.log, about=f"receipt/{index}")
        self.assertTrue(verdict, verdict)
        self.assertEqual((verdict.answer["kind"], verdict.answer["index"]), ("award", index))


def _no_posts(method, *rest):
    if method == "POST":
        raise OSError("nothing gets through")
    return HttpTransport()(method, *rest)


if __name__ == "__main__":
    unittest.main()
