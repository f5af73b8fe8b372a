// The log as a writer sees it: it extends what was acknowledged, and the key's chain in it continues where it must.

import { KeyRefused, LogFault, NotVerified, RequestRefused } from './errors.js';
import { readSignedEntry, recordId } from './records.js';
import { decoded, hashOf, hashesOf, whole } from './remote.js';
import { Refused, equal, hex } from './verifier/codec.mjs';
import { LOG, openCheckpoint, parseVkey, readCheckpoint } from './verifier/note.mjs';
import { checkConsistency, leafHash, rootByPath } from './verifier/tree.mjs';

const WALK_MAX = 65_536;
const BUNDLE = 256;

// A server showed a smaller log than one that was acknowledged: it lags, or was put back from an older copy.
export class Behind extends Error {
  constructor(kept, shown) {
    super(`the log has ${shown.size} entries, and had ${kept.size}`);
    this.fault = () => new LogFault('log_shrank', `the log lost what it acknowledged: ${this.message}`, kept.note, shown.note);
  }
}

// Looks at the log for one key. `checkNote` throws if a checkpoint is not signed as it must be.
export class Chain {
  #remote;
  #outbox;
  #checkNote;

  constructor(remote, outbox, checkNote) {
    this.#remote = remote;
    this.#outbox = outbox;
    this.#checkNote = checkNote;
  }

  // The checkpoint that the next one must extend, or null. Ask for it before the request: another sender of the same
  // outbox may note a newer one meanwhile.
  kept() {
    const head = this.#outbox.head();
    return head && readCheckpoint(head.checkpoint);
  }

  // Takes a checkpoint that extends the one that was kept; gives it.
  async advance(note, kept) {
    let shown;
    try {
      shown = readCheckpoint(note);
    } catch (error) {
      throw new LogFault('checkpoint_malformed', `what the server gave as its checkpoint is none: ${error.message}`, null, note);
    }
    await this.#checkNote(note);
    if (kept && shown.origin !== kept.origin) {
      throw new RequestRefused('other_log', `the server's log is ${shown.origin}, the outbox is of ${kept.origin}`, 'check the address');
    }
    if (kept) {
      await this.#checkExtends(kept, shown);
      this.#outbox.seen(note);
    }
    return shown;
  }

