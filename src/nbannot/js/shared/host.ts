/** Getting along with the notebook around us. */

const SUPPRESS = "data-lm-suppress-shortcuts";

/**
 * Keep keys that are typed in `el` from being commands of JupyterLab and Notebook.
 *
 * In command mode "d d" deletes the cell and arrows leave it, also while a button of its output
 * has the focus. Lumino spares an element with this attribute, but only looks for it from the
 * focused element up to the first one its selector matches, and that is the focused one itself.
 * So the attribute is set there, just before Lumino hears of the key (which Notebook 7 does
 * capturing). With Ctrl, Alt or Meta it is a command: Ctrl S still saves.
 */
export function keepKeys(el: HTMLElement, lifetime: AbortSignal): void {
	const onKeyDown = ({ target, ctrlKey, altKey, metaKey }: KeyboardEvent) => {
		if (!(target instanceof Element) || !el.contains(target)) return;
		target.toggleAttribute(SUPPRESS, !(ctrlKey || altKey || metaKey));
	};
	window.addEventListener("keydown", onKeyDown, { capture: true, signal: lifetime });
}
