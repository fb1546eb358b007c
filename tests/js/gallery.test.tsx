import { describe, expect, it, vi } from "vitest";
import widget from "../../src/nbannot/js/widgets/project/index.tsx";
import { makePage } from "./make-page.ts";
import { mountWidget, press, rendered } from "./mount.ts";

const STATE = {
	task: "",
	label: "",
	layer: "",
	start: 0,
	page_size: 4,
	total: 10,
	revision: 1,
	can_undo: true,
	can_redo: false,
	summary: {
		name: "pets",
		path: "/home/ada/pets.nbannot",
		items: 10,
		annotations: 12,
		tasks: [
			{ id: 1, name: "train", items: 8, annotations: 9 },
			{ id: 2, name: "val", items: 2, annotations: 3 },
		],
		labels: [{ name: "cat", color: "#ff0000", count: 12, items: 7 }],
		layers: [{ name: "ground truth", kind: "truth", count: 12 }],
		requests: [
			{
				id: 2,
				title: "Import coco",
				when: "2026-11-20T21:31:02",
				added: 10,
				undone: false,
				read: 22,
				imported: 20,
				warned: 1,
				rejected: 1,
			},
			{
				id: 1,
				title: "Import old",
				when: "long ago",
				added: "2 items",
				undone: true,
				read: 2,
				imported: 2,
				warned: 0,
				rejected: 0,
			},
		],
	},
};

const answerFor = (start: number, count = Math.min(4, 10 - start)) =>
	makePage(
		Array.from({ length: count }, () => ({
			shapes: [
				{ type: "box" as const, label: 0, box: [1, 1, 5, 5] as [number, number, number, number] },
			],
		})),
		{ start, total: 10 },
	);

function show(state: Partial<typeof STATE> = {}) {
	const shown = mountWidget(widget, { ...STATE, ...state } as never);
	const { fake } = shown;
	const asked = () => fake.calls("page").map(({ params }) => params.start);
	const answer = (start: number) => {
		const call = fake.calls("page").findLast(({ params }) => params.start === start);
		const { header, buffers } = answerFor(start);
		fake.reply({ kind: "result", id: call?.id, result: header }, buffers);
	};
	const tiles = () => shown.all("button.nbannot-tile");
	const keys = () => tiles().map((tile) => tile.title);
	return { ...shown, asked, answer, tiles, keys };
}

/** A gallery whose first page is there. */
async function showFirst(state: Partial<typeof STATE> = {}) {
	const shown = show(state);
	await vi.waitFor(() => expect(shown.asked()).toContain(0));
	shown.answer(0);
	await vi.waitFor(() => expect(shown.tiles()).toHaveLength(4));
	return shown;
}

