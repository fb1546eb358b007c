/**
 * A page of items as typed arrays, one binary buffer per column: no JSON, no copy.
 *
 * `Page.encode` in `project/page.py` is the other end; the preview of an import and the
 * gallery of a project are the same page.
 */

/** What an annotation can be, in the order of `schema.TYPES`: a code is an index into it. */
export const TYPES = [
	"tag",
	"choice",
	"taxonomy",
	"rating",
	"number",
	"datetime",
	"text",
	"pairwise",
	"ranking",
	"box",
	"polygon",
	"polyline",
	"points",
	"skeleton",
	"mask",
	"ellipse",
	"cuboid",
	"text_span",
	"time_span",
	"relation",
] as const;
export type AnnotationType = (typeof TYPES)[number];

const ARRAYS = {
	float32: Float32Array,
	int32: Int32Array,
	uint8: Uint8Array,
	int8: Int8Array,
} as const;
type Dtype = keyof typeof ARRAYS;

export interface PageItem {
	/** Python's id of it, a string: integers past 2^53 stay whole. */
	item: string;
	key: string;
	task: string;
	kind: string;
	width: number | null;
	height: number | null;
	annotations: number;
	note: string;
	/** Beginning of the text of a text item. */
	text?: string;
	/** Names and values to list beside the enlarged item. */
	details?: [string, string][];
}

export interface PageLabel {
	name: string;
	color: string;
	points: string[] | null;
	edges: [number, number][];
}

/** What the list beside an enlarged item says about one annotation. */
export interface AnnotationRow {
	index: number;
	label: string;
	type: string;
	text: string;
	/** Names and values, as text. */
	attributes: [string, string][];
}

export interface PageHeader {
	start: number;
	total: number;
	items: PageItem[];
	labels: PageLabel[];
	layers: string[];
	texts: Record<string, string>;
	columns: { name: string; dtype: Dtype }[];
	has_visibility?: boolean;
	rows?: AnnotationRow[];
}

/** One decoded page. Annotation columns have one value per annotation of the page. */
export interface Page {
	start: number;
	total: number;
	items: PageItem[];
	labels: PageLabel[];
	layers: string[];
	texts: Record<string, string>;
	rows: AnnotationRow[] | null;
	type: Uint8Array;
	label: Int32Array;
	layer: Uint8Array;
	x: Float32Array;
	y: Float32Array;
	w: Float32Array;
	h: Float32Array;
	rotation: Float32Array;
	score: Float32Array;
	pointsStart: Int32Array;
	points: Float32Array;
	ringsStart: Int32Array;
	rings: Int32Array;
	/** Empty where no annotation of the page has any; else one per point. */
	visibility: Uint8Array;
	maskStart: Int32Array;
	mask: Uint8Array;
	maskHeight: Int32Array;
	maskWidth: Int32Array;
	/** Indices of the annotations of item `i`, in the order they came. */
	annotationsOf(i: number): Int32Array;
	/** Bytes of the picture of item `i`; null where there is none. */
	thumbnail(i: number): Uint8Array | null;
}

/** Decode a page; throws where header and buffers do not fit together. */
export function decodePage(header: PageHeader, buffers: DataView[]): Page {
	if (header.columns.length !== buffers.length) {
		throw new Error(`page: ${header.columns.length} columns but ${buffers.length} buffers`);
	}
	const columns = new Map(
		header.columns.map(({ name, dtype }, i) => [name, { dtype, buffer: buffers[i] as DataView }]),
	);
	function column<D extends Dtype>(name: string, dtype: D): InstanceType<(typeof ARRAYS)[D]> {
		const found = columns.get(name);
		if (!found) throw new Error(`page: no column ${name}`);
		if (found.dtype !== dtype) {
			throw new Error(`page: column ${name} is ${found.dtype}, not ${dtype}`);
		}
		return view(dtype, found.buffer) as InstanceType<(typeof ARRAYS)[D]>;
	}
	const owner = column("annotation.item", "int32");
	const { order, starts } = groupByItem(owner, header.items.length);
	const thumbStart = column("thumb_start", "int32");
	const thumbs = column("thumbs", "uint8");
	return {
		start: header.start,
		total: header.total,
		items: header.items,
		labels: header.labels,
		layers: header.layers,
		texts: header.texts,
		rows: header.rows ?? null,
		type: column("annotation.type", "uint8"),
		label: column("annotation.label", "int32"),
		layer: column("annotation.layer", "uint8"),
		x: column("annotation.x", "float32"),
		y: column("annotation.y", "float32"),
		w: column("annotation.w", "float32"),
		h: column("annotation.h", "float32"),
		rotation: column("annotation.rotation", "float32"),
		score: column("annotation.score", "float32"),
		pointsStart: column("annotation.points_start", "int32"),
		points: column("points", "float32"),
		ringsStart: column("annotation.rings_start", "int32"),
		rings: column("rings", "int32"),
		visibility: header.has_visibility === false ? new Uint8Array() : column("visibility", "uint8"),
		maskStart: column("annotation.mask_start", "int32"),
		mask: column("mask", "uint8"),
		maskHeight: column("annotation.mask_height", "int32"),
		maskWidth: column("annotation.mask_width", "int32"),
		annotationsOf: (i) => order.subarray(starts[i], starts[i + 1]),
		thumbnail(i) {
			const bytes = thumbs.subarray(thumbStart[i], thumbStart[i + 1]);
			return bytes.length ? bytes : null;
		},
	};
}

/** A view where alignment allows it; a copy where the socket gave an odd offset. */
function view(dtype: Dtype, buffer: DataView): InstanceType<(typeof ARRAYS)[Dtype]> {
	const Type = ARRAYS[dtype];
	const length = buffer.byteLength / Type.BYTES_PER_ELEMENT;
	if (buffer.byteOffset % Type.BYTES_PER_ELEMENT === 0) {
		return new Type(buffer.buffer as ArrayBuffer, buffer.byteOffset, length);
	}
	const end = buffer.byteOffset + buffer.byteLength;
	return new Type((buffer.buffer as ArrayBuffer).slice(buffer.byteOffset, end));
}

/** Counting sort: annotation indices grouped by item, so that an item finds its own at once. */
function groupByItem(owner: Int32Array, items: number) {
	const starts = new Int32Array(items + 1);
	for (const i of owner) if (i >= 0 && i < items) starts[i + 1] = (starts[i + 1] as number) + 1;
	for (let i = 0; i < items; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
	const next = starts.slice();
	const order = new Int32Array(starts[items] as number);
	owner.forEach((i, annotation) => {
		if (i < 0 || i >= items) return;
		const place = next[i] as number;
		order[place] = annotation;
		next[i] = place + 1;
	});
	return { order, starts };
}

export function typeOf(page: Page, annotation: number): AnnotationType | undefined {
	return TYPES[page.type[annotation] as number];
}

export function labelOf(page: Page, annotation: number): PageLabel | undefined {
	return page.labels[page.label[annotation] as number];
}
