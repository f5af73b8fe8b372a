export interface Verdict {
  /** `unchecked`: nothing was found wrong, and nothing is proven. */
  outcome: 'holds' | 'false' | 'unchecked' | 'not_that_kind';
  exitCode: 0 | 1 | 3 | 4;
  /** Why it does not hold: a stable name, and words. */
  code: string | null;
  what: string | null;
  /** If it holds: the entry with its statement, its index, the checkpoint, what is shown of the state, and who saw it. */
  proven: any;
}

export interface VerifyOptions {
  /** The log's verifier key: needed where `policy` names no log. */
  log?: string | null;
  /** A text that c2sp.org/tlog-policy reads; `proven.policy` says who of it cosigned. */
  policy?: string | null;
  /** The id of the genesis, hexadecimal. */
  genesis?: string | null;
  /** Verifier keys whose cosignature must be there. */
  witnesses?: string[];
  /**
   * What the file must be about: `receipt/12`, `certificate/33258`, `account/…`, `account-history/…`, as docs/format.md, 13.6, has
   * them. A true file about something else is `about_other` (`false`), one with a part of a history `about_part` (`unchecked`).
   */
  about?: string | null;
}

/** Verifies a `.tlog-proof` file offline: its bytes as they are, or its text. Works in browsers too. */
export function verifyReceipt(file: Uint8Array | string, options: VerifyOptions): Promise<Verdict>;
