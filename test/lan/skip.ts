/** How a suite says that it cannot run here: clearly, and without failing. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const BUILT_CORE = fileURLToPath(new URL('../../../core/dist/main.js', import.meta.url));

/** A mocha hook that skips its suite, with the word for why, where something is missing. */
export function skipIf(
  missing: () => Promise<string | undefined> | string | undefined,
): (this: Mocha.Context) => Promise<void> {
  return async function hook(this: Mocha.Context): Promise<void> {
    const word = await missing();
    if (word === undefined) return;
    process.stdout.write(`    ${word}\n`);
    this.skip();
  };
}

/** What is missing of the product itself, which the build before the tests makes. */
export function missingProduct(): string | undefined {
  return existsSync(BUILT_CORE) ? undefined : 'skipped: needs the built core (npm run build)';
}