describe("pages", () => {
	it("keep a place for what comes, then show it", async () => {
		const { all, answer, asked, keys } = show();
		await vi.waitFor(() => expect(asked()).toEqual([0]));
		expect(all(".nbannot-skeleton")).toHaveLength(4);
		answer(0);
		await vi.waitFor(() =>
			expect(keys()).toEqual(["images/0.jpg", "images/1.jpg", "images/2.jpg", "images/3.jpg"]),
		);
	});

	it("fetch the next one ahead, and show it without asking again", async () => {
		const { fake, asked, answer, keys, click } = await showFirst();
		await vi.waitFor(() => expect(asked()).toEqual([0, 4]));
		answer(4);
		click("button", "Next page");
		expect(fake.get("start" as never)).toBe(4);
		await vi.waitFor(() => expect(keys()[0]).toBe("images/4.jpg"));
		expect(asked()).toEqual([0, 4, 8]);
	});

	it("keep the old items until the new ones are there", async () => {
		const { answer, asked, keys, click, all } = await showFirst();
		await vi.waitFor(() => expect(asked()).toEqual([0, 4]));
		click("button", "Next page");
		await rendered();
		expect(all(".nbannot-grid")[0]?.getAttribute("aria-busy")).toBe("true");
		expect(keys()[0]).toBe("images/0.jpg");
		answer(4);
		await vi.waitFor(() => expect(keys()[0]).toBe("images/4.jpg"));
	});

	it("keep the height on the last one, which has fewer", async () => {
		const { answer, asked, tiles, all } = show({ start: 8 });
		await vi.waitFor(() => expect(asked()).toEqual([8]));
		answer(8);
		await vi.waitFor(() => expect(tiles()).toHaveLength(2));
		expect(all(".nbannot-spacer")).toHaveLength(2);
	});

	it("are measured from the click until they are painted", async () => {
		performance.clearMeasures("nbannot-page");
		const { all } = await showFirst();
		await vi.waitFor(() => expect(all(".nbannot-grid")[0]?.dataset.pageReady).toBe("0"));
		expect(performance.getEntriesByName("nbannot-page")).toHaveLength(1);
	});

	it("are fetched again when the project changed, from the first when a filter did", async () => {
		const { fake, asked, choose } = await showFirst();
		await vi.waitFor(() => expect(asked()).toEqual([0, 4]));
		fake.set("revision" as never, 2 as never);
		await vi.waitFor(() => expect(asked()).toEqual([0, 4, 0]));
		fake.set("start" as never, 4 as never);
		await choose("combobox", "Label", "cat");
		expect(fake.get("start" as never)).toBe(0);
		await vi.waitFor(() =>
			expect(fake.calls("page").at(-1)?.params).toMatchObject({ label: "cat", start: 0 }),
		);
	});

	it("say what went wrong, and try again", async () => {
		const { fake, asked, see, click, answer, tiles } = show();
		await vi.waitFor(() => expect(asked()).toEqual([0]));
		const id = fake.calls("page")[0]?.id;
		fake.reply({
			kind: "error",
			id,
			type: "X",
			message: "The file is gone",
			where: "a.jpg",
			hint: "Put it back.",
		});
		expect((await see("alert")).textContent).toContain("The file is gone");
		click("button", "Try again");
		await vi.waitFor(() => expect(asked()).toEqual([0, 0]));
		answer(0);
		await vi.waitFor(() => expect(tiles()).toHaveLength(4));
	});

	it("go back to the last one there is when there are fewer items now", async () => {
		const { fake, asked } = show({ start: 8 });
		await vi.waitFor(() => expect(asked()).toEqual([8]));
		const { header, buffers } = makePage([], { start: 8, total: 6 });
		fake.answer("page", header, buffers);
		await vi.waitFor(() => expect(fake.get("start" as never)).toBe(4));
	});

	it("say when no item fits, and lead back", async () => {
		const { fake, asked, seeText, click } = show({ label: "cat", total: 0 });
		await vi.waitFor(() => expect(asked()).toEqual([0]));
		const { header, buffers } = makePage([]);
		fake.answer("page", header, buffers);
		await seeText("No item fits these filters");
		click("button", "Show all items");
		expect(fake.get("label" as never)).toBe("");
	});
});

