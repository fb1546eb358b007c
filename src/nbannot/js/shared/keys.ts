/** Moving focus in lists and grids with the keyboard (one tab stop, arrows inside). */

/** Return the index that `key` moves to, or null where the key moves nothing. */
export function moved(key: string, index: number, size: number, columns = 1): number | null {
	const step: Record<string, number> = {
		ArrowDown: columns,
		ArrowUp: -columns,
		...(columns > 1 ? { ArrowRight: 1, ArrowLeft: -1 } : {}),
	};
	if (size === 0) return null;
	if (key === "Home") return 0;
	if (key === "End") return size - 1;
	const by = step[key];
	if (by === undefined) return null;
	const next = index + by;
	return next < 0 || next >= size ? null : next;
}

/** How many children lie in the first row of a CSS grid, as the browser laid it out. */
export function columnsOf(grid: HTMLElement): number {
	const children = [...grid.children] as HTMLElement[];
	const first = children[0];
	if (!first) return 1;
	const next = children.findIndex((child) => child.offsetTop > first.offsetTop);
	return next > 0 ? next : children.length;
}

/** Collects the letters typed within a second and finds the next name that begins with them. */
export class TypeAhead {
	#typed = "";
	#last = 0;

	/** Return the index to move to, or null where nothing fits. */
	find(letter: string, names: string[], from: number, now = performance.now()): number | null {
		if (now - this.#last > 1000) this.#typed = "";
		this.#last = now;
		this.#typed += letter.toLowerCase();
		// One letter again and again goes through the names that begin with it.
		const repeated = [...this.#typed].every((c) => c === this.#typed[0]);
		const prefix = repeated ? (this.#typed[0] as string) : this.#typed;
		const skip = repeated ? 1 : 0;
		for (let i = 0; i < names.length; i++) {
			const at = (from + skip + i) % names.length;
			if (names[at]?.toLowerCase().startsWith(prefix)) return at;
		}
		return null;
	}
}
