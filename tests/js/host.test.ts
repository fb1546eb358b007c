import { describe, expect, it } from "vitest";
import { keepKeys } from "../../src/nbannot/js/shared/host.ts";

describe("keys typed in a widget", () => {
	const life = new AbortController();
	const el = document.createElement("div");
	const button = document.createElement("button");
	const outside = document.createElement("button");
	el.append(button);
	document.body.append(el, outside);
	keepKeys(el, life.signal);

	/** Does a host that listens on the document, capturing as Notebook 7 does, spare this key? */
	function spared(target: Element, init: KeyboardEventInit): boolean {
		let found = false;
		const host = () => {
			found = target.hasAttribute("data-lm-suppress-shortcuts");
		};
		document.addEventListener("keydown", host, { capture: true, once: true });
		target.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, ...init }));
		return found;
	}

	it("are not commands of the notebook", () => {
		expect(spared(button, { key: "d" })).toBe(true);
		expect(spared(button, { key: "Enter", shiftKey: true })).toBe(true);
	});

	it("with Ctrl, Alt or Meta are", () => {
		expect(spared(button, { key: "s", ctrlKey: true })).toBe(false);
		expect(spared(button, { key: "s", metaKey: true })).toBe(false);
	});

	it("elsewhere are none of our business, nor after the view is gone", () => {
		expect(spared(outside, { key: "d" })).toBe(false);
		life.abort();
		button.removeAttribute("data-lm-suppress-shortcuts");
		expect(spared(button, { key: "d" })).toBe(false);
	});
});
