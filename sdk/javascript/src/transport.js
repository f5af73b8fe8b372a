// HTTP by fetch. A transport is a function; another one can take its place:
//
//     transport(method, url, contentType, body, timeoutMs) -> { status, body }
//
// It follows no redirects, ends within the time given, and throws where no whole answer came.

const ANSWER_BYTES_MAX = 16 << 20;

export async function fetchTransport(method, url, contentType, body, timeoutMs) {
  const signal = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
  const headers = contentType ? { 'content-type': contentType } : {};
  const answer = await fetch(url, { method, headers, body, redirect: 'manual', signal });
  const parts = [];
  let length = 0;
  // The signal ends the body too, also one that comes byte by byte.
  for await (const part of answer.body ?? []) {
    length += part.length;
    if (length > ANSWER_BYTES_MAX) throw new Error('the answer is too long');
    parts.push(part);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return { status: answer.status, body: whole };
}
