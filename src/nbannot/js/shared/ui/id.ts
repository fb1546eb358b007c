import { useState } from "preact/hooks";

// Several widgets, each with its own copy of this module, share one document: a plain counter
// (or Preact's useId) would give two of them the same id, and their radio groups would mix.
const here = Math.random().toString(36).slice(2, 8);
let counter = 0;

/** An id that is unique in the document, and stays the same for a component. */
export function useUid(): string {
	return useState(() => `nbannot-${here}-${counter++}`)[0];
}
