import { describe, expect, it, vi } from "vitest";
import widget from "../../src/nbannot/js/widgets/import/index.tsx";
import type { ImportState } from "../../src/nbannot/js/widgets/import/types.ts";
import { CHOSEN, DONE, EMPTY, READY } from "./import-state.ts";
import { makePage } from "./make-page.ts";
import { mountView, mountWidget, press, rendered } from "./mount.ts";

const show = (state: ImportState) => mountWidget(widget, { ...state } as never);
const page = makePage(
	Array.from({ length: 24 }, () => ({ shapes: [{ type: "box" as const, label: 0 }] })),
	{
		total: 48,
	},
);

describe("each state of an import", () => {
	it("nothing chosen: the picker, and nothing else", () => {
		const { find, text } = show(EMPTY);
		expect(find("tab")).toHaveLength(3);
		expect(text()).toContain("19 MB");
		expect(text()).toContain("5,000 entries");
		expect(find("region").map((region) => region.getAttribute("aria-label"))).toEqual(["Source"]);
	});

	it("a folder that can't be listed: why, and not that it is empty", () => {
		const error = {
			type: "SourceError",
			message: "Permission denied",
			where: "/root",
			hint: "Choose another.",
		};
		const { get, text } = show({ ...EMPTY, entries: [], error });
		expect(get("alert").textContent).toContain("Permission denied");
		expect(text()).not.toContain("empty");
	});

	it("detecting: what is done, a way to stop it", () => {
		const progress = {
			stage: "Walking",
			done: 41_200,
			total: null,
			unit: "files",
			fraction: null,
			seconds_left: null,
		};
		const { fake, get, text, click } = show({
			...CHOSEN,
			state: "detecting",
			candidates: [],
			progress,
		});
		expect(get("progressbar").hasAttribute("aria-valuenow")).toBe(false);
		expect(text()).toContain("41,200 files");
		click("button", "Cancel");
		expect(fake.calls("cancel")).toHaveLength(1);
	});

	it("unrecognised: what each format misses; any can be chosen all the same", () => {
		const candidates = CHOSEN.candidates.map((one) => ({ ...one, missing: `lacks ${one.title}` }));
		const { fake, text, click } = show({
			...CHOSEN,
			state: "unrecognised",
			format: "",
			candidates,
		});
		expect(text()).toContain("No format fits");
		expect(text()).toContain("lacks COCO");
		click("radio", "YOLO");
		expect(fake.get("format")).toBe("yolo");
	});

	it("recognised by name and not read: says what it is, and offers no way to choose it", () => {
		const known = { format: "", title: "nuScenes", confidence: 0, root: "", fixes: [] };
		const candidates = [
			{ ...known, evidence: ["ego_pose.json is there"], missing: "nbannot does not read it yet" },
		];
		const { text, el } = show({ ...CHOSEN, state: "unrecognised", format: "", candidates });
		expect(text()).toContain("This looks like nuScenes");
		expect(text()).toContain("ego_pose.json is there. nbannot does not read it yet.");
		expect(el.querySelectorAll("[role=radiogroup] input")).toHaveLength(0);
	});

	it("offers what would mend a lack, until it is accepted", () => {
		const fixes = [{ text: "No file names the classes", options: { names: "class_0" } }];
		const candidates = CHOSEN.candidates.map((one) => ({ ...one, fixes }));
		const offered = show({ ...CHOSEN, candidates });
		expect(offered.text()).toContain("No file names the classes.");
		offered.click("button", "Accept");
		expect(offered.fake.get("options")).toEqual({ names: "class_0" });
		const accepted = show({ ...CHOSEN, candidates, options: { names: "cat" } });
		expect(accepted.text()).not.toContain("No file names the classes.");
	});

	it("reading: how far, what is there so far, and no import yet", async () => {
		const progress = {
			stage: "Reading",
			done: 31,
			total: 100,
			unit: "MB",
			fraction: 0.31,
			seconds_left: 8,
		};
		const preview = { ...READY.preview, complete: false, items: 24 };
		const { fake, get, text, click } = show({
			...READY,
			state: "reading",
			labels: [],
			progress,
			preview,
		});
		expect(get("progressbar").getAttribute("aria-valuenow")).toBe("31");
		expect(text()).toContain("31 of 100 MB · about 8 s left");
		expect(text()).toContain("24 items");
		expect(text()).toContain("so far");
		click("button", "Import 48 items");
		expect(fake.calls("start")).toHaveLength(0);
		click("button", "Stop reading");
		expect(fake.calls("cancel")).toHaveLength(1);
	});

	it("ready: counts, labels, problems, the change in words and in code", async () => {
		const { fake, text, click, see } = show(READY);
		for (const part of [
			"48 items",
			"44 annotations",
			"3 labels",
			"1 media file not found",
			"12 problems",
			"Adds 2 tasks, 48 items and 42 annotations.",
			'project.import_dataset("data/coco")',
		]) {
			expect(text()).toContain(part);
		}
		await vi.waitFor(() => expect(fake.calls("page")).toHaveLength(1));
		fake.answer("page", page.header, page.buffers);
		await see("button", "images/0.jpg, 1 annotation: 1 cat");
		click("button", "Import 48 items");
		expect(fake.calls("start")).toHaveLength(1);
	});

	it("importing: everything but Cancel waits", () => {
		const progress = {
			stage: "Writing",
			done: 1,
			total: 4,
			unit: "items",
			fraction: 0.25,
			seconds_left: 0,
		};
		const { fake, find, get, click } = show({ ...READY, state: "importing", progress });
		expect(get<HTMLButtonElement>("button", "Change").disabled).toBe(true);
		expect(find("radio").every((radio) => (radio as HTMLInputElement).disabled)).toBe(true);
		expect(find("button", "Import ")).toHaveLength(0);
		click("button", "Cancel");
		expect(fake.calls("cancel")).toHaveLength(1);
	});

	it("done: the account that adds up, undo, and the next one", () => {
		const { fake, text, click } = show(DONE);
		expect(text()).toContain("92 read= 80 imported+ 12 with a warning+ 0 not imported");
		expect(text()).toContain("Added 2 tasks");
		expect(text()).toContain("12 problems");
		click("button", "Undo");
		click("button", "Import another");
		expect(fake.calls("undo")).toHaveLength(1);
		expect(fake.calls("reset")).toHaveLength(1);
	});

	it("undone: says so, and can be redone", () => {
		const { fake, text, click } = show({ ...DONE, report: { ...DONE.report, undone: true } });
		expect(text()).toContain("Undone");
		click("button", "Redo");
		expect(fake.calls("redo")).toHaveLength(1);
	});

	it("error: what, where, what to do, and once more", () => {
		const error = {
			type: "BrokenFileError",
			message: "The file is cut short",
			where: "a.json, byte 9",
			hint: "Download it again.",
		};
		const { fake, get, click } = show({ ...CHOSEN, state: "error", error });
		const alert = get("alert").textContent;
		for (const part of [error.message, error.where, error.hint]) expect(alert).toContain(part);
		const seen: unknown[] = [];
		fake.on("change:source", () => seen.push(fake.get("source" as never)));
		click("button", "Try again");
		expect(seen).toEqual(["", "/data/coco"]);
	});

	it("announces the state, and an error of a command", async () => {
		const { fake, get, see, click } = show(READY);
		await vi.waitFor(() =>
			expect(get("status").textContent).toBe("Ready to import: 48 items, 44 annotations"),
		);
		click("button", "Import 48 items");
		fake.reply({
			kind: "error",
			id: fake.calls("start")[0]?.id,
			type: "X",
			message: "disk full",
			hint: "",
		});
		expect((await see("alert")).textContent).toContain("disk full");
	});
});