describe("the keyboard in the grid", () => {
	it("has one tab stop, which arrows move", async () => {
		const { tiles } = await showFirst();
		expect(tiles().map((tile) => tile.tabIndex)).toEqual([0, -1, -1, -1]);
		tiles()[0]?.focus();
		press("ArrowRight");
		await rendered();
		expect(document.activeElement).toBe(tiles()[1]);
		expect(tiles().map((tile) => tile.tabIndex)).toEqual([-1, 0, -1, -1]);
		press("End");
		expect(document.activeElement).toBe(tiles()[3]);
	});

	it("goes on to the next page at the end", async () => {
		const { fake, answer, asked, tiles, keys } = await showFirst();
		await vi.waitFor(() => expect(asked()).toEqual([0, 4]));
		answer(4);
		tiles()[3]?.focus();
		press("ArrowRight");
		expect(fake.get("start" as never)).toBe(4);
		await vi.waitFor(() => expect(keys()[0]).toBe("images/4.jpg"));
		await vi.waitFor(() =>
			expect((document.activeElement as HTMLElement).title).toBe("images/4.jpg"),
		);
	});

	it("enlarges, steps, and comes back to the same item", async () => {
		const { fake, all, tiles, find } = await showFirst();
		tiles()[1]?.focus();
		tiles()[1]?.click(); // what Enter does on a button
		await vi.waitFor(() => expect(all(".nbannot-enlarged")).toHaveLength(1));
		expect(document.activeElement).toBe(all(".nbannot-enlarged")[0]);
		expect(all(".nbannot-grid")[0]?.hasAttribute("inert")).toBe(true);
		await vi.waitFor(() => expect(fake.calls("item").at(-1)?.params.item).toBe("1"));
		press("ArrowRight");
		await vi.waitFor(() => expect(fake.calls("item").at(-1)?.params.item).toBe("2"));
		expect(find("region", "Item 3 of 10")).toHaveLength(1);
		press("Escape");
		await vi.waitFor(() =>
			expect((document.activeElement as HTMLElement).title).toBe("images/2.jpg"),
		);
		expect(all(".nbannot-enlarged")).toHaveLength(0);
	});
});

describe("an enlarged item", () => {
	it("lists its annotations and details, and brings out the one pointed at", async () => {
		const { fake, all, tiles, seeText } = await showFirst();
		tiles()[0]?.click();
		await vi.waitFor(() => expect(fake.calls("item")).toHaveLength(1));
		const { header, buffers } = makePage(
			[
				{
					shapes: [{ type: "box", label: 0, score: 0.5, layer: 1 }],
					details: [["license", "CC BY"]],
				},
			],
			{
				rows: [
					{
						index: 0,
						label: "cat",
						type: "box",
						text: "a note",
						attributes: [["occluded", "true"]],
					},
				],
			},
		);
		fake.answer("item", header, buffers);
		await seeText("license");
		const row = all("button.nbannot-annotation")[0] as HTMLElement;
		for (const part of ["box", "0.50", "model", "a note", "occluded: true"])
			expect(row.textContent).toContain(part);
		row.focus();
		await rendered();
		expect(all("[data-active]")).toEqual([row]);
	});
});

describe("history", () => {
	it("lists requests with their accounts and lines, and goes back and forth", async () => {
		const { fake, all, click, seeText, text, get } = await showFirst();
		all("summary")[0]?.click();
		await seeText("Import coco");
		expect(text()).toContain("1 not imported");
		expect(text()).toContain("long ago");
		expect(get<HTMLButtonElement>("button", "Redo").disabled).toBe(true);
		click("button", "Undo");
		expect(fake.calls("undo")).toHaveLength(1);
		all("summary")
			.find((one) => one.textContent?.includes("Import coco"))
			?.click();
		await seeText("22 read");
		all("summary")
			.find((one) => one.textContent === "Not imported")
			?.click();
		await vi.waitFor(() =>
			expect(fake.calls("lines")[0]?.params).toMatchObject({ request: 2, outcome: "rejected" }),
		);
		fake.answer("lines", {
			total: 1,
			lines: [
				{ file: "a.json", where: "images[3]", record: 3, item: null, message: "no file name" },
			],
		});
		await seeText("no file name");
	});

	it("says what an empty project needs", () => {
		const summary = {
			...STATE.summary,
			items: 0,
			annotations: 0,
			tasks: [],
			labels: [],
			requests: [],
		};
		const { text } = show({ summary, total: 0 });
		expect(text()).toContain("Nothing is in this project yet");
		expect(text()).toContain("import_dataset");
	});
});

it("leaves nothing behind", async () => {
	const { fake, el, leave } = await showFirst();
	leave();
	expect(el.childNodes).toHaveLength(0);
	expect(fake.listeners()).toBe(0);
});
