/**
 * What a program wrote, bounded, and its lines as they come.
 *
 * A chatty program must not fill the lab's memory: only the last {@link MAX_TEXT_LENGTH}
 * characters are kept, and a line longer than that is cut.
 */

/** Characters kept per stream: enough for the JSON of a whole registry answer in a report. */
const MAX_TEXT_LENGTH = 4 * 1024 * 1024;

export class Transcript {
  #text = '';
  #partialLine = '';
  readonly #listeners = new Set<(line: string) => void>();

  get text(): string {
    return this.#text;
  }

  append(chunk: string): void {
    this.#text = (this.#text + chunk).slice(-MAX_TEXT_LENGTH);
    const lines = (this.#partialLine + chunk).split('\n');
    this.#partialLine = (lines.pop() ?? '').slice(-MAX_TEXT_LENGTH);
    for (const line of lines) for (const listener of [...this.#listeners]) listener(line);
  }

  /** Calls `listener` for every line, those already kept included; returns how to stop that. */
  follow(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    const complete = this.#text.split('\n').slice(0, -1);
    for (const line of complete) listener(line);
    return () => void this.#listeners.delete(listener);
  }
}
