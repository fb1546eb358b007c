/** States of an import as Python would tell them. */
import type { ImportState } from "../../src/nbannot/js/widgets/import/types.ts";

export const EMPTY: ImportState = {
	location: "/data/coco",
	filter: "",
	source: "",
	format: "",
	root: "",
	options: {},
	columns: {},
	mapping: {},
	subsets: [],
	target: "new",
	mode: "replace",
	media: "link",
	project: {
		name: "pets",
		path: "/home/ada/pets.nbannot",
		tasks: [
			{
				id: 3,
				name: "old",
				items: 10,
				jobs: [
					{ id: 5, name: "old 1", items: 5 },
					{ id: 6, name: "old 2", items: 5 },
				],
			},
		],
		labels: [
			{ name: "auto", color: "#123456" },
			{ name: "cat", color: "#ff0000" },
		],
	},
	parents: [
		{ name: "/", path: "/" },
		{ name: "data", path: "/data" },
		{ name: "coco", path: "/data/coco" },
	],
	entries: [
		{
			name: "annotations",
			path: "/data/coco/annotations",
			kind: "folder",
			size_bytes: null,
			files: 2,
			note: "",
		},
		{
			name: "val2017",
			path: "/data/coco/val2017",
			kind: "folder",
			size_bytes: null,
			files: 5000,
			note: "",
		},
		{
			name: "all.zip",
			path: "/data/coco/all.zip",
			kind: "archive",
			size_bytes: 19_400_000,
			files: null,
			note: "",
		},
	],
	entries_total: 3,
	frames: [{ name: "df", kind: "pandas.DataFrame", rows: 1000, columns: 7 }],
	candidates: [],
	fields: [],
	roles: {},
	labels: [],
	preview: {},
	problems: [],
	changes: {},
	state: "empty",
	progress: {},
	report: {},
	error: {},
	code: "",
};

export const CHOSEN: ImportState = {
	...EMPTY,
	source: "/data/coco",
	state: "reading",
	format: "coco",
	candidates: [
		{
			format: "coco",
			title: "COCO",
			confidence: 0.9,
			evidence: ["images, annotations"],
			missing: "",
			root: "",
			fixes: [],
		},
		{
			format: "dir",
			title: "Image folder",
			confidence: 0.2,
			evidence: ["pictures only"],
			missing: "",
			root: "",
			fixes: [],
		},
		{
			format: "yolo",
			title: "YOLO",
			confidence: 0,
			evidence: [],
			missing: "no data.yaml",
			root: "",
			fixes: [],
		},
	],
	fields: [
		{
			name: "polygons",
			kind: "bool",
			default: true,
			help: "Read polygons.",
			choices: [],
			value: true,
		},
		{
			name: "crowd",
			kind: "choice",
			default: "mask",
			help: "",
			choices: ["mask", "skip"],
			value: "mask",
		},
	],
};

export const READY: ImportState = {
	...CHOSEN,
	state: "ready",
	labels: [
		{ name: "cat", color: "#ff0000", count: 30, action: "exact", to: "cat", suggestion: "" },
		{ name: "car", color: "#00ff00", count: 12, action: "create", to: "car", suggestion: "auto" },
		{ name: "sky", color: "#0000ff", count: 2, action: "drop", to: "", suggestion: "" },
	],
	preview: {
		revision: 1,
		items: 48,
		annotations: 44,
		complete: true,
		subsets: [
			{ name: "train", items: 40, annotations: 40 },
			{ name: "val", items: 8, annotations: 4 },
		],
		media_found: 47,
		summary: "",
	},
	problems: [
		{
			outcome: "warning",
			reason: "box reaches outside",
			count: 12,
			examples: [
				{ file: "a.json", where: "annotations[3]", record: 3, item: null, message: "by 2 px" },
			],
		},
	],
	changes: {
		adds_items: 48,
		adds_annotations: 42,
		removes_annotations: 0,
		updates_items: 0,
		unchanged_items: 0,
		tasks: ["train", "val"],
		text: "Adds 2 tasks, 48 items and 42 annotations.",
		warning: "",
	},
	code: 'project.import_dataset("data/coco")',
};

export const DONE: ImportState = {
	...READY,
	state: "done",
	report: {
		request: 4,
		read: 92,
		imported: 80,
		warned: 12,
		rejected: 0,
		seconds: 2.3,
		tasks: ["train", "val"],
		undone: false,
		text: "Added 2 tasks, 48 items and 42 annotations.",
	},
};