describe("choosing", () => {
	it("walks through folders by keyboard", async () => {
		const { fake, all } = show(EMPTY);
		await rendered();
		const rows = () => all("button.nbannot-entry-main");
		rows()[0]?.focus();
		press("ArrowDown");
		expect(document.activeElement).toBe(rows()[1]);
		press("a");
		expect(document.activeElement?.textContent).toContain("all.zip");
		press("Home");
		(document.activeElement as HTMLElement).click(); // what Enter does on a button
		expect(fake.get("location" as never)).toBe("/data/coco/annotations");
		fake.set(
			"parents" as never,
			[...EMPTY.parents, { name: "annotations", path: "/data/coco/annotations" }] as never,
		);
		fake.set(
			"entries" as never,
			[
				{
					...EMPTY.entries[2],
					name: "instances.json",
					path: "/data/coco/annotations/instances.json",
					kind: "file",
				},
			] as never,
		);
		await rendered();
		expect(document.activeElement?.textContent).toContain("instances.json");
		press("Backspace");
		expect(fake.get("location" as never)).toBe("/data/coco");
		fake.set("entries" as never, EMPTY.entries as never);
		await rendered();
		expect(document.activeElement?.textContent).toContain("annotations");
	});

	it("takes an archive, a folder, a table or a typed path as the source", async () => {
		const { fake, click, get, all } = show(EMPTY);
		const source = () => fake.get("source" as never);
		click("button", "all.zip");
		expect(source()).toBe("/data/coco/all.zip");
		fake.set("source" as never, "" as never);
		await rendered();
		click("button", "Import folder val2017");
		expect(source()).toBe("/data/coco/val2017");
		fake.set("source" as never, "" as never);
		await rendered();
		click("button", "Import this folder");
		expect(source()).toBe("/data/coco");
		fake.set("source" as never, "" as never);
		await rendered();
		click("tab", "DataFrames");
		await rendered();
		click("button", "1,000 rows × 7 columns");
		expect(source()).toBe("frame:df");
		fake.set("source" as never, "" as never);
		await rendered();
		get("tab", "DataFrames").focus();
		press("ArrowRight");
		await rendered();
		const [path] = all("input[role=combobox]") as HTMLInputElement[];
		if (!path) throw new Error("the tabs do not go round");
		path.value = "/elsewhere/*.json";
		path.dispatchEvent(new Event("input", { bubbles: true }));
		await rendered();
		press("Enter", path);
		expect(source()).toBe("/elsewhere/*.json");
	});

	it("completes a typed path", async () => {
		const { fake, all } = show(EMPTY);
		const [path] = all("input[role=combobox]") as [HTMLInputElement];
		path.value = "ann";
		path.dispatchEvent(new Event("input", { bubbles: true }));
		await vi.waitFor(() => expect(fake.calls("complete_path")).toHaveLength(1));
		fake.answer("complete_path", { paths: ["annotations/", "ann.json"] });
		await vi.waitFor(() => expect(all("[role=option]")).toHaveLength(2));
		expect(path.getAttribute("aria-expanded")).toBe("true");
		press("ArrowDown", path);
		await rendered();
		press("ArrowDown", path);
		await rendered();
		press("Enter", path);
		await rendered();
		expect(path.value).toBe("ann.json");
	});

	it("collapses to one line, and can be changed or kept", async () => {
		const { fake, find, click, text } = show(CHOSEN);
		expect(find("tab")).toHaveLength(0);
		expect(text()).toContain("/data/coco");
		click("button", "Change");
		await rendered();
		expect(find("tab")).toHaveLength(3);
		click("button", "Keep coco");
		await rendered();
		expect(find("tab")).toHaveLength(0);
		expect(fake.get("source" as never)).toBe("/data/coco");
	});

	it("maps labels: drop, map, accept what is suggested", async () => {
		const { fake, choose, click } = show(READY);
		await choose("combobox", "What becomes of cat", "drop");
		expect(fake.get("mapping" as never)).toEqual({ cat: null });
		await choose("combobox", "What becomes of car", "=cat");
		expect(fake.get("mapping" as never)).toMatchObject({ car: "cat" });
		click("button", "Same as auto?");
		expect(fake.get("mapping" as never)).toMatchObject({ car: "auto" });
	});

	it("narrows the preview to a label and a subset, from the first page", async () => {
		const { fake, click, choose } = show(READY);
		await vi.waitFor(() => expect(fake.calls("page")).toHaveLength(1));
		click("button", /^cat/);
		await vi.waitFor(() =>
			expect(fake.calls("page").at(-1)?.params).toMatchObject({ label: "cat", start: 0 }),
		);
		await choose("combobox", "Subset to look at", "val");
		await vi.waitFor(() =>
			expect(fake.calls("page").at(-1)?.params).toMatchObject({ label: "cat", subset: "val" }),
		);
	});

	it("imports some subsets, never none", async () => {
		const { fake, click, get } = show(READY);
		click("checkbox", "val");
		expect(fake.get("subsets" as never)).toEqual(["train"]);
		await rendered();
		expect(get<HTMLInputElement>("checkbox", "train").disabled).toBe(true);
		click("checkbox", "val");
		expect(fake.get("subsets" as never)).toEqual([]);
	});

	it("goes into a task or a job, with a mode", async () => {
		const { fake, click, choose } = show(READY);
		click("radio", "An existing task");
		expect(fake.get("target" as never)).toBe("task:3");
		await rendered();
		await choose("combobox", "Task or job", "job:6");
		expect(fake.get("target" as never)).toBe("job:6");
		click("radio", "Merge");
		expect(fake.get("mode" as never)).toBe("merge");
	});

	it("writes only the options that differ from their defaults", async () => {
		const { fake, all, click, choose } = show({ ...READY, options: { crowd: "skip" } });
		click("checkbox", "polygons");
		expect(fake.get("options" as never)).toEqual({ crowd: "skip", polygons: false });
		await rendered();
		const crowd = all("select").find((select) => select.textContent?.includes("skip"));
		if (!crowd) throw new Error("no select of crowd");
		(crowd as HTMLSelectElement).value = "mask";
		crowd.dispatchEvent(new Event("change", { bubbles: true }));
		expect(fake.get("options" as never)).toEqual({ polygons: false });
		expect(choose).toBeDefined();
	});

	it("gives a table's columns their roles, with a value of each", async () => {
		const roles = {
			available: [
				{ name: "path", type: "string", sample: "a.jpg" },
				{ name: "cls", type: "string", sample: "cat" },
			],
			roles: [
				{ role: "image", help: "Path.", column: "path", required: true, sure: true },
				{ role: "label", help: "", column: "cls", required: true, sure: false },
				{ role: "x1", help: "", column: "", required: true, sure: false },
			],
		};
		const { fake, text, all } = show({ ...READY, roles });
		expect(text()).toContain("a.jpg");
		expect(text()).toContain("please check");
		expect(text()).toContain("needed");
		const select = all(".nbannot-roles select")[1] as HTMLSelectElement;
		select.value = "path";
		select.dispatchEvent(new Event("change", { bubbles: true }));
		expect(fake.get("columns" as never)).toEqual({ label: "path" });
	});

	it("shows where a problem is, and more of it", async () => {
		const { fake, all, click, seeText, text } = show(READY);
		const summary = all("summary").find((one) => one.textContent?.includes("box reaches outside"));
		summary?.click();
		await seeText("a.json › annotations[3]");
		click("button", "Show 11 more of 11");
		await vi.waitFor(() => expect(fake.calls("lines")).toHaveLength(1));
		expect(fake.calls("lines")[0]?.params).toMatchObject({ outcome: "warning", start: 1 });
		fake.answer("lines", {
			total: 12,
			lines: [{ file: "b.json", where: "", record: 4, item: null, message: "by 9 px" }],
		});
		await seeText("by 9 px");
		expect(text()).toContain("b.json");
	});
});

describe("a view", () => {
	it("leaves nothing behind", async () => {
		const { fake, el, leave } = show(READY);
		await vi.waitFor(() => expect(fake.calls("page")).toHaveLength(1));
		leave();
		expect(el.childNodes).toHaveLength(0);
		expect(fake.listeners()).toBe(0);
	});

	it("may be one of several of one model, each with its own radio buttons", async () => {
		const { fake, find } = show(READY);
		const other = mountView(widget, fake);
		expect(find("radio").map((radio) => (radio as HTMLInputElement).name)).not.toContain(
			(other.find("radio")[0] as HTMLInputElement).name,
		);
		fake.set("state" as never, "importing" as never);
		await other.seeText("Cancel");
	});
});
