// The verifier is src/web/verifier of this repository, by a link: one verifier, in one place. A package can't have links, so
// they are copies while it is packed: `copy` before (prepack), `link` after (postpack).

import { cpSync, lstatSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LINKS = { 'src/verifier': '../../../src/web/verifier', LICENSE: '../../LICENSE' };
const [, , work] = process.argv;

for (const [name, target] of Object.entries(LINKS)) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  const isLink = lstatSync(path).isSymbolicLink();
  if (work === 'copy' && isLink) {
    const from = realpathSync(path);
    rmSync(path);
    cpSync(from, path, { recursive: true });
  } else if (work === 'link' && !isLink) {
    rmSync(path, { recursive: true });
    symlinkSync(target, path);
  }
}
