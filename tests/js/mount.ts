/** A widget in a page, with a Python that the test plays. */
import { afterEach, vi } from "vitest";
import { FakeModel } from "./fake-model.ts";

interface Widget {
	render(props: never): void;
}

const mounted: (() => void)[] = [];
afterEach(() => {
	for (const leave of mounted.splice(0)) leave();
	document.body.replaceChildren();
});

export function mountWidget<T extends Record<string, unknown>>(widget: Widget, state: T) {
	const fake = new FakeModel(state);
	return { fake, ...mountView(widget, fake) };
}

/** One more view of a model. */
export function mountView<T extends Record<string, unknown>>(widget: Widget, fake: FakeModel<T>) {
	const el = document.createElement("div");
	document.body.append(el);
	const life = new AbortController();
	widget.render({ model: fake.model, el, signal: life.signal } as never);
	mounted.push(() => life.abort());
	return { el, leave: () => life.abort(), ...asker(el) };
}

/** Ways to find things as a user does: by role and name, by text. */
export function asker(el: HTMLElement) {
	const all = (selector: string) => [...el.querySelectorAll<HTMLElement>(selector)];
	const nameOf = (node: HTMLElement) =>
		node.getAttribute("aria-label") ??
		((node as HTMLInputElement).labels?.[0]?.textContent || node.textContent || "").trim();
	const ROLES: Record<string, string> = {
		button: "button:not([role])",
		radio: "input[type=radio]",
		checkbox: "input[type=checkbox]",
		combobox: "select, [role=combobox]",
		alert: "[role=alert]",
		tab: "[role=tab]",
		progressbar: "[role=progressbar]",
		region: "section[aria-label]",
		status: "[role=status]",
	};
	const find = (role: string, name: string | RegExp = "") =>
		all(ROLES[role] ?? role).filter((node) =>
			typeof name === "string" ? nameOf(node).includes(name) : name.test(nameOf(node)),
		);
	const get = <E extends HTMLElement = HTMLElement>(
		role: string,
		name: string | RegExp = "",
	): E => {
		const [found] = find(role, name);
		if (!found) throw new Error(`no ${role} "${name}" in: ${el.textContent}`);
		return found as E;
	};
	return {
		all,
		find,
		get,
		text: () => el.textContent ?? "",
		/** Wait until it is there. */
		see: (role: string, name: string | RegExp = "") => vi.waitFor(() => get(role, name)),
		seeText: (text: string) =>
			vi.waitFor(() => {
				if (!el.textContent?.includes(text)) throw new Error(`no "${text}" in: ${el.textContent}`);
			}),
		click: (role: string, name: string | RegExp = "") => get(role, name).click(),
		async choose(role: string, name: string | RegExp, value: string) {
			const select = get<HTMLSelectElement>(role, name);
			select.value = value;
			select.dispatchEvent(new Event("change", { bubbles: true }));
		},
	};
}

export function press(key: string, target: Element | null = document.activeElement): void {
	target?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}

/** Let Preact render what was just changed. */
export const rendered = () => new Promise((resolve) => setTimeout(resolve));
