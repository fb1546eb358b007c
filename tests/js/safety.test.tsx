/// <reference types="vite/client" />
/** Imported names are text, whatever is in them; nothing of ours can make them more. */
import { describe, expect, it, vi } from "vitest";
import importWidget from "../../src/nbannot/js/widgets/import/index.tsx";
import projectWidget from "../../src/nbannot/js/widgets/project/index.tsx";
import { READY } from "./import-state.ts";
import { makePage } from "./make-page.ts";
import { mountWidget } from "./mount.ts";

const EVIL = `"><img src=x onerror="window.__nbannot_xss=1"><script>window.__nbannot_xss=1</script>`;

const ROOT = "../../src/nbannot/js/";
const SOURCES = import.meta.glob<string>("../../src/nbannot/js/**/*.{ts,tsx,css}", {
	query: "?raw",
	import: "default",
	eager: true,
});

/** Ways to make HTML or code of a string, and ways to the network. */
const SINKS =
	/\b(innerHTML|outerHTML|insertAdjacentHTML|srcdoc|dangerouslySetInnerHTML|document\.write|createContextualFragment|DOMParser|setHTMLUnsafe|eval\(|new Function|fetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts|createObjectURL)/;

describe("sources", () => {
	it.each(Object.keys(SOURCES))("%s makes no HTML of strings and reaches no network", (path) => {
		const source = SOURCES[path] as string;
		expect(source).not.toBe("");
		expect(SINKS.exec(source)?.[0]).toBeUndefined();
		if (path.endsWith(".css")) expect(source).not.toMatch(/url\(|@import/);
		else expect(source).not.toMatch(/\b(href|src|action|formAction)=/);
	});

	it("of components do not know the model", () => {
		const knowing = Object.keys(SOURCES).filter((path) =>
			/AnyModel|RenderProps/.test(SOURCES[path] as string),
		);
		expect(knowing.map((path) => path.replace(ROOT, "")).sort()).toEqual([
			"shared/model.ts",
			"shared/rpc.ts",
			"widgets/import/index.tsx",
			"widgets/project/index.tsx",
		]);
	});

	it("stay small enough to read", () => {
		const long = Object.entries(SOURCES).filter(([, text]) => text.split("\n").length > 400);
		expect(long.map(([path]) => path).filter((path) => !path.endsWith(".css"))).toEqual([]);
	});
});

/** Replace every string of a state, deeply, but those that steer. */
function poison<T>(value: T, keep: Set<string>, key = ""): T {
	if (typeof value === "string") return (keep.has(key) ? value : `${EVIL}${value}`) as T;
	if (Array.isArray(value)) return value.map((one) => poison(one, keep, key)) as T;
	if (value && typeof value === "object") {
		return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, poison(v, keep, k)])) as T;
	}
	return value;
}

function expectText(el: HTMLElement) {
	expect(el.querySelectorAll("img, script, iframe, object, embed, link, style")).toHaveLength(0);
	const attributes = [...el.querySelectorAll("*")].flatMap((node) => node.getAttributeNames());
	expect(attributes.filter((name) => name.startsWith("on"))).toEqual([]);
	expect((window as unknown as Record<string, unknown>).__nbannot_xss).toBeUndefined();
}

const evilPage = () =>
	makePage(
		[
			{
				key: EVIL,
				note: EVIL,
				task: EVIL,
				kind: EVIL,
				text: EVIL,
				shapes: [{ type: "tag", label: 0 }],
			},
		],
		{
			labels: [{ name: EVIL, color: EVIL, points: null, edges: [] }],
			rows: [{ index: 0, label: EVIL, type: EVIL, text: EVIL, attributes: [[EVIL, EVIL]] }],
		},
	);

describe("hostile strings", () => {
	const keep = new Set(["state", "kind", "action", "target", "mode", "media", "outcome"]);

	it.each(["empty", "unrecognised", "ready", "importing", "done", "error"] as const)(
		"stay text on the import screen: %s",
		async (state) => {
			const poisoned = poison(
				{ ...READY, error: { type: "", message: "m", where: "w", hint: "h" } },
				keep,
			);
			const { fake, el, all } = mountWidget(importWidget, { ...poisoned, state } as never);
			if (fake.calls("page").length) {
				const { header, buffers } = evilPage();
				fake.answer("page", header, buffers);
			}
			for (const summary of all("summary")) summary.click();
			await vi.waitFor(() => expect(el.textContent).toContain(EVIL));
			expectText(el);
		},
	);

	it("stay text in the gallery, also enlarged", async () => {
		const summary = {
			name: EVIL,
			path: EVIL,
			items: 1,
			annotations: 1,
			tasks: [{ id: 1, name: EVIL, items: 1, annotations: 1 }],
			labels: [{ name: EVIL, color: EVIL, count: 1, items: 1 }],
			layers: [],
			requests: [
				{
					id: 1,
					title: EVIL,
					when: EVIL,
					added: EVIL,
					undone: false,
					read: 1,
					imported: 1,
					warned: 0,
					rejected: 0,
				},
			],
		};
		const state = {
			task: "",
			label: "",
			layer: "",
			start: 0,
			page_size: 24,
			total: 1,
			revision: 1,
			can_undo: false,
			can_redo: false,
			summary,
		};
		const { fake, el, all } = mountWidget(projectWidget, state as never);
		const { header, buffers } = evilPage();
		await vi.waitFor(() => fake.answer("page", header, buffers));
		await vi.waitFor(() => expect(all("button.nbannot-tile")).toHaveLength(1));
		all("button.nbannot-tile")[0]?.click();
		await vi.waitFor(() => fake.answer("item", header, buffers));
		all("summary")[0]?.click();
		await vi.waitFor(() => expect(all(".nbannot-requests li")).toHaveLength(1));
		expectText(el);
	});

	it("do not reach the prototype of objects", async () => {
		const mapping = JSON.parse('{"__proto__": {"nbannot_polluted": true}}');
		const { choose } = mountWidget(importWidget, { ...READY, mapping } as never);
		await choose("combobox", "What becomes of cat", "drop");
		expect(({} as Record<string, unknown>).nbannot_polluted).toBeUndefined();
	});
});