  // The newest checkpoint of the first address whose log is not behind what was acknowledged.
  async newest() {
    let behind;
    for (let tries = 0; tries < 2 * this.#remote.places; tries += 1) {
      const kept = this.kept();
      try {
        return await this.advance(await this.#remote.checkpoint(), kept);
      } catch (error) {
        if (!(error instanceof Behind)) throw error;
        behind = error;
        this.#remote.turn();
      }
    }
    throw behind.fault();
  }

  // Where the key's chain ends by the server's word: the next seq, prev, the index of its last entry and of its
  // revocation, or null.
  async tail() {
    const said = await this.#remote.json(`/v1/issuers/${hex(this.#outbox.issuer)}`);
    if (said === null) throw new KeyRefused('issuer_unknown', 'the ledger does not know this key', 'have governors grant it a role');
    const { next_seq: nextSeq, prev, head = null, revoked_at: revokedAt = null } = said;
    return {
      nextSeq: whole(nextSeq, 'next_seq'), prev: hashOf(prev || '00'.repeat(32), 'prev'),
      index: head === null ? null : whole(head.index, "the head's index"),
      revokedAt: revokedAt === null ? null : whole(revokedAt, 'revoked_at'),
    };
  }

  // A signed entry of the key at this index, proven to be in the log of the checkpoint.
  async ownEntry(index, checkpoint) {
    const said = await this.#remote.json(`/v1/entries/${index}`);
    const proof = await this.#remote.json(`/v1/proofs/inclusion?index=${index}&size=${checkpoint.size}`);
    const fault = (code, what) => new LogFault(code, what, null, checkpoint.note);
    if (said === null || proof === null) throw fault('entry_missing', `the log does not give entry ${index}`);
    const bytes = decoded(said.entry);
    let root;
    try {
      root = await rootByPath(await leafHash(bytes), BigInt(index), checkpoint.size, hashesOf(proof));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    if (!root || !equal(root, checkpoint.root)) throw fault('not_included', `entry ${index} is not in the log that the checkpoint is of`);
    const entry = readSignedEntry(bytes);
    if (entry === null || !equal(entry.issuer, this.#outbox.issuer)) throw fault('entry_wrong', `entry ${index} is no record of this key`);
    return { ...entry, index, id: await recordId(checkpoint.origin, entry.record) };
  }

  // The key's entries from `index` back to the one of `seq`, the newest first. Each names the one before it.
  async walkBack(index, seq, checkpoint) {
    if (index === null) throw new RequestRefused('answer_malformed', 'the server counts records of the key, and names no entry of one');
    const found = [];
    let [at, next] = [index, null];
    while (found.length < WALK_MAX) {
      this.#remote.begin();
      const entry = await this.ownEntry(at, checkpoint);
      if (next && (entry.seq !== next.seq - 1 || !equal(entry.id, next.prev))) {
        throw new LogFault('chain_broken', `entry ${at} is not the record that the next one names`, null, checkpoint.note);
      }
      found.push(entry);
      if (entry.seq <= seq || entry.before === null) return found;
      [at, next] = [entry.before, entry];
    }
    throw new RequestRefused('chain_too_long', `the log has more than ${WALK_MAX} records of this key that are not known`);
  }

  // The bytes of these entries of a log of this size, from its bundles of 256; nothing of them is proven yet.
  async entries(start, end, size) {
    const found = [];
    for (let number = Math.floor(start / BUNDLE); number * BUNDLE < end; number += 1) {
      this.#remote.begin();
      const width = Math.min(BUNDLE, Number(size) - number * BUNDLE);
      let bytes = await this.#remote.bytes(`/tile/entries/${bundleName(number)}${width < BUNDLE ? `.p/${width}` : ''}`);
      for (let index = number * BUNDLE; index < number * BUNDLE + width; index += 1) {
        const length = bytes.length < 2 ? 0 : bytes[0] * 256 + bytes[1];
        if (index >= start && index < end) found.push(bytes.subarray(2, 2 + length));
        bytes = bytes.subarray(2 + length);
      }
    }
    return found;
  }

  async #checkExtends(kept, shown) {
    if (kept.size === shown.size && equal(kept.root, shown.root)) return;
    if (shown.size < kept.size) throw new Behind(kept, shown);
    let path = [];
    if (shown.size > kept.size) {
      const said = await this.#remote.json(`/v1/proofs/consistency?from=${kept.size}&to=${shown.size}`);
      if (said === null) throw new RequestRefused('proof_missing', `the server gives no proof from size ${kept.size} to ${shown.size}`);
      path = hashesOf(said);
    }
    try {
      await checkConsistency(kept.size, kept.root, shown.size, shown.root, path);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const what = `the log of ${shown.size} entries does not extend the one of ${kept.size} that it showed before`;
      throw new LogFault('log_forked', what, kept.note, shown.note);
    }
  }
}

// A function that throws if a checkpoint is not signed by this log.
export function checkpointChecker(log) {
  const pinned = parseVkey(log, LOG);
  pinned.catch(() => {});
  return async (note) => {
    const vkey = await pinned.catch((error) => {
      throw new RequestRefused('vkey_malformed', `${log} is no verifier key: ${error.message}`);
    });
    try {
      await openCheckpoint(note, vkey);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.outcome === 'false') throw new LogFault(error.code, error.message, null, note);
      throw new NotVerified(error.code, error.message, 'is the key that of this log, and in force?');
    }
  };
}

// A bundle's number as paths have it: three digits a part, all but the last behind an x.
export function bundleName(number) {
  const part = (rest) => String(rest % 1000).padStart(3, '0');
  const parts = [part(number)];
  for (let rest = Math.floor(number / 1000); rest > 0; rest = Math.floor(rest / 1000)) parts.unshift(`x${part(rest)}`);
  return parts.join('/');
}
