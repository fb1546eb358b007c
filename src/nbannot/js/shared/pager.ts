/** Pages by key: the one shown, its neighbours fetched ahead, the rest forgotten. */
import type { LoadedPage } from "./pictures.ts";

interface Entry {
	loaded: Promise<LoadedPage>;
	abort: AbortController;
	done: boolean;
}

/**
 * Loads pages once and keeps the few used last.
 *
 * A page still on its way is cancelled when it falls out, and its bitmaps are closed: nothing
 * it made outlives it.
 */
export class Pager {
	#entries = new Map<string, Entry>();
	#capacity: number;

	constructor(capacity = 4) {
		this.#capacity = capacity;
	}

	/** Return the page of `key`, from memory or through `load`. */
	get(key: string, load: (signal: AbortSignal) => Promise<LoadedPage>): Promise<LoadedPage> {
		let entry = this.#entries.get(key);
		if (entry)
			this.#entries.delete(key); // and in again below: the newest is last
		else {
			const abort = new AbortController();
			entry = { loaded: load(abort.signal), abort, done: false };
			const made = entry;
			made.loaded.then(
				() => {
					made.done = true;
				},
				// A page that failed is asked for anew the next time.
				() => this.#entries.get(key) === made && this.#entries.delete(key),
			);
		}
		this.#entries.set(key, entry);
		return entry.loaded;
	}

	/** Forget the oldest pages beyond the capacity, never those in `keep`. */
	trim(keep: string[]): void {
		for (const key of [...this.#entries.keys()]) {
			if (this.#entries.size <= this.#capacity) return;
			if (!keep.includes(key)) this.#drop(key);
		}
	}

	/** Forget all but `keep`. */
	clear(keep: string[] = []): void {
		for (const key of [...this.#entries.keys()]) if (!keep.includes(key)) this.#drop(key);
	}

	#drop(key: string): void {
		const entry = this.#entries.get(key);
		this.#entries.delete(key);
		if (!entry) return;
		if (!entry.done) entry.abort.abort();
		entry.loaded.then(
			(page) => page.close(),
			() => undefined,
		);
	}
}
