// A ledger's server, at one address or several: the same bytes again elsewhere, until there is an answer or no time.

import { RequestRefused, Unanswered } from './errors.js';
import { fetchTransport } from './transport.js';
import { fromBase64, fromHex } from './verifier/codec.mjs';

const ATTEMPT_MS = 5_000;
const PATIENCE_MS = 60_000;
const PAUSE_MAX_MS = 2_000;
// What another attempt may cure. Any other status is an answer.
const PASSING = new Set([408, 425, 429]);

const wait = (ms) => new Promise((resolve) => {
  setTimeout(resolve, ms);
});

// Asks the addresses in turn, beginning with the one that answered last.
export class Remote {
  #addresses;
  #transport;
  #attemptMs;
  #patienceMs;
  #deadline = 0;

  constructor(addresses, { transport = fetchTransport, attemptMs = ATTEMPT_MS, patienceMs = PATIENCE_MS } = {}) {
    const all = [addresses].flat();
    if (all.length === 0 || !all.every((address) => /^https?:\/\//.test(address))) {
      throw new RequestRefused('address_malformed', `${all}: an address begins with https:// or http://`);
    }
    this.#addresses = all.map((address) => address.replace(/\/+$/, ''));
    this.#transport = transport;
    this.#attemptMs = attemptMs;
    this.#patienceMs = patienceMs;
    this.begin();
  }

  // How many addresses there are.
  get places() {
    return this.#addresses.length;
  }

  // From now on there is the whole patience again.
  begin() {
    this.#deadline = performance.now() + this.#patienceMs;
  }

  // Another address is asked first from now on: this one lags.
  turn() {
    this.#addresses.push(this.#addresses.shift());
  }

  // Status and body of the first answer that is one.
  async ask(method, path, contentType = null, body = undefined) {
    let [pause, why] = [100, 'no attempt was made'];
    for (let tries = 1; ; tries += 1) {
      const left = this.#deadline - performance.now();
      if (left <= 0) throw new Unanswered('unanswered', `no address answered in time, the last one with: ${why}`, 'try again later');
      try {
        const answer = await this.#transport(method, this.#addresses[0] + path, contentType, body, Math.min(this.#attemptMs, left));
        if (answer.status < 500 && !PASSING.has(answer.status)) return answer;
        why = `status ${answer.status}, ${problemOf(answer.body).code ?? 'no code'}`;
      } catch (error) {
        why = `${error.message}${error.cause?.message ? `: ${error.cause.message}` : ''}`;
      }
      this.turn();
      if (tries % this.#addresses.length === 0) {
        await wait(Math.max(0, Math.min(pause, this.#deadline - performance.now())));
        pause = Math.min(2 * pause, PAUSE_MAX_MS);
      }
    }
  }

  // The JSON object at a path, or null where there is no such thing (404).
  async json(path) {
    const { status, body } = await this.ask('GET', path);
    if (status === 404) return null;
    if (status !== 200) throw refused(status, body);
    return jsonObject(body);
  }

  // The bytes at a path.
  async bytes(path) {
    const { status, body } = await this.ask('GET', path);
    if (status !== 200) throw refused(status, body);
    return body;
  }

  // The newest commit's checkpoint. Where a policy is in force, what stands at /checkpoint is older: it waits for
  // cosignatures. A server that has no such address has the newest at /checkpoint.
  async checkpoint() {
    const { status, body } = await this.ask('GET', '/v1/checkpoint');
    if (status !== 200 && status !== 404) throw refused(status, body);
    return new TextDecoder().decode(status === 200 ? body : await this.bytes('/checkpoint'));
  }
}

// A problem document, or {} for what is none.
export function problemOf(body) {
  try {
    const value = JSON.parse(new TextDecoder().decode(body));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

export function refused(status, body) {
  const { code, detail, advice } = problemOf(body);
  return new RequestRefused(String(code ?? `status_${status}`), String(detail ?? `status ${status}`), String(advice ?? ''));
}

export function jsonObject(body) {
  const value = problemOf(body);
  if (Object.keys(value).length > 0) return value;
  throw malformed('the answer is no JSON object');
}

const malformed = (what) => new RequestRefused('answer_malformed', what, "is the address that of a ledger's server?");

// A number of an answer that an index, a size or a seq can be.
export function whole(value, what) {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed(`${what} is ${JSON.stringify(value)}`);
}

// 32 bytes that an answer has in hexadecimal.
export function hashOf(value, what) {
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return fromHex(value);
  throw malformed(`${what} is ${JSON.stringify(value)}`);
}

// The hashes of a proof.
export function hashesOf({ hashes }) {
  if (Array.isArray(hashes)) return hashes.map(decoded);
  throw malformed('a proof has no hashes');
}

// The bytes of base64 in an answer.
export function decoded(value) {
  try {
    return fromBase64(String(value), 'a part of the answer');
  } catch {
    throw malformed('a part of the answer is no base64');
  }
}
