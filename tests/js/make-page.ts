/** Pages as `Page.encode` of project/page.py makes them, from a few words. */
import {
	type AnnotationRow,
	type AnnotationType,
	type PageHeader,
	type PageItem,
	type PageLabel,
	TYPES,
} from "../../src/nbannot/js/shared/page.ts";

export interface Shape {
	type: AnnotationType;
	label?: number;
	layer?: number;
	box?: [number, number, number, number];
	rotation?: number;
	score?: number;
	points?: number[];
	rings?: number[];
	visibility?: number[];
	mask?: string;
	size?: [number, number];
}

export interface ItemSpec extends Partial<PageItem> {
	shapes?: Shape[];
	picture?: number[];
}

export const LABELS: PageLabel[] = [
	{ name: "cat", color: "#ff0000", points: null, edges: [] },
	{
		name: "person",
		color: "#00ff00",
		points: ["a", "b", "c"],
		edges: [
			[0, 1],
			[1, 2],
		],
	},
];

/** A picture by its first bytes. */
export const JPEG = [0xff, 0xd8, 0xff, 0xe0];

export function makePage(
	items: ItemSpec[],
	{
		start = 0,
		total = items.length,
		labels = LABELS,
		rows,
	}: { start?: number; total?: number; labels?: PageLabel[]; rows?: AnnotationRow[] } = {},
): { header: PageHeader; buffers: DataView[] } {
	const all = items.flatMap(({ shapes = [] }, item) => shapes.map((shape) => ({ item, ...shape })));
	const offsets = (lengths: number[]) => {
		let sum = 0;
		return [0, ...lengths.map((length) => (sum += length))];
	};
	const bytes = (text = "") => [...text].map((letter) => letter.charCodeAt(0));
	const hasVisibility = all.some((shape) => shape.visibility);
	const float = (of: (shape: Shape) => number | undefined) =>
		["float32", all.map((shape) => of(shape) ?? Number.NaN)] as const;
	const columns: Record<string, readonly ["float32" | "int32" | "uint8", number[]]> = {
		"annotation.item": ["int32", all.map(({ item }) => item)],
		"annotation.type": ["uint8", all.map(({ type }) => TYPES.indexOf(type))],
		"annotation.label": ["int32", all.map(({ label }) => label ?? -1)],
		"annotation.layer": ["uint8", all.map(({ layer }) => layer ?? 0)],
		"annotation.x": float((s) => s.box?.[0]),
		"annotation.y": float((s) => s.box?.[1]),
		"annotation.w": float((s) => s.box?.[2]),
		"annotation.h": float((s) => s.box?.[3]),
		"annotation.rotation": float((s) => s.rotation),
		"annotation.score": float((s) => s.score),
		"annotation.points_start": ["int32", offsets(all.map(({ points = [] }) => points.length))],
		points: ["float32", all.flatMap(({ points = [] }) => points)],
		"annotation.rings_start": ["int32", offsets(all.map(({ rings = [] }) => rings.length))],
		rings: ["int32", all.flatMap(({ rings = [] }) => rings)],
		visibility: [
			"uint8",
			hasVisibility
				? all.flatMap(
						({ points = [], visibility }) =>
							visibility ?? points.slice(0, points.length / 2).map(() => 2),
					)
				: [],
		],
		"annotation.mask_start": ["int32", offsets(all.map(({ mask = "" }) => mask.length))],
		mask: ["uint8", all.flatMap(({ mask }) => bytes(mask))],
		"annotation.mask_height": ["int32", all.map(({ size }) => size?.[0] ?? 0)],
		"annotation.mask_width": ["int32", all.map(({ size }) => size?.[1] ?? 0)],
		thumb_start: ["int32", offsets(items.map(({ picture = [] }) => picture.length))],
		thumbs: ["uint8", items.flatMap(({ picture = [] }) => picture)],
	};
	const arrays = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };
	const header: PageHeader = {
		start,
		total,
		items: items.map(({ shapes = [], picture: _, ...item }, i) => ({
			item: String(start + i),
			key: `images/${start + i}.jpg`,
			task: "",
			kind: "image",
			width: 100,
			height: 80,
			annotations: shapes.length,
			note: "",
			...item,
		})),
		labels,
		layers: ["ground truth", "model"],
		texts: {},
		has_visibility: hasVisibility,
		columns: Object.entries(columns).map(([name, [dtype]]) => ({ name, dtype })),
		...(rows ? { rows } : {}),
	};
	const buffers = Object.values(columns).map(
		([dtype, values]) => new DataView(new arrays[dtype](values).buffer as ArrayBuffer),
	);
	return { header, buffers };
}
